"""`metrics.score` of faces that count several times or not at all, for thousands of such counts at once.

`counts`, uint8[resamples, N], says how often each face is there. All numbers come from a few matrix products with it;
they are those that `metrics.score` gives for the faces written out as often as they count. What cannot be computed for
some counts is NaN there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ferline.evaluation.calibration import gaps, normalised, squared_errors

BLOCK = 1_000_000  # counts in float64 at a time: 8 MB, of which a handful of copies is alive
BY_CLASS = ("precision", "recall", "f1", "specificity", "roc_auc")


def numbers(
    labels: np.ndarray, probabilities: np.ndarray, emotions: Sequence[str], counts: np.ndarray
) -> dict[str, np.ndarray]:
    """Every single number of `metrics.score`, float64[resamples]; those of one emotion as "recall/angry"."""
    shares = normalised(probabilities)
    confusion = confusions(labels, shares.argmax(axis=1), len(emotions), counts)
    support, faces = confusion.sum(axis=1), confusion.sum(axis=(0, 1))
    classes = by_class(confusion) | {"roc_auc": _roc_auc(labels, shares, counts)}
    return {
        **_averages(classes, confusion),
        "macro_specificity": macro(classes["specificity"], support),
        "macro_roc_auc": macro(classes["roc_auc"], support),
        **{f"weighted_{name}": _weighted(classes[name], support) for name in ("precision", "recall", "f1")},
        **{name: total / faces for name, total in _sums(labels, shares, counts).items()},
        **{f"{name}/{emotion}": classes[name][k] for name in BY_CLASS for k, emotion in enumerate(emotions)},
    }


def of_answers(
    labels: np.ndarray, probabilities: np.ndarray, classes: int, counts: np.ndarray
) -> dict[str, np.ndarray]:
    """Those that need the answers alone and not how sure they were."""
    confusion = confusions(labels, normalised(probabilities).argmax(axis=1), classes, counts)
    return _averages(by_class(confusion), confusion)


def confusions(labels: np.ndarray, predicted: np.ndarray, classes: int, counts: np.ndarray) -> np.ndarray:
    """The confusion matrix of every resample, float64[true, predicted, resamples]."""
    cells = _cells(labels, predicted, classes)
    return sums(cells, counts).reshape(classes, classes, -1)


def sums(columns: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Each column[N, columns] summed over the faces that are there, float64[columns, resamples]."""
    return np.concatenate([columns.T @ block for block in blocks(counts)], axis=1)


def blocks(counts: np.ndarray) -> Iterator[np.ndarray]:
    """Some resamples at a time, float64[n, some]: sums over faces are then products, and sums along them go in rows."""
    at_once = max(1, BLOCK // counts.shape[1])
    for start in range(0, len(counts), at_once):
        yield np.ascontiguousarray(counts[start : start + at_once].T, dtype=np.float64)


def by_class(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall, F1 and specificity, float64[emotions, resamples], by the rules of `metrics`."""
    right = np.einsum("kkb->kb", confusion)
    support, taken = confusion.sum(axis=1), confusion.sum(axis=0)
    there = support > 0
    return {
        "precision": np.where(there, ratio(right, taken, 0.0), np.nan),
        "recall": ratio(right, support),
        "f1": np.where(there, ratio(2 * right, support + taken), np.nan),
        "specificity": 1 - ratio(taken - right, support.sum(axis=0) - support),
    }


def macro(values: np.ndarray, support: np.ndarray) -> np.ndarray:
    """The mean over the emotions that are there and have the number."""
    known = (support > 0) & ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=0), known.sum(axis=0))


def ratio(above: np.ndarray, below: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """above / below, and something else where below is 0."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, otherwise), where=below > 0)


def _averages(classes: Mapping[str, np.ndarray], confusion: np.ndarray) -> dict[str, np.ndarray]:
    support = confusion.sum(axis=1)
    recall = macro(classes["recall"], support)
    return {
        "accuracy": np.einsum("kkb->b", confusion) / support.sum(axis=0),
        "balanced_accuracy": recall,
        "macro_precision": macro(classes["precision"], support),
        "macro_recall": recall,
        "macro_f1": macro(classes["f1"], support),
        "macro_sensitivity": recall,
    }


def _weighted(values: np.ndarray, support: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(support > 0, support * values, 0).sum(axis=0) / support.sum(axis=0))


def _sums(labels: np.ndarray, shares: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Log loss, Brier score and calibration error, not yet divided by the faces."""
    tiny = np.finfo(np.float64).eps  # where scikit-learn holds a probability of 0
    loss = -np.log(np.clip(shares[np.arange(len(labels)), labels], tiny, 1 - tiny))
    columns = np.column_stack([loss, squared_errors(labels, shares), gaps(labels, shares)])
    found = sums(columns, counts)
    return {"log_loss": found[0], "brier": found[1], "ece": abs(found[2:]).sum(axis=0)}


def _roc_auc(labels: np.ndarray, shares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Of each emotion against the rest, float64[emotions, resamples]; NaN where one of both sides was not drawn."""
    ranked = [_Ranked.of(labels == k, shares[:, k]) for k in range(shares.shape[1])]
    return np.concatenate([np.stack([each.areas(block) for each in ranked]) for block in blocks(counts)], axis=1)


class _Ranked(NamedTuple):
    """One emotion's faces and the others in order of its probability, sorted once for all resamples."""

    positives: np.ndarray
    negatives: np.ndarray
    below: np.ndarray  # for each positive, how many negatives have less
    upto: np.ndarray  # ... or as much

    @classmethod
    def of(cls, positive: np.ndarray, probability: np.ndarray) -> "_Ranked":
        positives, negatives = np.flatnonzero(positive), np.flatnonzero(~positive)
        negatives = negatives[np.argsort(probability[negatives], kind="stable")]
        below, upto = (
            np.searchsorted(probability[negatives], probability[positives], side) for side in ("left", "right")
        )
        return cls(positives, negatives, below, upto)

    def areas(self, block: np.ndarray) -> np.ndarray:
        """The chance that a face of the emotion is placed above another one, a tie counting half."""
        under = np.zeros((len(self.negatives) + 1, block.shape[1]))
        np.cumsum(block[self.negatives], axis=0, out=under[1:])
        drawn = block[self.positives]
        won = np.einsum("ib,ib->b", drawn, under[self.below] + under[self.upto]) / 2
        return ratio(won, drawn.sum(axis=0) * under[-1])


def _cells(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Each face's place in the confusion matrix, one 1 in a row of classes x classes."""
    found = np.zeros((len(labels), classes * classes))
    found[np.arange(len(labels)), labels * classes + predicted] = 1
    return found
