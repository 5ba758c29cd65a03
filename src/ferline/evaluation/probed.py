"""Which test faces are probed further: the same ones for every model, whatever the order of the table."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np


def keys(ids: Iterable[str], seed: int) -> np.ndarray:
    """uint64[N]: a number for each face that follows from its id and the seed alone."""
    digests = (blake2b(f"{seed}:{name}".encode(), digest_size=8).digest() for name in ids)
    return np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)


def in_proportion(labels: np.ndarray, keys: np.ndarray, count: int) -> np.ndarray:
    """At most `count` positions, ascending, every class within one face of its share; a larger choice holds a smaller.

    Shares are the split's own, so that the accuracy on them is an estimate of the split's.
    """
    rank, size = _rank_within_class(labels, keys)
    return np.sort(np.lexsort((keys, (rank + 0.5) / size))[:count])


def in_turn(labels: np.ndarray, keys: np.ndarray, count: int) -> np.ndarray:
    """At most `count` positions, ascending: one face of every class, then the next one of every class ..."""
    rank, _ = _rank_within_class(labels, keys)
    return np.sort(np.lexsort((labels, rank))[:count])


def _rank_within_class(labels: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each face its place among its class, by key, and how many the class has."""
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        rank[own[np.argsort(keys[own])]] = np.arange(len(own))
    return rank, np.bincount(labels)[labels]
