"""Whether the confidence is true: of the faces told with 80%, are 80% right?

Confidence is the probability of the emotion that was told. It is cut into equal bins, each above its lower end and up
to its upper one (Guo et al., 2017), the first with its lower end too.
"""

from typing import Any

import numpy as np

BINS = 15


def ece(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: |accuracy - mean confidence| of each bin, weighted by its faces.

    An absolute value has no way to average out, so that small sets look worse calibrated than they are: a model that
    is perfectly so has some 0.05 on 500 faces, and 0.02 on 3,589.
    """
    return float(abs(gaps(labels, probabilities, bins).sum(axis=0)).sum() / len(labels))


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Squared errors summed over the emotions, averaged over faces: from 0 to 2 (the two-class one ends at 1)."""
    return float(squared_errors(labels, probabilities).mean())


def measures(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """ECE, Brier score and log loss, each lower where the confidence is better."""
    from sklearn.metrics import log_loss

    shares = normalised(probabilities)
    return {
        "ece": ece(labels, shares),
        "brier": brier(labels, shares),
        "log_loss": float(log_loss(labels, shares, labels=range(shares.shape[1]))),
    }


def bins(labels: np.ndarray, probabilities: np.ndarray, count: int = BINS) -> list[dict[str, Any]]:
    """For the diagram: each bin's ends, faces, mean confidence and accuracy (None where it has no face)."""
    confidence, right = _told(labels, probabilities)
    places = _places(confidence, count)
    found = []
    for number in range(count):
        inside = places == number
        faces = int(inside.sum())
        found.append(
            {
                "low": number / count,
                "high": (number + 1) / count,
                "faces": faces,
                "confidence": float(confidence[inside].mean()) if faces else None,
                "accuracy": float(right[inside].mean()) if faces else None,
            }
        )
    return found


def gaps(labels: np.ndarray, probabilities: np.ndarray, count: int = BINS) -> np.ndarray:
    """Confidence less 1 if right, less 0 if wrong: float64[N, bins], in the column of each face's bin."""
    confidence, right = _told(labels, probabilities)
    found = np.zeros((len(confidence), count))
    found[np.arange(len(confidence)), _places(confidence, count)] = confidence - right
    return found


def squared_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Each face's share of the Brier score."""
    shares = normalised(probabilities)
    return np.asarray(((shares - np.eye(shares.shape[1])[labels]) ** 2).sum(axis=1))


def against_people(shares: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Whether 80% is said where 80% of the people say so too; `shares`[N, emotions] of them, agreed or not."""
    told = normalised(probabilities)
    confidence, emotion = told.max(axis=1), told.argmax(axis=1)
    agreed = shares[np.arange(len(shares)), emotion]
    gaps = np.bincount(_places(confidence, BINS), weights=confidence - agreed, minlength=BINS)
    return {
        "faces": len(shares),
        "confidence": float(confidence.mean()),
        "agreed": float(agreed.mean()),
        "ece": float(abs(gaps).sum() / len(shares)),
    }


def normalised(probabilities: np.ndarray) -> np.ndarray:
    """In float64, with rows that sum to 1 to its precision; those of float32 do within 1e-6."""
    wide = np.asarray(probabilities, np.float64)
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def _told(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each face's confidence, and whether what was told is right."""
    shares = normalised(probabilities)
    return shares.max(axis=1), shares.argmax(axis=1) == np.asarray(labels)


def _places(confidence: np.ndarray, count: int) -> np.ndarray:
    """The number of each face's bin."""
    return np.clip(np.searchsorted(np.arange(count + 1) / count, confidence, side="left") - 1, 0, count - 1)
