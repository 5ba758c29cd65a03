"""Evaluations as they lie on disk, with as much skill as a test asks for, and the report's material made of them."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import pandas as pd
import pytest

from ferline.artifact import staging, write_json
from ferline.emotions import EMOTIONS
from ferline.evaluation import figures, figures_probing, pictures
from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.leaderboard import compare
from ferline.evaluation.predictions import SCORED, probability_columns
from ferline.evaluation.scores import calibration_of, resampling_of, scores_of
from ferline.evaluation.slices import slices_of
from ferline.models.temperature import probabilities
from ferline.params import EvaluationParams, PromotionParams
from ferline.reporting.material import Material, PaperRuns, Run
from ferline.reporting.report import Report, write

QUICK = EvaluationParams(resamples=200)
FACES = 140
HISTORY = [
    {
        "epoch": epoch,
        "train_loss": 2 / epoch,
        "train_accuracy": 0.25 * epoch,
        "validation_loss": 2.1 / epoch,
        "validation_accuracy": 0.2 * epoch,
    }
    for epoch in (1, 2, 3)
]
NO_LEAKS = {"exact": 0, "subject": 0, "sequence": 0}


@pytest.fixture(scope="session")
def make_evaluation(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Evaluation]:
    """An evaluation of 140 faces a split; `skill` is how far above the noise a true emotion's logit stands.

    `drawn`: which pictures it has: nothing, matrix (without which MLflow's row is not written), faces (and the maps
    over them), all.
    """

    def make(
        name: str,
        skill: float = 2.0,
        drawn: str = "nothing",
        card: dict[str, Any] | None = None,
        emotions: Sequence[str] = EMOTIONS,
        prefix: str = "face",
        members: str | None = None,
        known_people: bool = True,
        robust: bool = True,
        sliced: bool = True,
        seed: int = 0,
    ) -> Evaluation:
        random = np.random.default_rng([seed, *name.encode()])
        tables, logits, labels = [], {}, np.arange(FACES) % len(emotions)
        for split in SCORED:
            logits[split] = random.normal(size=(FACES, len(emotions))) + skill * np.eye(len(emotions))[labels]
            tables.append(_table(split, labels, logits[split], emotions, prefix, known_people, sliced))
        predictions = pd.concat(tables, ignore_index=True)
        scores = {}
        for split in SCORED:
            of_split = predictions[predictions["split"] == split]
            scores[split] = scores_of(of_split, emotions, QUICK)
            scores[split]["calibration"] = calibration_of(logits[split], 1.3, labels)
            if members:
                single = {key: 0.0345 for key, value in scores[split].items() if isinstance(value, float)}
                scores[split]["sd"] = single | {"accuracy": 0.0123, "macro_f1": 0.0234}
        given = dict(card or {})
        full = {"name": "patterns", "protocol": "subject", "seed": 0, "fraction": 1.0} | given.pop("dataset", {})
        content = {
            "architecture": name,
            "model": "cnn_lstm",
            "model_digest": f"{name} {seed}",
            "data_digest": "d" * 64,
            "protocol": full["protocol"],
            "fold": None,
            "seed": seed,
            "member_seed": None,
            "temperature": 1.3,
            "device": "cpu",
            "parameters": 1_234_567,
            "size_bytes": 4_900_000,
            "best_epoch": 3,
            "bootstrap": resampling_of(predictions, QUICK),
            "splits": scores,
            "robustness": _robustness(scores["test"]) if robust else None,
            "slices": slices_of(predictions, emotions, QUICK),
        } | ({members: [{}, {}, {}]} if members else {})
        whole = _card(name, emotions, seed) | {"dataset": full} | given
        target = tmp_path_factory.mktemp("evaluation") / "evaluation"
        with staging(target) as folder:
            write_json(folder / "evaluation.json", content)
            write_json(folder / "model.json", whole)
            write_json(folder / "latency.json", {"median_ms": 1.75})
            write_json(folder / "history.json", HISTORY)
            predictions.to_parquet(folder / "predictions.parquet", index=False)
            if drawn == "all":
                pictures.draw(folder, content, HISTORY, emotions)
            if drawn == "matrix":
                cv2.imwrite(str(folder / "confusion_test.png"), np.zeros((8, 8), np.uint8))
            if drawn in ("faces", "all"):
                _draw_faces(folder, name, emotions, bool(whole.get("shareable")))
        return Evaluation(target)

    return make


def _card(name: str, emotions: Sequence[str], seed: int) -> dict[str, Any]:
    return {
        "architecture": name,
        "model": "cnn_lstm",
        "emotions": list(emotions),
        "input": {"side": 48, "channels": 1},
        "weights": "none",
        "options": {},
        "augmentation": {"rotation": 10.0},
        "training": {"optimiser": "adam", "learning_rate": 0.001, "batch_size": 32, "epochs": 3, "seed": seed},
        "parameters": 1_234_567,
        "seed": seed,
        "best_epoch": 3,
        "data_digest": "d" * 64,
        "leaks": NO_LEAKS,
        "shareable": True,
        "preprocessing": {},
    }


def _table(
    split: str, labels: np.ndarray, logits: np.ndarray, emotions: Sequence[str], prefix: str, people: bool, sliced: bool
) -> pd.DataFrame:
    shares = probabilities(logits, 1.3)
    table = pd.DataFrame({"id": [f"{prefix}-{split}-{number:03}" for number in range(len(labels))], "split": split})
    table["subject"] = [f"person {number % 20}" if people else None for number in range(len(labels))]
    table["label"], table["predicted"], table["confidence"] = labels, shares.argmax(axis=1), shares.max(axis=1)
    if sliced:
        table["slice_light"] = np.where(np.arange(len(labels)) % 3, "day", "night")
    return table.join(pd.DataFrame(shares, columns=probability_columns(emotions)))


def _robustness(scores: dict[str, Any]) -> dict[str, Any]:
    clean, f1 = scores["accuracy"], scores["macro_f1"]
    graded = {
        name: [
            {"strength": strength, "accuracy": clean * (1 - steep * strength), "macro_f1": f1 * (1 - steep * strength)}
            for strength in (1, 2, 3)
        ]
        for name, steep in zip(
            ("noise", "blur", "jpeg", "brightness", "contrast", "occlusion"),
            (0.2, 0.1, 0.02, 0.05, 0.08, 0.12),
            strict=True,
        )
    }
    lost = [clean - each["accuracy"] for by_strength in graded.values() for each in by_strength]
    drop = float(np.mean(lost))
    told = {"drop": drop, "interval": [drop - 0.03, drop + 0.04], "corruptions": graded}
    return {"faces": 70, "accuracy": clean, "macro_f1": f1, **told}


def _draw_faces(folder: Path, name: str, emotions: Sequence[str], shareable: bool) -> None:
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (14, 48, 48, 1), dtype=np.uint8)
    for kind in ("right", "wrong"):
        captions = [f"{emotions[0]} → {emotions[1]}\nconfidence 90%"] * len(faces)
        figures.save(figures.grid(list(faces), captions, f"{name}: {kind}"), folder / f"{kind}.png")
    heat, labels = random.normal(size=(14, 48, 48)), np.arange(14) % len(emotions)
    drawn = figures_probing.occlusion(heat, faces, labels, emotions, name, shareable)
    figures.save(drawn, folder / "occlusion.png")


@pytest.fixture(scope="session")
def make_material(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Material]:
    """A run of these evaluations, with the first of its leaderboard promoted unless something else is given."""

    def make(
        *evaluations: Evaluation,
        champion: Evaluation | None = None,
        papers: PaperRuns | None = None,
        decision: dict[str, Any] | None = None,
        changed: bool = False,
    ) -> Material:
        board = compare(evaluations, PromotionParams(), tmp_path_factory.mktemp("material") / "leaderboard")
        run = Run(
            run_id="f" * 32,
            name="fer_training-2026_01_31",
            store="sqlite:///mlflow.db",
            started="2026-01-31 10:00",
            ended="2026-01-31 10:20",
            commit="c0ffee" * 6 + "c0ff",
            changed=changed,
            host="here",
        )
        return Material(run, board, tuple(evaluations), decision, champion, papers or PaperRuns(()))

    return make


@pytest.fixture(scope="session")
def three(make_evaluation) -> list[Evaluation]:
    """Two that are alike and one that is far behind, with their pictures."""
    skills = {"cnn_lstm_svm": 2.6, "cnn_lstm": 2.5, "resnet50_gru": 0.6}
    return [make_evaluation(name, skill, drawn="all") for name, skill in skills.items()]


@pytest.fixture(scope="session")
def material(three, make_material) -> Material:
    return make_material(*three)


@pytest.fixture(scope="session")
def report(material, tmp_path_factory) -> Report:
    return write(material, tmp_path_factory.mktemp("report") / "report")


@pytest.fixture(scope="session")
def alone(make_evaluation, make_material) -> Material:
    """Of one model without pictures."""
    return make_material(make_evaluation("cnn_lstm"))


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real MLflow store, seen from a folder that is no project."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri("")
