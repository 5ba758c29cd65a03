"""What validation needs to know of every image and of the set, worked out in one pass over the bytes."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd

from ferline.datasets.samples import SPLITS, Samples
from ferline.datasets.splits import leaks
from ferline.emotions import EMOTIONS
from ferline.faces.decode import UnreadableImage, decode, size_of

# 64 photographs of 4 MB are 256 MB; more would not make the threads any busier.
_BATCH = 64


class Look(NamedTuple):
    """One image as found."""

    problem: str | None  # why it cannot be read
    shorter: float  # its sides in pixels; NaN where not even the header can be read
    longer: float
    wrong_bytes: str | None  # their SHA-256, where it is not the one on record


def inspect(samples: Samples, max_side: int) -> pd.DataFrame:
    """The samples' table with the columns of `Look` for every row."""
    looks: list[Look] = []
    places: list[int] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows, images in samples.batches(_BATCH):
            looks.extend(pool.map(lambda image, sha256: look(image, sha256, max_side), images, rows["sha256"]))
            places.extend(rows.index)
    return samples.table.join(pd.DataFrame(looks, columns=list(Look._fields), index=places))


def look(image: bytes | None, sha256: str, max_side: int) -> Look:
    """Decode one image. One with a side above `max_side` is not: it is refused for its size, which is in its header."""
    image = image or b""
    digest = hashlib.sha256(image).hexdigest()
    wrong = None if digest == sha256 else digest
    sides = (np.nan, np.nan)
    try:
        width, height = size_of(image)
        sides = (float(min(width, height)), float(max(width, height)))
        if sides[1] <= max_side:
            decode(image)
    except UnreadableImage as error:
        return Look(str(error), *sides, wrong)
    return Look(None, *sides, wrong)


def votes_problem(votes: Sequence[float] | None) -> str | None:
    """Why these votes are no distribution over the emotions; None where they are, or where nobody voted."""
    if votes is None:
        return None
    counts = np.asarray(votes, dtype=float)
    if len(counts) != len(EMOTIONS):
        return f"{len(counts)} votes for {len(EMOTIONS)} emotions"
    if not np.isfinite(counts).all() or (counts < 0).any():
        return "a vote that is negative or no number"
    return None if counts.sum() > 0 else "all votes are 0"


def copies_elsewhere(table: pd.DataFrame) -> pd.Series:
    """For every row, the split and id of a byte-for-byte copy that has more right to stay; None for most.

    Test goes before validation and validation before training: what is measured on must not have been learnt from.
    """
    copies = table[table["sha256"].duplicated(keep=False)]
    copies = copies.assign(rank=copies["split"].map({split: rank for rank, split in enumerate(SPLITS)}))
    first = copies.sort_values("rank", ascending=False, kind="stable").drop_duplicates("sha256").set_index("sha256")
    stays = copies["sha256"].map(first["split"] + ": " + first["id"])
    behind = copies["rank"] < copies["sha256"].map(first["rank"])
    return stays[behind].reindex(table.index).astype(object).where(lambda found: found.notna(), None)


def subjects_elsewhere(table: pd.DataFrame) -> pd.Series:
    """For every row, the splits that its subject is in, where those are two or three; None for the rest."""
    rows = table[table["subject"].isin(leaks(table, table["split"]))]
    where = rows.groupby("subject")["split"].agg(lambda splits: ", ".join(s for s in SPLITS if s in set(splits)))
    found = (rows["subject"] + " is in " + rows["subject"].map(where)).reindex(table.index).astype(object)
    return found.where(found.notna(), None)


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """Images of every emotion in every split: a row an emotion, a column a split."""
    found = pd.crosstab(table["label"], table["split"])
    return found.reindex(index=list(EMOTIONS), columns=list(SPLITS), fill_value=0).rename_axis(
        index="label", columns=None
    )
