"""Faces, models and evaluations small enough for tests."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from ferline.artifact import staging, write_json
from ferline.emotions import EMOTIONS
from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.predictions import SCORED, probability_columns
from ferline.evaluation.scores import calibration_of, resampling_of, scores_of
from ferline.evaluation.slices import slices_of
from ferline.faces.faceset import TABLE_COLUMNS, FaceSet, ImageWriter
from ferline.models.registry import create
from ferline.models.trained import TrainedModel
from ferline.params import EvaluationParams, InputParams

QUICK = EvaluationParams(resamples=200)
HISTORY_OF_TWO = [
    {
        "epoch": epoch,
        "train_loss": 2 / epoch,
        "train_accuracy": 0.2 * epoch,
        "validation_loss": 2.1 / epoch,
        "validation_accuracy": 0.15 * epoch,
    }
    for epoch in (1, 2)
]


@pytest.fixture(scope="session")
def make_faces(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FaceSet]:
    """Blurred noise, a different one for every face; labels may be given for all faces or dealt out in turn."""

    def make(
        side: int = 48,
        channels: int = 1,
        labels: np.ndarray | None = None,
        splits: tuple[str, ...] = ("train", "validation", "test"),
        count: int = 126,
    ) -> FaceSet:
        random = np.random.default_rng(7)
        coarse = random.integers(0, 256, (count, 6, 6, channels), dtype=np.uint8)
        images = coarse.repeat(side // 6, axis=1).repeat(side // 6, axis=2)
        table = pd.DataFrame({column: [None] * count for column in TABLE_COLUMNS})
        table["id"] = [f"face-{number:04}" for number in range(count)]
        table["label"] = np.arange(count) // len(splits) % len(EMOTIONS) if labels is None else labels
        table["split"] = [splits[number % len(splits)] for number in range(count)]
        target = tmp_path_factory.mktemp("faces") / "faces"
        with staging(target) as folder:
            with ImageWriter(folder, count, side, channels) as writer:
                writer.append(images)
            table.to_parquet(folder / "faces.parquet", index=False)
            write_json(folder / "origin.json", {})
        return FaceSet(target)

    return make


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainedModel]:
    """A cnn_lstm of random weights, with the card and history of two epochs."""

    def make(name: str = "cnn_lstm", seed: int = 0, data_digest: str = "d" * 64, broken: bool = False) -> TrainedModel:
        torch.manual_seed(seed)
        network = create("cnn_lstm", InputParams(48, 1), "none", {"width": 4, "lstm_units": 8})
        for parameter in network.parameters():
            # torch's own start calls all faces the same; drawn aside: a channels-last kernel is filled in another order
            parameter.data.copy_(torch.empty(parameter.shape).normal_(std=0.5))
        if broken:
            torch.nn.init.constant_(network.head[1].bias, float("nan"))
        card = {
            "architecture": name,
            "preprocessing": {},
            "data_digest": data_digest,
            "protocol": "subject",
            "augmentation_digest": "a" * 64,
            "dataset": {"name": "blurred noise", "protocol": "official"},
            "training": {"epochs": 2},
            "seed": seed,
            "best_epoch": 2,
        }
        return TrainedModel.write(network, card, HISTORY_OF_TWO, tmp_path_factory.mktemp("model") / name)

    return make


@pytest.fixture(scope="session")
def make_evaluation(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Evaluation]:
    """An evaluation as it lies on disk, of a model that gets the first `validation` and `test` faces of 70 right."""

    def make(
        name: str,
        validation: int = 35,
        test: int = 35,
        parameters: int = 1000,
        size_bytes: int = 4000,
        data_digest: str = "d" * 64,
        prefix: str = "face",
        fold: int | None = None,
        seed: int | None = None,
        people: bool = True,
    ) -> Evaluation:
        labels, tables, logits = np.arange(70) % len(EMOTIONS), [], {}
        for split, right in (("validation", validation), ("test", test)):
            predicted = np.where(np.arange(70) < right, labels, (labels + 1) % len(EMOTIONS))
            shares = np.full((70, len(EMOTIONS)), 0.05)
            shares[np.arange(70), predicted] = 0.7
            table = pd.DataFrame({"id": [f"{prefix}-{split}-{number:03}" for number in range(70)], "split": split})
            table["subject"] = [f"person {number // 7}" if people else None for number in range(70)]
            table["label"], table["predicted"], table["confidence"] = labels, predicted, 0.7
            table["slice_light"] = np.where(np.arange(70) % 2, "day", "night")
            tables.append(table.join(pd.DataFrame(shares, columns=probability_columns(EMOTIONS))))
            logits[split] = np.log(shares)
        predictions = pd.concat(tables, ignore_index=True)
        of = {split: predictions[predictions["split"] == split] for split in SCORED}
        scores = {
            split: scores_of(of[split], EMOTIONS, QUICK) | {"calibration": calibration_of(logits[split], 1.0, labels)}
            for split in SCORED
        }
        content = {
            "architecture": name,
            "model_digest": f"digest of {name}",
            "data_digest": data_digest,
            "protocol": "subject",
            "parameters": parameters,
            "size_bytes": size_bytes,
            "best_epoch": 3,
            "fold": fold,
            "seed": seed or 0,
            "member_seed": seed,
            "temperature": 1.0,
            "bootstrap": resampling_of(predictions, QUICK),
            "splits": scores,
            "robustness": None,
            "slices": slices_of(predictions, EMOTIONS, QUICK),
        }
        target = tmp_path_factory.mktemp("evaluation") / name
        with staging(target) as folder:
            write_json(folder / "evaluation.json", content)
            write_json(folder / "model.json", {"emotions": list(EMOTIONS)})
            write_json(folder / "latency.json", {"median_ms": 1.5})
            write_json(folder / "history.json", HISTORY_OF_TWO)
            predictions.to_parquet(folder / "predictions.parquet", index=False)
        return Evaluation(target)

    return make


@pytest.fixture
def make_faces_in_folds(tmp_path) -> Callable[..., FaceSet]:
    """Grey squares, face by face in the next fold."""

    def make(count: int, folds: int) -> FaceSet:
        table = pd.DataFrame({column: [None] * count for column in TABLE_COLUMNS})
        table["id"] = [f"face-{number}" for number in range(count)]
        table["label"], table["fold"] = np.arange(count) % len(EMOTIONS), np.arange(count) % folds
        with staging(tmp_path / "folds") as folder:
            with ImageWriter(folder, count, 48, 1) as writer:
                writer.append(np.zeros((count, 48, 48, 1), np.uint8))
            table.to_parquet(folder / "faces.parquet", index=False)
            write_json(folder / "origin.json", {"dataset": {"folds": folds}})
        return FaceSet(tmp_path / "folds")

    return make
