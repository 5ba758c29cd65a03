"""Which image trains, validates or tests: the three protocols. None of them looks at the order of the rows."""

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ferline.datasets.samples import SPLITS
from ferline.errors import FerlineError
from ferline.params import DatasetParams


def assign(table: pd.DataFrame, params: DatasetParams) -> pd.Series:
    """The split of every row of a raw set's table, by the protocol of `params`."""
    shares = dict(zip(SPLITS, params.shares, strict=True))
    if params.protocol == "official":
        return _official(table, shares, params.seed)
    if params.protocol == "random":
        return _random(table, shares, params.seed)
    _require_subjects(table)
    return _subject(table, shares, params.seed)


def leaks(table: pd.DataFrame, splits: pd.Series) -> list[str]:
    """The subjects with images in more than one split."""
    named = _named(table)
    count = splits[named].groupby(table.loc[named, "subject"]).nunique()
    return sorted(count.index[count > 1])


def _official(table: pd.DataFrame, shares: Mapping[str, float], seed: int) -> pd.Series:
    """The set's own split. Where it has no validation images, as RAF-DB, they are drawn from its training images."""
    own = table["split"]
    unusable = table[~own.isin(SPLITS)]
    if len(unusable):
        found = ", ".join(sorted({"no split" if pd.isna(name) else repr(name) for name in unusable["split"]}))
        raise FerlineError(
            f"dataset.protocol: 'official' needs every image's split to be one of {', '.join(SPLITS)}; "
            f"{len(unusable):,} of {len(table):,} images have {found} (first: {_first(unusable)}). "
            "Write protocol: random or protocol: subject"
        )
    if (own == "validation").any():
        return own.astype("str")
    train = table[own == "train"]
    part = shares["train"] + shares["validation"]
    two = {"train": shares["train"] / part, "validation": shares["validation"] / part}
    draw = _subject if _named(train).all() and train["subject"].nunique() > 1 else _random
    return draw(train, two, seed).reindex(table.index).fillna(own).astype("str")


def _random(table: pd.DataFrame, shares: Mapping[str, float], seed: int) -> pd.Series:
    """Every label in the same shares. Exact copies of an image go where it goes.

    The places come from the images' checksums, so a set that grew keeps all but a few images on the side they were on.
    """
    images = table.drop_duplicates("sha256")
    images = images.assign(place=_places(images["sha256"], seed)).sort_values("place")
    chosen = pd.Series("train", index=images["sha256"], dtype="str")
    for _, group in images.groupby(images["label"].fillna(""), sort=False):
        chosen[group["sha256"]] = np.repeat(list(shares), _counts(len(group), shares))
    return table["sha256"].map(chosen)


def _counts(total: int, shares: Mapping[str, float]) -> list[int]:
    """How many of `total` each split gets; from three images on, each split gets one."""
    least = int(total >= len(shares))
    rest = [max(least, round(total * share)) for share in list(shares.values())[1:]]
    while sum(rest) > max(0, total - least):
        rest[rest.index(max(rest))] -= 1
    return [total - sum(rest), *rest]


def _subject(table: pd.DataFrame, shares: Mapping[str, float], seed: int) -> pd.Series:
    """Every person on one side only."""
    counts = pd.crosstab(table["subject"], table["label"].fillna(""))
    if len(counts) < len(shares):
        raise FerlineError(
            f"dataset.protocol: 'subject' needs {len(shares)} persons or more, one for each of {', '.join(shares)}; "
            f"found {len(counts)}. Write protocol: official or protocol: random"
        )
    # Those with many images first; those of about one size (2 to 3 images, 4 to 7, ...) in an order of the seed's.
    size = np.log2(counts.sum(axis=1)).astype(int)
    order = np.lexsort((_places(counts.index.to_series(), seed), -size))
    sides = _fill(counts.to_numpy()[order], list(shares.values()))
    chosen = {counts.index[person]: list(shares)[side] for person, side in zip(order, sides, strict=True)}
    return table["subject"].map(chosen).astype("str")


def _fill(counts: np.ndarray, shares: list[float]) -> list[int]:
    """A side for each row of counts (persons x labels), in turn: the one that lacks most of what this person has."""
    wanted = np.array(shares)[:, None] * counts.sum(axis=0)
    filled = np.zeros_like(wanted)
    sides: list[int] = []
    for position, images in enumerate(counts):
        # The change in the chi-squared distance to what is wanted; it weighs a lack by the side's own size.
        cost = (((filled + images - wanted) ** 2 - (filled - wanted) ** 2) / wanted).sum(axis=1)
        taken = filled.any(axis=1)
        if len(counts) - position <= (~taken).sum():
            cost[taken] = np.inf  # the last persons go where nobody is yet
        sides.append(int(cost.argmin()))
        filled[sides[-1]] += images
    return sides


def _require_subjects(table: pd.DataFrame) -> None:
    unnamed = table[~_named(table)]
    if len(unnamed):
        raise FerlineError(
            f"dataset.protocol: 'subject' needs to know who is in each image; {len(unnamed):,} of {len(table):,} "
            f"images have no subject (first: {_first(unnamed)}). Write protocol: official or protocol: random"
        )


def _named(table: pd.DataFrame) -> pd.Series:
    return table["subject"].notna() & (table["subject"] != "")


def _first(rows: pd.DataFrame, count: int = 3) -> str:
    return ", ".join(rows["id"].head(count))


def _places(keys: pd.Series, seed: int) -> np.ndarray:
    """A number for every key that looks random, and is the same wherever and in whatever company the key is met."""
    digests = (hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest() for key in keys)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
