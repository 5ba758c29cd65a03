"""Candidates: pairs of pictures whose descriptors are so alike that a closer look is worth its time.

All against all is N * N. Here the pictures are laid into about 4 * sqrt(N) cells around centres found by k-means on a
sample, and each is held only against those in the 16 cells nearest to it: about N * sqrt(N) comparisons, all of them in
blocks of matrix products. Up to 6,000 pictures are held all against all. It is 100 lines rather than faiss, whose
compiled wheel would be one more thing to install and whose search does not ask for nine places and a mirror image as
one. Of the near-duplicates that all against all finds among FER2013's 30,766 different images (26 s on two cores), the
cells find 99% in 2 s; 8 cells instead of 16 find 97%.

A million pictures: 4,000 cells of 250. Placing and asking come to 2 * 10^6 * 4,000 + 2 * 9 * 16 * 10^6 * 250 = 8e10
comparisons of 63 numbers, 1e13 operations. Measured on two busy cores by `benchmarks/audit.py` (search and closer look
of made pictures; share of planted copies found): 10,000 in 0.7 s (99.9%), 30,000 in 2.6 s (99.5%), 100,000 in 13 s
(98.8%), 300,000 in 71 s (97.7%; 1.3 GB with the pictures). A million is eight minutes by that curve, in 2.3 GB for its
pictures (which may be a memory map) and 0.5 GB for the descriptors; more cells asked would keep the share found.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ferline.datasets.audit.descriptor import MIRROR, PLACES, SIZE, describe, describe_moved
from ferline.datasets.audit.spread import spread
from ferline.images.parallel import cores

# 99% of altered copies of FER2013's images reach 0.916 and 99.9% this; of the rest of its images one in five has
# another one so alike.
LEAST = 0.88
# The most alike that each picture may bring. A film of one face has thousands; that they hang together needs a few.
MOST = 8

_ALL_AGAINST_ALL = 6000
_PROBES = 16
_ASKED = 16384  # pictures asked about at once: their descriptors at nine places are 37 MB
_PRODUCT = 4_000_000  # numbers in one matrix product's result, 16 MB
_SAMPLE_PER_CELL = 24
_ROUNDS = 5


class Pairs(NamedTuple):
    """Pictures by number, first < second; `mirrored` says that one is like the other's mirror image."""

    first: np.ndarray
    second: np.ndarray
    mirrored: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


class _Hits(NamedTuple):
    asked: np.ndarray
    found: np.ndarray
    likeness: np.ndarray
    mirrored: np.ndarray


class _Cells:
    """Descriptors laid together with those like them."""

    def __init__(self, descriptors: np.ndarray, count: int, seed: int) -> None:
        self.centres = _centres(descriptors, count, np.random.default_rng(seed))
        cell = self.nearest(descriptors, 1)[:, 0]
        self.members = np.argsort(cell, kind="stable")
        self.starts = np.searchsorted(cell[self.members], np.arange(len(self.centres) + 1))
        self.descriptors = descriptors[self.members]

    def nearest(self, descriptors: np.ndarray, probes: int) -> np.ndarray:
        """int[N,probes]: the cells nearest to each, in no order."""
        probes = min(probes, len(self.centres))
        found = np.empty((len(descriptors), probes), np.int32)
        step = max(1, _PRODUCT // len(self.centres))
        for first in range(0, len(descriptors), step):
            likeness = descriptors[first : first + step] @ self.centres.T
            if probes == 1:
                found[first : first + step, 0] = likeness.argmax(axis=1)
            else:
                found[first : first + step] = np.argpartition(likeness, -probes, axis=1)[:, -probes:]
        return found


def candidates(
    thumbs: np.ndarray, least: float = LEAST, most: int = MOST, seed: int = 0, exhaustive: bool = False
) -> Pairs:
    """The pairs among uint8[N,SIDE,SIDE] with a likeness of `least` or more, at most `most` brought by each picture.

    `exhaustive` holds all against all whatever their number; it is the reference for what the cells miss.
    """
    descriptors = describe(thumbs)
    few = exhaustive or len(thumbs) <= _ALL_AGAINST_ALL
    cells = _Cells(descriptors, 1 if few else round(4 * len(thumbs) ** 0.5), seed)

    def asked(first: int) -> _Hits:
        rows = slice(first, first + step)
        moved, own = describe_moved(thumbs[rows]), descriptors[rows]
        straight = _hits(cells, own, moved, first, least, most, False)
        mirrored = _hits(cells, own * MIRROR, moved * MIRROR, first, least, most, True)
        return _best(_joined([*straight, *mirrored]), most)

    step = min(_ASKED, -(-len(thumbs) // cores()) or 1)
    hits = spread(asked, range(0, len(thumbs), step))
    return _pairs(_joined(hits))


def _hits(
    cells: _Cells, own: np.ndarray, moved: np.ndarray, first: int, least: float, most: int, mirrored: bool
) -> Iterator[_Hits]:
    """What the pictures `first` and following find in the cells near to them."""
    chosen = cells.nearest(own, _PROBES)
    asked = np.repeat(np.arange(len(own)), chosen.shape[1])[np.argsort(chosen, axis=None, kind="stable")]
    bounds = np.searchsorted(np.sort(chosen, axis=None), np.arange(len(cells.centres) + 1))
    for cell in np.flatnonzero(np.diff(bounds)):
        here = slice(cells.starts[cell], cells.starts[cell + 1])
        members = cells.members[here]
        if not len(members):
            continue
        rows = asked[bounds[cell] : bounds[cell + 1]]
        step = max(1, _PRODUCT // (PLACES * len(members)))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            product = moved[some].reshape(-1, SIZE) @ cells.descriptors[here].T
            likeness = product.reshape(len(some), PLACES, len(members)).max(axis=1)
            row, column = np.nonzero(likeness >= least)
            found = _Hits(first + some[row], members[column], likeness[row, column], np.full(len(row), mirrored))
            yield _best(_Hits(*(part[found.asked != found.found] for part in found)), most)


def _best(hits: _Hits, most: int) -> _Hits:
    """Of what each picture found, the `most` most alike."""
    order = np.lexsort((-hits.likeness, hits.asked))
    asked = hits.asked[order]
    rank = np.arange(len(asked)) - np.searchsorted(asked, asked)
    return _Hits(*(part[order[rank < most]] for part in hits))


def _joined(hits: list[_Hits]) -> _Hits:
    if not hits:
        return _Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, bool))
    return _Hits(*(np.concatenate(parts) for parts in zip(*hits, strict=True)))


def _pairs(hits: _Hits) -> Pairs:
    """Each pair once, straight or mirrored as it is more alike."""
    first, second = np.minimum(hits.asked, hits.found), np.maximum(hits.asked, hits.found)
    order = np.lexsort((-hits.likeness, second, first))
    first, second, mirrored = first[order], second[order], hits.mirrored[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(first) != 0) | (np.diff(second) != 0)
    return Pairs(first[new], second[new], mirrored[new])


def _centres(descriptors: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """k-means on the sphere, a few rounds of it on a sample: cells need be of like size, not the best ones."""
    if count == 1:
        return np.zeros((1, descriptors.shape[1]), np.float32)
    size = min(len(descriptors), _SAMPLE_PER_CELL * count)
    sample = descriptors[np.sort(random.choice(len(descriptors), size, replace=False))]
    centres = sample[random.choice(size, count, replace=False)]
    for _ in range(_ROUNDS):
        step = max(1, _PRODUCT // count)
        cell = np.concatenate([(sample[i : i + step] @ centres.T).argmax(axis=1) for i in range(0, size, step)])
        order = np.argsort(cell, kind="stable")
        filled, starts = np.unique(cell[order], return_index=True)
        sums = np.add.reduceat(sample[order], starts)
        centres[filled] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    return centres
