"""Two measured sides, line by line: how far apart they are, and whether chance would put them there.

A line is a drift when its difference is both significant, after Holm's correction over all lines, and large enough to
count (`limits`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ferline.drift.limits import QUANTITIES, Quantity
from ferline.drift.measure import Measured
from ferline.drift.shuffles import Sides, Statistic, needed, p_values, tells_people
from ferline.drift.statistics import Classifier, auc, chi_square, kolmogorov_smirnov, moved, rate_gap, shares_moved
from ferline.evaluation.significance import holm

LEAST = 20  # images a side; of fewer, shares and tails say nothing
DRIFT, SMALL, NONE = "drift", "small", "none"


@dataclass(frozen=True)
class Line:
    """One quantity on both sides. `reference` and `new`: a median, a rate, or the shares of the classes."""

    name: str
    reference: float | dict[str, float] | None
    new: float | dict[str, float] | None
    effect: float
    p: float
    p_adjusted: float
    verdict: str  # DRIFT; SMALL: significant, and too little to count; NONE: chance would do

    @property
    def quantity(self) -> Quantity:
        return QUANTITIES[self.name]


@dataclass(frozen=True)
class Verdict:
    """All lines, and how the sides were dealt out for them."""

    lines: list[Line]
    people: tuple[int, int] | None  # on both sides, where they were kept whole; None: image by image
    shuffles: int
    notes: list[str]
    scores: (
        np.ndarray
    )  # float[rows]: how new each image looks to a classifier that did not see it; the reference's first


@dataclass(frozen=True)
class _Pool:
    """Both sides in one table, or the part of it that some lines are about."""

    table: pd.DataFrame
    features: np.ndarray
    new: np.ndarray  # bool[rows]

    def kept(self, rows: np.ndarray) -> "_Pool":
        return _Pool(self.table[rows].reset_index(drop=True), self.features[rows], self.new[rows])

    def values(self, name: str) -> np.ndarray:
        values = self.table[name].to_numpy(float)
        return np.log(values) if QUANTITIES[name].log else values


def judge(
    reference: Measured, new: Measured, fair: np.ndarray, level: float, seed: int, people: bool = True
) -> Verdict:
    """`fair`: the reference images that the model was not trained on; its answers are compared on these.

    `people`: deal out people whole where both sides know who is in their images.
    """
    both = _pooled(reference, new)
    parts = {True: both.kept(np.concatenate([fair, np.ones(len(new.table), bool)])), False: both}
    names = {of_model: _names(parts[of_model], of_model) for of_model in parts}
    family = sum(map(len, names.values()))
    count = needed(family, level)
    subjects, notes = _who(parts, reference, new, count) if people else (False, [])
    dealt = {
        of_model: Sides.of(pool.new, pool.table["subject"] if subjects else None) for of_model, pool in parts.items()
    }
    classifier = Classifier(parts[True].features, dealt[True], seed)
    found = [
        line
        for of_model, pool in parts.items()
        for line in _tested(pool, dealt[of_model], names[of_model], classifier, count, seed)
    ]
    adjusted = holm([line.p for line in found])
    lines = {line.name: _told(line, p, level) for line, p in zip(found, adjusted, strict=True)}
    units = dealt[False].units if subjects else None
    scores = classifier.scores(parts[True].new)
    return Verdict([lines[name] for name in QUANTITIES if name in lines], units, count, notes, scores)


def _pooled(reference: Measured, new: Measured) -> _Pool:
    table = pd.concat([reference.table, new.table], ignore_index=True)
    side = np.repeat([False, True], [len(reference.table), len(new.table)])
    return _Pool(table, np.concatenate([reference.features, new.features]), side)


def _names(pool: _Pool, of_model: bool) -> list[str]:
    """The quantities of this kind that both sides have."""
    there = [name for name, quantity in QUANTITIES.items() if quantity.of_model == of_model]
    return [name for name in there if name == "embedding" or _has(pool, name)]


def _has(pool: _Pool, name: str) -> bool:
    """Where no face was looked for none was found; of too few faces found nothing is said of their size."""
    if name not in pool.table:
        return False
    known = pool.table[name].notna().to_numpy()
    if name == "face_size":
        return min(int(known[pool.new].sum()), int(known[~pool.new].sum())) >= LEAST
    return bool(known.all())


def _who(parts: dict[bool, _Pool], reference: Measured, new: Measured, count: int) -> tuple[bool, list[str]]:
    """Whether people can be kept whole, and if not what the reader must know."""
    silent = [each.batch.name for each in (reference, new) if not tells_people(each.table["subject"])]
    if silent:
        several = (
            "do not say who is in each of their images"
            if len(silent) > 1
            else "does not say who is in each of its images"
        )
        return False, [
            f"{' and '.join(silent)} {several}: images count as independent, which many of a few people are not, "
            "and then a drift may be those people"
        ]
    for pool in parts.values():
        sides = Sides.of(pool.new, pool.table["subject"])
        if sides.dealings() < count:
            many = " and ".join(f"{people:,}" for people in sides.units)
            return False, [
                f"with {many} people on the two sides chance cannot be told from a drift by people: images count as "
                "independent, and a drift may be those people"
            ]
    return True, []


def _tested(pool: _Pool, sides: Sides, names: list[str], classifier: Classifier, count: int, seed: int) -> list[Line]:
    """A line for each name, its p not corrected yet and without a verdict."""
    statistics = {name: _statistic(pool, name, classifier) for name in names}
    p = p_values(statistics, sides, count, seed)
    return [
        Line(name, *_both_sides(pool, name), _effect(pool, name, classifier), p[name], float("nan"), "")
        for name in names
    ]


def _statistic(pool: _Pool, name: str, classifier: Classifier) -> Statistic:
    if name == "embedding":
        return classifier.gap
    if name == "predicted":
        return chi_square(pool.table[name].to_numpy(str))
    if name == "found":
        return rate_gap(pool.table[name].to_numpy(bool))
    return kolmogorov_smirnov(pool.values(name))


def _effect(pool: _Pool, name: str, classifier: Classifier) -> float:
    if name == "embedding":
        return auc(classifier.scores(pool.new), pool.new)
    if name == "predicted":
        return shares_moved(pool.table[name].to_numpy(str), pool.new)
    if name == "found":
        found = pool.table[name].to_numpy(float)
        return abs(float(found[pool.new].mean() - found[~pool.new].mean()))
    distance = moved(pool.values(name), pool.new)
    return float(np.exp(distance)) if QUANTITIES[name].log else distance


def _both_sides(pool: _Pool, name: str) -> tuple[float | dict[str, float] | None, float | dict[str, float] | None]:
    return _typical(pool, name, ~pool.new), _typical(pool, name, pool.new)


def _typical(pool: _Pool, name: str, rows: np.ndarray) -> float | dict[str, float] | None:
    if name == "embedding":
        return None
    values = pool.table.loc[rows, name]
    if name == "predicted":
        return {str(key): float(share) for key, share in values.value_counts(normalize=True).sort_index().items()}
    return float(values.astype(float).mean() if name == "found" else values.median())


def _told(line: Line, p_adjusted: float, level: float) -> Line:
    verdict = NONE
    if p_adjusted <= level:
        verdict = DRIFT if line.effect >= line.quantity.least else SMALL
    return Line(line.name, line.reference, line.new, line.effect, line.p, p_adjusted, verdict)
