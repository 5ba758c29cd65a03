"""The audit itself: from a table of images with splits, and their pictures, to findings."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ferline.datasets.audit import neighbours, verify
from ferline.datasets.audit.findings import Across, Count, Findings, Group, Member
from ferline.datasets.audit.groups import components
from ferline.datasets.audit.nearest import nearest
from ferline.datasets.audit.picture import Pictures
from ferline.datasets.samples import SPLITS

_MEMBER = ("id", "dataset", "split", "label", "subject", "sequence")


def audit(table: pd.DataFrame, pictures: Pictures, seed: int = 0) -> Findings:
    """What leaks in `table` (samples.INDEX_COLUMNS, a `dataset` where there are several), its pictures row by row.

    `seed` is that of the search's cells, and of the part that is asked about where there are very many images.
    """
    if len(table) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures for {len(table)} rows")
    rows, seen = table[pictures.readable], pictures.take(pictures.readable)
    place = _places(rows)
    # Identical images are looked at once; `picture` is the number of what each row shows.
    _, original, picture = np.unique(seen.digests, return_index=True, return_inverse=True)
    thumbs = seen.thumbs[original]
    pairs, likeness = verify.near(thumbs, neighbours.candidates(thumbs, seed=seed))
    near = components(len(original), pairs.first, pairs.second)
    itself = np.arange(len(original))
    return Findings(
        images=len(table),
        unreadable=len(table) - len(rows),
        different=len(original),
        places={str(name): int(count) for name, count in place.value_counts(sort=False).items()},
        exact_in=_copies_in(place, picture, itself, itself),
        near_in=_copies_in(place, picture, *_both_ways(pairs)),
        groups=_groups(rows, place, picture, near, _least(near, pairs, likeness)),
        subjects=len(_owned(rows, "subject")),
        sequences=len(_owned(rows, "sequence")),
        subjects_across=_across(rows, "subject"),
        sequences_across=_across(rows, "sequence"),
        nearest=nearest(rows, seen.thumbs, near[picture], seed),
        near_across=_rows_across(rows, place, picture, pairs),
    )


def _places(rows: pd.DataFrame) -> pd.Series:
    """Where each image stands: its split, or of several sets the set and its split; in the order of the splits."""
    splits = rows["split"].astype(object).where(rows["split"].notna(), "no split")
    several = "dataset" in rows and rows["dataset"].nunique() > 1
    sets = rows["dataset"].astype(object) if several else pd.Series("", index=rows.index, dtype=object)
    rank = {name: number for number, name in enumerate(SPLITS)}
    order = sorted(set(zip(sets, splits, strict=True)), key=lambda both: (both[0], rank.get(both[1], 3), both[1]))
    names = (sets + " " + splits).str.strip()
    return pd.Series(pd.Categorical(names, [" ".join(both).strip() for both in order]), index=rows.index)


def _both_ways(pairs: neighbours.Pairs) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([pairs.first, pairs.second]), np.concatenate([pairs.second, pairs.first])


def _copies_in(place: pd.Series, picture: np.ndarray, first: np.ndarray, second: np.ndarray) -> Count:
    """How many images of each place show a picture that is linked with one in another place."""
    codes, names = place.cat.codes.to_numpy(), place.cat.categories
    stands = np.zeros((picture.max(initial=-1) + 1, len(names)), bool)
    stands[picture, codes] = True
    linked = np.zeros_like(stands)
    for number in range(len(names)):
        linked[first[stands[second, number]], number] = True
    found: Count = {}
    for number, name in enumerate(names):
        counts = linked[picture[codes == number]].sum(axis=0)
        others = {names[other]: int(n) for other, n in enumerate(counts) if n and other != number}
        if others:
            found[name] = others
    return found


def _least(near: np.ndarray, pairs: neighbours.Pairs, likeness: np.ndarray) -> np.ndarray:
    """For every group of near-duplicates, how alike the least alike pair of it is."""
    found = np.ones(near.max(initial=-1) + 1, np.float32)
    np.minimum.at(found, near[pairs.first], likeness)
    return found


def _groups(
    rows: pd.DataFrame, place: pd.Series, picture: np.ndarray, near: np.ndarray, least: np.ndarray
) -> list[Group]:
    """Identical images first, then those of them whose labels differ, then near-duplicates; large groups first."""
    members = _members(rows)
    places = place.cat.codes.to_numpy()
    exact = [Group("exact", [members[row] for row in of], bool(np.ptp(places[of])), 1.0) for of in _together(picture)]
    conflicts = [
        replace(group, kind="conflict")
        for group in exact
        if len({member.label for member in group.members if member.label is not None}) > 1
    ]
    groups = near[picture]
    alike = [
        Group("near", [members[row] for row in of], bool(np.ptp(places[of])), round(float(least[groups[of[0]]]), 3))
        for of in _together(groups)
        if np.ptp(picture[of])
    ]
    return [*exact, *conflicts, *alike]


def _together(groups: np.ndarray) -> list[np.ndarray]:
    """The rows of every group of two or more."""
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return sorted((part for part in parts if len(part) > 1), key=lambda part: (-len(part), part[0]))


def _members(rows: pd.DataFrame) -> list[Member]:
    columns = [
        rows[name].astype(object).where(rows[name].notna(), None) if name in rows else [None] * len(rows)
        for name in _MEMBER
    ]
    return [Member(int(row), *values) for row, *values in zip(rows.index, *columns, strict=True)]


def _owned(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Images by split, a row for every subject (or sequence); one name in two sets is two persons."""
    named = rows[rows[column].notna() & (rows[column] != "") & rows["split"].notna()]
    dataset = named["dataset"] if "dataset" in named else pd.Series("", index=named.index)
    return pd.crosstab([dataset.rename("dataset"), named[column]], named["split"])


def _across(rows: pd.DataFrame, column: str) -> list[Across]:
    counts = _owned(rows, column)
    several = counts[(counts > 0).sum(axis=1) > 1]
    return [
        Across(str(name), str(dataset) or None, {str(split): int(n) for split, n in images.items() if n})
        for (dataset, name), (_, images) in zip(several.index.tolist(), several.iterrows(), strict=True)
    ]


def _rows_across(
    rows: pd.DataFrame, place: pd.Series, picture: np.ndarray, pairs: neighbours.Pairs
) -> list[tuple[int, int]]:
    """The near pairs of rows in different places, every copy of either picture included."""
    shown = pd.DataFrame({"row": rows.index, "place": place.cat.codes.to_numpy(), "picture": picture})
    links = pd.DataFrame({"first": pairs.first, "second": pairs.second})
    both = links.merge(shown, left_on="first", right_on="picture").merge(
        shown, left_on="second", right_on="picture", suffixes=("", "_other")
    )
    both = both[both["place"] != both["place_other"]]
    return list(zip(both["row"].tolist(), both["row_other"].tolist(), strict=True))
