"""Every number of one model on one split, from the true classes and the probabilities it gave.

All of it is plain JSON: what cannot be computed is None, never NaN. The rules:
- A class with no face in the split is listed in `absent` and left out of every macro average; its own precision,
  recall, F1 and ROC AUC are None. Faces taken for it still count as mistakes of the classes they belong to.
- A class that is there but never predicted has precision 0 and F1 0, as in scikit-learn.
- Specificity and ROC AUC need faces of other classes too; in a split of one class they are None.

scikit-learn is imported where it counts: two seconds, which a command that scores nothing should not wait for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ferline.emotions import EMOTIONS
from ferline.evaluation.calibration import brier, ece

SUM_TOLERANCE = 1e-3  # float32 rows sum to 1 within 1e-6, half-precision ones within 1e-3


def score(labels: np.ndarray, probabilities: np.ndarray, emotions: Sequence[str] = EMOTIONS) -> dict[str, Any]:
    """Score probabilities[N, emotions] against class indices[N]; two-sided metrics take one class against the rest."""
    from sklearn.metrics import confusion_matrix, log_loss

    labels, probabilities = _checked(labels, probabilities, len(emotions))
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, labels=range(len(emotions)))
    classes = _per_class(labels, probabilities, predicted, confusion)
    support = confusion.sum(axis=1)
    recall = _macro(classes, "recall")
    return {
        "faces": len(labels),
        "accuracy": float((predicted == labels).mean()),
        "balanced_accuracy": recall,  # by definition the mean recall; so is the macro sensitivity
        "macro_precision": _macro(classes, "precision"),
        "macro_recall": recall,
        "macro_f1": _macro(classes, "f1"),
        "macro_sensitivity": recall,
        "macro_specificity": _macro(classes, "specificity"),
        "macro_roc_auc": _macro(classes, "roc_auc"),
        **{f"weighted_{name}": _weighted(classes, name) for name in ("precision", "recall", "f1")},
        "log_loss": float(log_loss(labels, probabilities, labels=range(len(emotions)))),
        "ece": ece(labels, probabilities),
        "brier": brier(labels, probabilities),
        "per_class": dict(zip(emotions, classes, strict=True)),
        "absent": [emotion for emotion, count in zip(emotions, support, strict=True) if count == 0],
        "confusion": confusion.tolist(),
        "confusion_normalised": [_shares(row) for row in confusion.tolist()],
    }


def weakest_class(scores: dict[str, Any]) -> tuple[str, float]:
    """The emotion of lowest recall among those in the split, the first of them in class order."""
    recalls = {emotion: each["recall"] for emotion, each in scores["per_class"].items()}
    present = {emotion: recall for emotion, recall in recalls.items() if recall is not None}
    weakest = min(present, key=lambda emotion: present[emotion])
    return weakest, present[weakest]


def _checked(labels: np.ndarray, probabilities: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Both as the metrics need them; probabilities in float64 with rows that sum to 1 to its precision."""
    labels = np.asarray(labels)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if labels.ndim != 1 or not len(labels) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels: expected class indices[N] with N above 0, got {labels.dtype}{list(labels.shape)}")
    if probabilities.shape != (len(labels), classes):
        expected = f"[{len(labels)}, {classes}]"
        raise ValueError(f"probabilities: expected {expected}, got {list(probabilities.shape)}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels: class indices run from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    sums = probabilities.sum(axis=1)
    if not np.isfinite(sums).all() or (probabilities < 0).any() or (abs(sums - 1) > SUM_TOLERANCE).any():
        raise ValueError("probabilities: expected finite values of at least 0 whose rows sum to 1")
    return labels, probabilities / sums[:, None]


def _per_class(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray, confusion: np.ndarray
) -> list[dict[str, Any]]:
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(len(confusion)), zero_division=0
    )
    rows = []
    for index in range(len(confusion)):
        there = support[index] > 0
        rows.append(
            {
                "precision": float(precision[index]) if there else None,
                "recall": float(recall[index]) if there else None,
                "f1": float(f1[index]) if there else None,
                "specificity": _specificity(confusion, index),
                "roc_auc": _roc_auc(labels == index, probabilities[:, index]),
                "support": int(support[index]),
            }
        )
    return rows


def _specificity(confusion: np.ndarray, index: int) -> float | None:
    """Of the faces of all other classes, the share that was not taken for this one."""
    others = confusion.sum() - confusion[index].sum()
    taken = confusion[:, index].sum() - confusion[index, index]
    return float(1 - taken / others) if others else None


def _roc_auc(is_class: np.ndarray, probability: np.ndarray) -> float | None:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_class, probability)) if 0 < is_class.sum() < len(is_class) else None


def _macro(classes: list[dict[str, Any]], name: str) -> float | None:
    values = [row[name] for row in classes if row["support"] and row[name] is not None]
    return float(np.mean(values)) if values else None


def _weighted(classes: list[dict[str, Any]], name: str) -> float:
    present = [row for row in classes if row["support"]]
    return float(np.average([row[name] for row in present], weights=[row["support"] for row in present]))


def _shares(row: list[int]) -> list[float | None]:
    total = sum(row)
    return [count / total if total else None for count in row]
