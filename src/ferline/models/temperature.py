"""Temperature scaling (Guo et al., 2017): one number that makes a network's confidence mean what it says.

The logits are divided by it before the softmax: above 1 it takes confidence away, below 1 it gives some. The order of
the emotions, and with it every answer, stays as it was.
"""

import numpy as np
from scipy.special import log_softmax, softmax

from ferline.models.svm import ABSENT

LEAST, MOST = 0.1, 10.0


def fit(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of least log loss for logits[N, emotions] of faces that were not trained on.

    1 where no answer is wrong or none is right: nothing says how sure to be, and the optimum would lie at a bound.
    """
    logits = np.asarray(logits, np.float64)
    of_truth = logits[np.arange(len(labels)), labels]
    logits, labels = logits[of_truth > ABSENT], labels[of_truth > ABSENT]  # no temperature helps an unknown emotion
    right = logits.argmax(axis=1) == labels
    if right.all() or not right.any():
        return 1.0
    return _least(logits, np.eye(logits.shape[1])[labels])


def fit_shares(logits: np.ndarray, shares: np.ndarray) -> float:
    """The same where people disagree: `shares`[N, emotions] of them said each emotion; zeros where nobody was asked.

    Fitted on the easy ones alone, of which most say one thing, a network would be sure of the others too.
    """
    asked = shares.any(axis=1)
    return _least(np.asarray(logits, np.float64)[asked], np.asarray(shares, np.float64)[asked]) if asked.any() else 1.0


def _least(logits: np.ndarray, shares: np.ndarray) -> float:
    from scipy.optimize import minimize_scalar  # a third of a second, for which no prediction should wait

    said = shares > 0  # an emotion that a network cannot tell has no logarithm, and no share

    def loss(log_temperature: float) -> float:
        return -float((shares[said] * log_softmax(logits / np.exp(log_temperature), axis=1)[said]).sum() / len(shares))

    # The loss is convex in 1/T and so has one dip in log T, which Brent's method finds in some 15 steps.
    found = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """float64[N, emotions] of raw logits."""
    return np.asarray(softmax(np.asarray(logits, np.float64) / temperature, axis=1))
