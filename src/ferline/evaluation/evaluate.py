"""Evaluation: every number and picture of one model on the validation and test faces."""

from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ferline.artifact import Artifact, link_or_copy, staging, write_json
from ferline.errors import FerlineError
from ferline.evaluation import latency, occlusion, probed, robustness, slices
from ferline.evaluation import predictions as predicting
from ferline.evaluation.predictions import SCORED, together
from ferline.evaluation.scores import calibration_of, resampling_of, scores_of
from ferline.faces.faceset import FaceSet
from ferline.models.trained import BATCH, CARD, HISTORY, WEIGHTS, TrainedModel
from ferline.params import EvaluationParams


class Evaluation(Artifact):
    """`evaluation.json`, `predictions.parquet`, `latency.json`, the pictures, and the model's card and history.

    The latency is a measurement: it alone changes the digest from run to run.
    """

    @cached_property
    def content(self) -> dict[str, Any]:
        return dict(self.read_json("evaluation.json"))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row a face, as ferline.evaluation.predictions makes it; label and predicted are indices in `emotions`."""
        return pd.read_parquet(self.folder / "predictions.parquet")

    @cached_property
    def corrupted(self) -> pd.DataFrame | None:
        """A row a probed face, with its answers to every corruption; None where robustness was not measured."""
        path = self.folder / robustness.FILE
        return pd.read_parquet(path) if path.exists() else None

    @property
    def architecture(self) -> str:
        return str(self.content["architecture"])

    @property
    def model_digest(self) -> str:
        return str(self.content["model_digest"])

    @property
    def fold(self) -> int | None:
        """Which fold it tested; None for a set without folds, and for all of them together."""
        found = self.content["fold"]
        return None if found is None else int(found)

    @property
    def seed(self) -> int | None:
        """With which of several seeds it was trained; None where there is one, and for all of them together."""
        found = self.content["member_seed"]
        return None if found is None else int(found)

    @property
    def members(self) -> int:
        """Of how many folds or seeds it is the mean; 1 for a single model."""
        return len(self.content.get("folds") or self.content.get("seeds") or [None])

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


def evaluate(
    model: TrainedModel,
    faces: FaceSet,
    target: Path | None = None,
    device: str = "auto",
    params: EvaluationParams | None = None,
) -> Evaluation:
    """Score the model on the faces of both splits; which model is best is decided elsewhere, on validation alone.

    `device` is where the faces are scored; "auto" is the GPU where there is one. The latency is always a CPU's.
    """
    from ferline.evaluation import pictures  # matplotlib, for which nobody should wait who draws nothing

    params = params or EvaluationParams()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _check_input(model, faces)
    _check_emotions(model, faces)
    rows = {split: _rows(faces, split) for split in SCORED}
    told = {split: predicting.logits(model, faces, rows[split], device) for split in SCORED}
    predictions = predicting.table_of(model, faces, told, slices.columns(faces, params.slices))
    found = _robustness(model, faces, rows["test"], params, device)
    content = {
        **_content(model, faces, device),
        "bootstrap": resampling_of(predictions, params),
        "splits": {split: _scored(model, faces, split, told[split], predictions, params) for split in SCORED},
        "robustness": robustness.summary(found, params.resamples, params.seed),
        "slices": slices.slices_of(predictions, faces.emotions, params),
    }
    with staging(target) as folder:
        write_json(folder / "evaluation.json", content)
        for name in (CARD, HISTORY):
            link_or_copy(model.folder / name, folder / name)
        write_json(folder / "latency.json", latency.measure(model, faces.images[rows["test"][0]]))
        predictions.to_parquet(folder / "predictions.parquet", index=False)
        if found is not None:
            found.to_parquet(folder / robustness.FILE, index=False)
        pictures.draw(folder, content, model.history, faces.emotions)
        pictures.draw_examples(folder, content["architecture"], predictions, faces)
        _draw_occlusion(folder, model, faces, rows["test"], params, device)
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


def _scored(
    model: TrainedModel,
    faces: FaceSet,
    split: str,
    logits: np.ndarray,
    predictions: pd.DataFrame,
    params: EvaluationParams,
) -> dict[str, Any]:
    of_split = predictions[predictions["split"] == split]
    calibration = calibration_of(logits, model.temperature, of_split["label"].to_numpy())
    return scores_of(of_split, faces.emotions, params) | {"calibration": calibration}


def _robustness(
    model: TrainedModel, faces: FaceSet, rows: np.ndarray, params: EvaluationParams, device: str
) -> pd.DataFrame | None:
    predict, table = partial(model.predict, batch_size=BATCH, device=device), faces.table.iloc[rows]
    known = faces.labels[rows], table["id"], together(table)
    return robustness.probe(predict, faces.images, rows, *known, params.robustness, params.seed)


def _draw_occlusion(
    folder: Path, model: TrainedModel, faces: FaceSet, rows: np.ndarray, params: EvaluationParams, device: str
) -> None:
    """Of the test faces in turn of their emotions; the heat stands alone where faces may not be shown."""
    from ferline.evaluation import figures, figures_probing

    if not params.occlusion.faces:
        return
    labels, ids = faces.labels[rows], faces.table["id"].iloc[rows]
    chosen = probed.in_turn(labels, probed.keys(ids, params.seed), params.occlusion.faces)
    images, labels = faces.images[rows[chosen]], labels[chosen]
    window, stride = occlusion.in_pixels(params.occlusion, faces.side)
    maps = occlusion.maps_on_device(model.loaded(device), model.temperature, images, labels, window, stride, BATCH)
    heat = occlusion.heat(maps, faces.side, window, stride)
    title = f"{name_of(model)}: what a black square of {window} pixels takes from the true emotion's probability"
    shown = faces.origin.get("shareable") is True
    figures.save(
        figures_probing.occlusion(heat, images, labels, faces.emotions, title, shown), folder / "occlusion.png"
    )


def _content(model: TrainedModel, faces: FaceSet, device: str) -> dict[str, Any]:
    card = model.card
    return {
        "architecture": name_of(model),
        "model": card["model"],
        "model_digest": model.digest,
        "data_digest": card["data_digest"],
        "faces_digest": faces.digest,
        "protocol": card.get("dataset", {}).get("protocol"),
        "fold": card.get("fold"),
        "seed": card["seed"],
        "member_seed": card.get("member_seed"),
        "temperature": model.temperature,
        "device": device,  # a GPU's probabilities differ from a CPU's in the last digits
        "parameters": card["parameters"],
        "size_bytes": (model.folder / WEIGHTS).stat().st_size,
        "best_epoch": card["best_epoch"],
    }
