"""What validation needs to know of every image and of the set, worked out in one pass over the bytes."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd

from ferline.datasets.audit.picture import Picture, Pictures, picture_of
from ferline.datasets.protocols import FOLD, split_of
from ferline.datasets.samples import SPLITS, Samples
from ferline.datasets.splits import leaks
from ferline.images.decode import UnreadableImage, decode, size_of

# 64 photographs of 4 MB are 256 MB; more would not make the threads any busier.
_BATCH = 64


class Look(NamedTuple):
    """One image as found."""

    problem: str | None  # why it cannot be read
    shorter: float  # its sides in pixels; NaN where not even the header can be read
    longer: float
    wrong_bytes: str | None  # their SHA-256, where it is not the one on record


def inspect(samples: Samples, max_side: int) -> tuple[pd.DataFrame, Pictures]:
    """The samples' table with the columns of `Look` for every row, and what the audit compares, row by row."""
    looks: list[Look] = []
    pictures = Pictures.empty(len(samples))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows, images in samples.batches(_BATCH):
            for found, picture in pool.map(lambda image, sha: look(image, sha, max_side), images, rows["sha256"]):
                pictures.put(len(looks), picture)
                looks.append(found)
    return samples.table.join(pd.DataFrame(looks, columns=list(Look._fields), index=samples.table.index)), pictures


def look(image: bytes | None, sha256: str, max_side: int) -> tuple[Look, Picture | None]:
    """Decode one image. One with a side above `max_side` is not: it is refused for its size, which is in its header."""
    image = image or b""
    digest = hashlib.sha256(image).hexdigest()
    wrong = None if digest == sha256 else digest
    sides = (np.nan, np.nan)
    try:
        width, height = size_of(image)
        sides = (float(min(width, height)), float(max(width, height)))
        picture = picture_of(decode(image)) if sides[1] <= max_side else None
    except UnreadableImage as error:
        return Look(str(error), *sides, wrong), None
    return Look(None, *sides, wrong), picture


def votes_problem(votes: Sequence[float] | None, classes: int) -> str | None:
    """Why these votes are no distribution over so many emotions; None where they are, or where nobody voted."""
    if votes is None:
        return None
    counts = np.asarray(votes, dtype=float)
    if len(counts) != classes:
        return f"{len(counts)} votes for {classes} emotions"
    if not np.isfinite(counts).all() or (counts < 0).any():
        return "a vote that is negative or no number"
    return None if counts.sum() > 0 else "all votes are 0"


def elsewhere(table: pd.DataFrame, column: str) -> pd.Series:
    """For every row, the sides that its subject (or sequence) is on, where those are several; None for the rest."""
    sides = sides_of(table)
    rows = table[table[column].isin(leaks(table, sides, column))]
    where = sides[rows.index].groupby(rows[column]).agg(lambda found: ", ".join(sorted(set(found), key=_rank)))
    found = (rows[column] + " is in " + rows[column].map(where)).reindex(table.index).astype(object)
    return found.where(found.notna(), None)


def sides_of(table: pd.DataFrame) -> pd.Series:
    """What must not share a person or a picture: the splits, or the folds where there are some."""
    return FOLD + table["fold"].astype(str) if "fold" in table else table["split"]


def _rank(side: str) -> tuple[int, str]:
    return (SPLITS.index(side) if side in SPLITS else 0, side)


def counts(table: pd.DataFrame, emotions: Sequence[str]) -> pd.DataFrame:
    """Images of every emotion in every split: a row an emotion, a column a split. Of folds, the least of any."""
    if "fold" not in table:
        return _counts(table["label"], table["split"], emotions)
    folds = int(table["fold"].max()) + 1
    each = [_counts(table["label"], split_of(table["fold"], tested, folds), emotions) for tested in range(folds)]
    return pd.concat(each).groupby(level=0, sort=False).min()


def _counts(labels: pd.Series, splits: pd.Series, emotions: Sequence[str]) -> pd.DataFrame:
    found = pd.crosstab(labels, splits).reindex(index=list(emotions), columns=list(SPLITS), fill_value=0)
    return found.rename_axis(index="label", columns=None)
