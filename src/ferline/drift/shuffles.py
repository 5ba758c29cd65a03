"""One null distribution for everything: the images' sides dealt out anew, again and again, people kept whole.

Were the new batch drawn as the reference was, any other dealing of the same people onto the two sides would have been
as likely as the one that was found. The p of a statistic is the share of dealings in which it is at least as large.

Ten pictures of one person are no ten witnesses. Dealt out image by image, 12 unchanged people against 72 others raise a
false alarm in most comparisons; see docs/drift.md for the figures.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

# From bool[b,N], which images are on the new side, to float[b]: how far apart the sides are. The larger, the further.
Statistic = Callable[[np.ndarray], np.ndarray]

BLOCK = 512  # dealings at a time: 2 MB for 4,000 images, and 8 MB as float32
KNOWN = 0.9  # of a side's images, so many must say whom they show; of the others each stands alone
SPARE = 5  # the smallest possible p, after Holm's correction, is the level divided by this


@dataclass(frozen=True)
class Sides:
    """Which images are new, and which of them must stay together."""

    new: np.ndarray  # bool[N]
    unit: np.ndarray  # int[N]: the number of the person, or of the image itself

    @classmethod
    def of(cls, new: np.ndarray, subjects: pd.Series | None) -> Self:
        """`subjects`: whom each image shows, or nobody known. A name on both sides is two units, one on each."""
        if subjects is None:
            return cls(new, np.arange(len(new)))
        known = subjects.notna()
        names = [
            (side, who if named else row)
            for row, (side, who, named) in enumerate(zip(new, subjects, known, strict=True))
        ]
        return cls(new, pd.factorize(pd.Series(names, dtype=object))[0])

    @property
    def units(self) -> tuple[int, int]:
        """People (or images) of the reference, and of the new side."""
        first = self._new_units()
        return int((~first).sum()), int(first.sum())

    def dealings(self) -> float:
        """In how many ways the units can be dealt out."""
        reference, new = self.units
        return math.exp(
            min(700.0, math.lgamma(reference + new + 1) - math.lgamma(reference + 1) - math.lgamma(new + 1))
        )

    def shuffled(self, count: int, seed: int) -> Iterator[np.ndarray]:
        """bool[b,N], `count` dealings in all; each side keeps its number of units."""
        random, units = np.random.default_rng(seed), self._new_units()
        for first in range(0, count, BLOCK):
            dealt = np.tile(units, (min(BLOCK, count - first), 1))
            yield random.permuted(dealt, axis=1)[:, self.unit]

    def _new_units(self) -> np.ndarray:
        found = np.zeros(self.unit.max() + 1, bool)
        found[self.unit] = self.new
        return found


def tells_people(subjects: pd.Series) -> bool:
    return float(subjects.notna().mean()) >= KNOWN


def needed(family: int, level: float) -> int:
    """Dealings enough for `family` lines under Holm's correction: with 500 the smallest p is 0.002, and times 11 above
    the usual level of 0.01, so that nothing could ever be found."""
    return math.ceil(SPARE * family / level)


def p_values(statistics: Mapping[str, Statistic], sides: Sides, count: int, seed: int) -> dict[str, float]:
    """Of each statistic, from the same dealings; the one that was found counts as one of them."""
    # Sums in another order differ in the last digits, and an equal dealing must not count as a smaller one.
    found = {name: float(statistic(sides.new[None])[0]) for name, statistic in statistics.items()}
    reached = dict.fromkeys(statistics, 0)
    for dealt in sides.shuffled(count, seed):
        for name, statistic in statistics.items():
            reached[name] += int((statistic(dealt) >= found[name] - 1e-6 * abs(found[name])).sum())
    return {name: (times + 1) / (count + 1) for name, times in reached.items()}
