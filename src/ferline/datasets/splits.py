"""Drawing sides: which image goes where, given how large each side shall be. The order of the rows plays no part."""

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ferline.errors import FerlineError

Shares = Mapping[str, float]  # of each side, by name; they sum to 1


def by_label(table: pd.DataFrame, shares: Shares, seed: int) -> pd.Series:
    """Every label in the same shares. Exact copies of an image go where it goes.

    The places come from the images' checksums, so a set that grew keeps all but a few images on the side they were on.
    """
    images = table.sort_values("id").drop_duplicates("sha256")  # of copies with two labels always the same one counts
    chosen = _drawn(images.set_index("sha256", drop=False), "sha256", shares, seed)
    return table["sha256"].map(chosen)


def by_image(table: pd.DataFrame, shares: Shares, seed: int) -> pd.Series:
    """Every label in the same shares, every row by itself: the way that lets a copy of a training image into test."""
    return _drawn(table, "id", shares, seed)


def by_group(table: pd.DataFrame, column: str, shares: Shares, seed: int) -> pd.Series:
    """Every person, or every sequence, on one side only, and the labels as near to the shares as that allows."""
    counts = pd.crosstab(table[column], table["label"].fillna(""))
    if len(counts) < len(shares):
        raise FerlineError(
            f"dataset.protocol: {column!r} needs {len(shares)} {column}s or more, one for each of {', '.join(shares)}; "
            f"found {len(counts)}. Write another protocol, or fewer folds"
        )
    # Those with many images first; those of about one size (2 to 3 images, 4 to 7, ...) in an order of the seed's.
    size = np.log2(counts.sum(axis=1)).astype(int)
    order = np.lexsort((places(counts.index.to_series(), seed), -size))
    sides = _fill(counts.to_numpy()[order], list(shares.values()))
    chosen = {counts.index[group]: list(shares)[side] for group, side in zip(order, sides, strict=True)}
    return table[column].map(chosen).astype("str")


def a_part(table: pd.DataFrame, fraction: float, seed: int) -> pd.Series:
    """True for this share of the images of every label in every split of the set's own, at least one of each."""
    order = pd.Series(places(table["sha256"] + table["id"], seed), table.index)
    groups = order.groupby([table["label"].fillna(""), table["split"].fillna("")])
    return groups.rank(method="first") <= np.maximum(1, np.ceil(groups.transform("size") * fraction - 1e-9))


def leaks(table: pd.DataFrame, sides: pd.Series, column: str = "subject") -> list[str]:
    """The subjects (or sequences) with images on more than one side."""
    known = named(table, column)
    count = sides[known].groupby(table.loc[known, column]).nunique()
    return sorted(count.index[count > 1])


def named(table: pd.DataFrame, column: str) -> pd.Series:
    return table[column].notna() & (table[column] != "")


def places(keys: pd.Series, seed: int) -> np.ndarray:
    """A number for every key that looks random, and is the same wherever and in whatever company the key is met."""
    digests = (hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest() for key in keys)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def _drawn(table: pd.DataFrame, key: str, shares: Shares, seed: int) -> pd.Series:
    ordered = table.assign(place=places(table[key], seed)).sort_values("place")
    chosen = pd.Series(next(iter(shares)), index=table.index, dtype="str")
    for _, group in ordered.groupby(ordered["label"].fillna(""), sort=False):
        chosen[group.index] = np.repeat(list(shares), _counts(len(group), shares))
    return chosen


def _counts(total: int, shares: Shares) -> list[int]:
    """How many of `total` each side gets; where there are as many images as sides, each gets one.

    The borders between the sides are rounded, not the sides: what is over is spread, and no fold gets all of it.
    """
    borders = np.rint(np.cumsum([0.0, *shares.values()]) * total).astype(int)
    counts = np.diff(borders)
    while total >= len(counts) and not counts.all():
        counts[counts.argmin()] += 1
        counts[counts.argmax()] -= 1
    return list(counts.tolist())


def _fill(counts: np.ndarray, shares: list[float]) -> list[int]:
    """A side for each row of counts (groups x labels), in turn: the one that lacks most of what this group has."""
    wanted = np.array(shares)[:, None] * counts.sum(axis=0)
    filled = np.zeros_like(wanted)
    sides: list[int] = []
    for position, images in enumerate(counts):
        # The change in the chi-squared distance to what is wanted; it weighs a lack by the side's own size.
        cost = (((filled + images - wanted) ** 2 - (filled - wanted) ** 2) / wanted).sum(axis=1)
        taken = filled.any(axis=1)
        if len(counts) - position <= (~taken).sum():
            cost[taken] = np.inf  # the last groups go where nobody is yet
        sides.append(int(cost.argmin()))
        filled[sides[-1]] += images
    return sides
