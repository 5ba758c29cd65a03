"""Evaluation: every number and picture of one model on the validation and test faces."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ferline.artifact import Artifact, link_or_copy, staging, write_json
from ferline.errors import FerlineError
from ferline.evaluation import figures, latency
from ferline.evaluation.metrics import score
from ferline.faces.faceset import FaceSet
from ferline.models.trained import CARD, HISTORY, WEIGHTS, TrainedModel

SCORED = ("validation", "test")
CHUNK = 512  # faces read from the memory map at a time: 77 MB at 224 x 224 RGB, where a whole split may be gigabytes
BATCH = 64
SHOWN = 35  # faces in a grid: five of each emotion


class Evaluation(Artifact):
    """`evaluation.json`, `predictions.parquet`, `latency.json`, the pictures, and the model's card and history.

    The latency is a measurement: it alone changes the digest from run to run.
    """

    @cached_property
    def content(self) -> dict[str, Any]:
        return dict(self.read_json("evaluation.json"))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row a face: id, split, label and predicted (indices in `emotions`), confidence, p_EMOTION ..."""
        return pd.read_parquet(self.folder / "predictions.parquet")

    @property
    def architecture(self) -> str:
        return str(self.content["architecture"])

    @property
    def model_digest(self) -> str:
        return str(self.content["model_digest"])

    @property
    def fold(self) -> int | None:
        """Which fold it tested; None for a set without folds, and for all of them together."""
        found = self.content.get("fold")
        return None if found is None else int(found)

    @property
    def emotions(self) -> tuple[str, ...]:
        return tuple(self.card["emotions"])

    @property
    def size_bytes(self) -> int:
        return int(self.content["size_bytes"])

    @cached_property
    def card(self) -> dict[str, Any]:
        """The card of the model that was evaluated."""
        return dict(self.read_json(CARD))

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """The epochs of its training."""
        return list(self.read_json(HISTORY))

    @cached_property
    def latency_ms(self) -> float:
        return float(self.read_json("latency.json")["median_ms"])

    def scores(self, split: str) -> dict[str, Any]:
        """What `metrics.score` found on the split."""
        if split not in SCORED:
            raise ValueError(f"unknown split {split!r}: one of {', '.join(SCORED)}")
        return dict(self.content["splits"][split])

    def confusion(self, split: str) -> np.ndarray:
        """Counts, int64[emotions, emotions]: a row a true emotion, a column a predicted one."""
        return np.array(self.scores(split)["confusion"], dtype=np.int64)

    def summary(self) -> dict[str, Any]:
        """Every single number of both splits, and what the model costs."""
        flat = {
            f"{split}_{name}": value
            for split in SCORED
            for name, value in self.scores(split).items()
            if isinstance(value, int | float)
        }
        costs = {name: self.content[name] for name in ("parameters", "size_bytes", "best_epoch")}
        return {"architecture": self.architecture, **flat, **costs, "latency_ms": self.latency_ms}


def evaluate(model: TrainedModel, faces: FaceSet, target: Path | None = None, device: str = "auto") -> Evaluation:
    """Score the model on the faces of both splits; which model is best is decided elsewhere, on validation alone.

    `device` is where the faces are scored; "auto" is the GPU where there is one. The latency is always a CPU's.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _check_input(model, faces)
    _check_emotions(model, faces)
    rows = {split: _rows(faces, split) for split in SCORED}
    parts = [_predict(model, faces, split, rows[split], device) for split in SCORED]
    predictions = pd.concat(parts, ignore_index=True)
    scores = {split: score_of(predictions, split, faces.emotions) for split in SCORED}
    with staging(target) as folder:
        write_json(folder / "evaluation.json", _content(model, faces, scores, device))
        for name in (CARD, HISTORY):
            link_or_copy(model.folder / name, folder / name)
        write_json(folder / "latency.json", latency.measure(model, faces.images[rows["test"][0]]))
        predictions.to_parquet(folder / "predictions.parquet", index=False)
        _draw(folder, model, faces, scores, predictions, rows["test"])
    return Evaluation(target or folder)


def name_of(model: TrainedModel) -> str:
    """The row of params.yaml that the model was trained for."""
    return str(model.card["architecture"])


def _check_input(model: TrainedModel, faces: FaceSet) -> None:
    wanted = model.card["input"]
    if (wanted["side"], wanted["channels"]) != (faces.side, faces.channels):
        takes, given = _size(wanted["side"], wanted["channels"]), _size(faces.side, faces.channels)
        raise FerlineError(
            f"{name_of(model)} takes faces of {takes}; those of {faces.folder} are {given}. "
            f"Resize the faces to {takes} first"
        )


def _check_emotions(model: TrainedModel, faces: FaceSet) -> None:
    if model.emotions != faces.emotions:
        raise FerlineError(
            f"{name_of(model)} tells {', '.join(model.emotions)}; those of {faces.folder} are "
            f"{', '.join(faces.emotions)}. Train it on these emotions, or set dataset.emotions to the model's"
        )


def _size(side: int, channels: int) -> str:
    return f"{side} x {side} {'grey' if channels == 1 else 'RGB'}"


def _rows(faces: FaceSet, split: str) -> np.ndarray:
    rows = faces.rows(split)
    if not len(rows):
        raise FerlineError(
            f"{faces.folder}: no faces in the {split} split, so nothing to score. Change the dataset's shares"
        )
    return rows


def _predict(model: TrainedModel, faces: FaceSet, split: str, rows: np.ndarray, device: str) -> pd.DataFrame:
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    probabilities = np.concatenate([model.predict(faces.images[chunk], BATCH, device) for chunk in chunks])
    broken = int((~np.isfinite(probabilities).all(axis=1)).sum())
    if broken:
        raise FerlineError(
            f"{name_of(model)}: {broken} of {len(rows)} {split} faces get probabilities that are no numbers. "
            f"Train it again with a lower learning_rate or with clip_norm"
        )
    table = pd.DataFrame(
        {
            "id": faces.table["id"].to_numpy()[rows],
            "split": split,
            "label": faces.labels[rows],
            "predicted": probabilities.argmax(axis=1),
            "confidence": probabilities.max(axis=1),
        }
    )
    return table.join(pd.DataFrame(probabilities, columns=probability_columns(faces.emotions)))


def score_of(predictions: pd.DataFrame, split: str, emotions: Sequence[str]) -> dict[str, Any]:
    of_split = predictions[predictions["split"] == split]
    return score(of_split["label"].to_numpy(), of_split[probability_columns(emotions)].to_numpy(), emotions)


def probability_columns(emotions: Sequence[str]) -> list[str]:
    return [f"p_{emotion}" for emotion in emotions]


def _content(model: TrainedModel, faces: FaceSet, scores: dict[str, Any], device: str) -> dict[str, Any]:
    card = model.card
    return {
        "architecture": name_of(model),
        "model": card["model"],
        "model_digest": model.digest,
        "data_digest": card["data_digest"],
        "faces_digest": faces.digest,
        "protocol": card.get("dataset", {}).get("protocol"),
        "fold": card.get("fold"),
        "device": device,  # a GPU's probabilities differ from a CPU's in the last digits
        "parameters": card["parameters"],
        "size_bytes": (model.folder / WEIGHTS).stat().st_size,
        "best_epoch": card["best_epoch"],
        "splits": scores,
    }


def _draw(
    folder: Path,
    model: TrainedModel,
    faces: FaceSet,
    scores: dict[str, Any],
    predictions: pd.DataFrame,
    test_rows: np.ndarray,
) -> None:
    name = name_of(model)
    for split in SCORED:
        numbers = scores[split]
        title = f"{name} on {split}: {numbers['faces']:,} faces, accuracy {numbers['accuracy']:.1%}, "
        figure = figures.confusion(numbers["confusion"], faces.emotions, f"{title}macro-F1 {numbers['macro_f1']:.3f}")
        figures.save(figure, folder / f"confusion_{split}.png")
    best = model.card["best_epoch"]
    title = f"{name}: weights of epoch {best} of {len(model.history)} kept"
    figures.save(figures.curves(model.history, title, best), folder / "curves.png")
    test = predictions[predictions["split"] == "test"].reset_index(drop=True)
    for kind in ("right", "wrong"):
        figures.save(_grid(kind, name, test, faces, test_rows), folder / f"{kind}.png")


def _grid(kind: str, name: str, test: pd.DataFrame, faces: FaceSet, test_rows: np.ndarray) -> figures.Figure:
    of_kind = test[(test["label"] == test["predicted"]) == (kind == "right")]
    shown = most_confident(of_kind)
    images = [np.asarray(faces.images[test_rows[place]]) for place in shown.index]
    told = zip(shown["label"], shown["predicted"], shown["confidence"], strict=True)
    captions = [
        f"{faces.emotions[true]} → {faces.emotions[guess]}\nconfidence {sure:.0%}" for true, guess, sure in told
    ]
    title = f"{name} on test: {len(of_kind):,} of {len(test):,} faces {kind}"
    if len(shown) < len(of_kind):
        title += f"; the {len(shown)} most confident, emotions in turn"
    return figures.grid(images, captions, title)


def most_confident(predictions: pd.DataFrame) -> pd.DataFrame:
    """Each true emotion's surest first, then each one's second ...: the frequent ones do not fill the grid."""
    order = predictions.sort_values(["confidence", "id"], ascending=[False, True], kind="stable")
    order = order.assign(turn=order.groupby("label").cumcount())
    return order.sort_values(["turn", "label"], kind="stable").head(SHOWN)
