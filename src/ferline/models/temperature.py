"""Temperature scaling (Guo et al., 2017): one number that makes a network's confidence mean what it says.

The logits are divided by it before the softmax: above 1 it takes confidence away, below 1 it gives some. The order of
the emotions, and with it every answer, stays as it was.
"""

import numpy as np
from scipy.optimize import minimize_scalar
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
    faces = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature), axis=1)[faces, labels].mean())

    # The loss is convex in 1/T and so has one dip in log T, which Brent's method finds in some 15 steps.
    found = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """float64[N, emotions] of raw logits."""
    return np.asarray(softmax(np.asarray(logits, np.float64) / temperature, axis=1))
