"""Which of the new images are least like any reference image, for somebody to look at."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

NEIGHBOUR = 5  # the fifth nearest: a copy or two of an unusual picture does not make it usual
EDGE = 0.99  # of the reference images, so many lie inside
BLOCK = 500  # images at a time: 500 x 2,000 distances are 8 MB


class Unusual(NamedTuple):
    """How far each new image is from the reference, 1 being a usual distance there, and how many are outside it."""

    distance: np.ndarray  # float[new images]
    outside: float  # the share of new images beyond the edge


def unusual(reference: np.ndarray, new: np.ndarray) -> Unusual:
    """By the distance to the fifth nearest reference image, in features of equal spread."""
    mean, spread = reference.mean(axis=0), reference.std(axis=0)
    scale = np.where(spread > 0, spread, 1)
    own = _distances((reference - mean) / scale, (reference - mean) / scale, NEIGHBOUR + 1)  # the nearest is itself
    found = _distances((new - mean) / scale, (reference - mean) / scale, NEIGHBOUR)
    usual = max(float(np.median(own)), 1e-9)
    return Unusual(found / usual, float((found > np.quantile(own, EDGE)).mean()))


def _distances(points: np.ndarray, among: np.ndarray, rank: int) -> np.ndarray:
    """From each point to the one of that rank in nearness."""
    parts = [cdist(points[first : first + BLOCK], among) for first in range(0, len(points), BLOCK)]
    return np.concatenate([np.partition(part, rank - 1, axis=1)[:, rank - 1] for part in parts])
