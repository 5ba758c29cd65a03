"""How far a difference can be trusted: an interval for one accuracy, a paired test for two models on the same faces."""

import numpy as np
from scipy.stats import binomtest

CONFIDENCE = 0.95


def accuracy_interval(right: int, faces: int) -> tuple[float, float]:
    """Wilson's 95% interval of right/faces; unlike the normal one it stays inside 0..1 and holds at 0 and 1."""
    interval = binomtest(right, faces).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """The exact two-sided p of McNemar's test, which counts only faces that one gets right and the other wrong."""
    if first_right.shape != second_right.shape:
        raise ValueError(f"the same faces are needed for both, got {first_right.shape} and {second_right.shape}")
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    apart = only_first + only_second
    return float(binomtest(only_first, apart).pvalue) if apart else 1.0
