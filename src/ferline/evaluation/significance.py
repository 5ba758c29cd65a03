"""How far a difference can be trusted: an interval for one accuracy, paired tests of models on the same faces."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

CONFIDENCE = 0.95


def accuracy_interval(right: int, faces: int) -> tuple[float, float]:
    """Wilson's 95% interval of right/faces; unlike the normal one it stays inside 0..1 and holds at 0 and 1."""
    from scipy.stats import binomtest

    interval = binomtest(right, faces).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(first_right: np.ndarray, second_right: np.ndarray, people: np.ndarray | None = None) -> float:
    """The exact two-sided p of McNemar's test, which counts only faces that one gets right and the other wrong.

    `people`, a number for each face, holds those of one person together: their faces are alike, and counted one by one
    would be many witnesses where there is one. Of two equally good models a person's balance would as often be the
    other's, so all ways to give it a sign are as likely (an exact sign-flip test); with a face each it is McNemar's.
    """
    from scipy.stats import binomtest

    only_first, only_second = _apart(first_right, second_right)
    if people is None:
        apart = only_first + only_second
        return float(binomtest(only_first, apart).pvalue) if apart else 1.0
    balance = np.bincount(people, weights=first_right.astype(int) - second_right.astype(int)).astype(int)
    return _sign_flips(balance[balance != 0])


def _sign_flips(balances: np.ndarray) -> float:
    """How likely a sum as far from zero is where each balance has either sign: over all of their sums, exactly."""
    reach = int(abs(balances).sum())
    share = np.zeros(2 * reach + 1)  # of each sum from -reach to reach
    share[reach] = 1
    for each in abs(balances):
        share = (np.roll(share, each) + np.roll(share, -each)) / 2
    far = abs(np.arange(-reach, reach + 1)) >= abs(balances.sum())
    return min(1.0, float(share[far].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted for how many tests there are (Holm, 1979): that any of them is below 0.05 by chance is 1 in 20.

    The smallest counts as often as there are tests, the next once less, and none is less than the one before it.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return [float(value) for value in adjusted]


def pairs(answers: Mapping[str, np.ndarray], people: np.ndarray | None = None) -> list[dict[str, Any]]:
    """McNemar's test of every two models, adjusted for their number; `answers`: whether each told each face right."""
    of_two = list(combinations(answers, 2))
    p = [mcnemar(answers[first], answers[second], people) for first, second in of_two]
    found = []
    for (first, second), alone, adjusted in zip(of_two, p, holm(p), strict=True):
        only_first, only_second = _apart(answers[first], answers[second])
        counts = {"only_first": only_first, "only_second": only_second}
        found.append({"first": first, "second": second, **counts, "p": alone, "p_adjusted": adjusted})
    return found


def _apart(first_right: np.ndarray, second_right: np.ndarray) -> tuple[int, int]:
    """How many faces only the first gets right, and only the second."""
    if first_right.shape != second_right.shape:
        raise ValueError(f"the same faces are needed for both, got {first_right.shape} and {second_right.shape}")
    return int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
