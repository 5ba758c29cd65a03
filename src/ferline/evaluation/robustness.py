"""What is left of a model's accuracy when its test faces are noisy, blurred, compressed, ill lit or partly covered."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ferline.evaluation import probed
from ferline.evaluation.bootstrap import interval, weights
from ferline.evaluation.corruptions import LEVELS, corrupted, strengths
from ferline.params import RobustnessParams

Predict = Callable[[np.ndarray], np.ndarray]
FILE = "robustness.parquet"
CHUNK = 256  # corrupted faces at a time: 39 MB at 224 x 224 RGB


def probe(
    predict: Predict,
    images: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    ids: Iterable[str],
    subjects: Iterable[str | None] | None,
    params: RobustnessParams,
    seed: int,
) -> pd.DataFrame | None:
    """What `predict` (faces uint8[N,H,W,C] to probabilities[N, emotions]) answers to chosen faces, clean and corrupted.

    `rows`: those of `images` to choose from, whose labels, ids and people (or videos) are the next three. A row a face:
    id, subject, label, clean, noise/1 ... (classes). None where `params.faces` is 0.
    """
    if not params.faces:
        return None
    people = [None] * len(labels) if subjects is None else list(subjects)
    known = pd.DataFrame({"id": list(ids), "subject": people, "label": labels})
    keys = probed.keys(known["id"], seed)
    chosen = probed.in_proportion(labels, keys, params.faces)
    faces, keys = images[rows[chosen]], keys[chosen]
    told = {"clean": predict(faces).argmax(axis=1)}
    for name in LEVELS:
        for strength in strengths(params.strengths):
            told[f"{name}/{strength}"] = _told(predict, faces, name, strength, seed, keys)
    return known.iloc[chosen].reset_index(drop=True).assign(**told)


def summary(answers: pd.DataFrame | None, resamples: int, seed: int) -> dict[str, Any] | None:
    """Accuracy and macro-F1 for every corruption and strength, and `drop`: the accuracy lost, their mean.

    Its 95% interval holds the same faces against each other, clean and corrupted, by subject where they are known.
    """
    if answers is None:
        return None
    labels, clean = answers["label"].to_numpy(), answers["clean"].to_numpy()
    columns = [column for column in answers.columns if "/" in column]
    right = answers[columns].to_numpy() == labels[:, None]
    lost = (clean == labels) - right.mean(axis=1)  # by face
    drawn = weights(answers["subject"].to_numpy(dtype=object), len(answers), resamples, seed)
    graded: dict[str, list[dict[str, Any]]] = {}
    for column in columns:
        name, strength = column.split("/")
        scores = _scores(labels, answers[column].to_numpy())
        graded.setdefault(name, []).append({"strength": int(strength)} | scores)
    return {
        "faces": len(answers),
        **_scores(labels, clean),
        "drop": float(lost.mean()),
        "interval": interval(drawn @ lost / drawn.sum(axis=1)),
        "corruptions": graded,
    }


def together(parts: Sequence[pd.DataFrame | None]) -> pd.DataFrame | None:
    """The answers of several folds, each about its own faces; None where one of them was not probed."""
    known = [part for part in parts if part is not None]
    return pd.concat(known, ignore_index=True) if len(known) == len(parts) else None


def _told(predict: Predict, images: np.ndarray, name: str, strength: int, seed: int, keys: np.ndarray) -> np.ndarray:
    """The answers to the faces so corrupted."""
    parts = [slice(start, start + CHUNK) for start in range(0, len(images), CHUNK)]
    return np.concatenate(
        [predict(corrupted(images[part], name, strength, seed, keys[part])).argmax(axis=1) for part in parts]
    )


def _scores(labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """As in `metrics.score`: macro-F1 is the mean over the emotions that are there."""
    from sklearn.metrics import f1_score

    f1 = f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
    return {"accuracy": float((predicted == labels).mean()), "macro_f1": float(f1)}
