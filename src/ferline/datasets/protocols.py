"""Protocols: what a split promises, and how each is made.

    official        the set's own split. Where it holds out one part only, that part tests and validation is drawn from
                    its training images, by subject where every subject is known
    random          every label in the shares, exact copies of an image kept on one side
    subject         nobody on two sides
    sequence        no video on two sides
    column:NAME     what the set says under that name of each image: train, validation or test
    paper:KEY       as that paper describes it, for comparison with its table: leaks included, never promoted

`random`, `subject` and `sequence` may be cut into `folds`: each tests once, the one after it validates, the rest train.
Every protocol but `paper` is held to its promise by the validate step.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from ferline.datasets import splits
from ferline.datasets.samples import SPLITS
from ferline.errors import FerlineError
from ferline.params import DatasetParams

# What the papers say of their split. "own": the set's own, where it has one; all else is drawn image by image.
READINGS: Mapping[str, str] = {
    "resnet50_gru": "own",  # silent; `ckextended.csv` comes with a Usage column, drawn frame by frame
    "cnn_lstm": "image",  # silent
    "cnn_lstm_svm": "image",  # 80% / 10% / 10% of the whole set
    "resnet50_resnet34": "own",  # 28,709 / 3,589 / 3,589: FER2013's own, its copies left in
    "resnet50_transfer": "image",  # 12,279 / 1,530 / 1,530 of RAF-DB, whose own split has 12,271 / 3,068
}
SIDES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "publictest"),
    "test": ("test", "testing", "privatetest"),
}
SIDE_WORDS = ", ".join(word for words in SIDES.values() for word in words)
FOLD = "fold "  # stands before its number where folds are audited in place of splits
_SIDE = {word: side for side, words in SIDES.items() for word in words}


def leaks_by_design(protocol: str) -> bool:
    """A paper's split is kept with its leaks, so that its table can be compared; no number of it is a promise."""
    return protocol.startswith("paper:")


class Assignment(NamedTuple):
    """The side of every image; with folds the sides of the first one, and every image's fold."""

    split: pd.Series
    fold: pd.Series | None = None
    note: str | None = None


def side_named(word: str) -> str | None:
    """The split that a folder or a cell means ("Training", "val", "PublicTest"); None where it is none."""
    return _SIDE.get(word.strip().lower())


def assign(table: pd.DataFrame, params: DatasetParams) -> Assignment:
    """The split of every row of a raw set's table, by the protocol of `params`."""
    kind, _, name = params.protocol.partition(":")
    shares = dict(zip(SPLITS, params.shares, strict=True))
    if kind == "official":
        return _official(table, shares, params.seed)
    if kind == "column":
        return Assignment(_column(table, name))
    if kind == "paper":
        return _paper(table, name, shares, params.seed)
    if kind != "random":
        _require_known(table, kind)
    if params.folds:
        numbers = {str(fold): 1 / params.folds for fold in range(params.folds)}
        fold = _draw(table, kind, numbers, params.seed).astype(int)
        return Assignment(split_of(fold, 0, params.folds), fold)
    return Assignment(_draw(table, kind, shares, params.seed))


def split_of(fold: pd.Series, tested: int, folds: int) -> pd.Series:
    """The split in which fold number `tested` tests."""
    sides = {tested: "test", (tested + 1) % folds: "validation"}
    return fold.map(lambda number: sides.get(number, "train")).astype("str")


def _draw(table: pd.DataFrame, kind: str, shares: Mapping[str, float], seed: int) -> pd.Series:
    return splits.by_label(table, shares, seed) if kind == "random" else splits.by_group(table, kind, shares, seed)


def _official(table: pd.DataFrame, shares: Mapping[str, float], seed: int) -> Assignment:
    own = table["split"]
    unusable = table[~own.isin(SPLITS)]
    if len(unusable):
        found = ", ".join(sorted({"no split" if pd.isna(name) else repr(name) for name in unusable["split"]}))
        raise FerlineError(
            f"dataset.protocol: 'official' needs every image's split to be one of {', '.join(SPLITS)}; "
            f"{len(unusable):,} of {len(table):,} images have {found} (first: {_first(unusable)}). "
            "Write protocol: random, subject or sequence"
        )
    held = [split for split in ("validation", "test") if (own == split).any()]
    if len(held) == 2:
        return Assignment(own.astype("str"))
    if not held or not (own == "train").any():
        raise FerlineError(
            "dataset.protocol: 'official' needs a set with training images and others held out; "
            f"all of its {len(table):,} images are {', '.join(sorted(own.unique()))}. "
            "Write protocol: random, subject or sequence"
        )
    return _validation_from_training(table, held[0], shares, seed)


def _validation_from_training(table: pd.DataFrame, held: str, shares: Mapping[str, float], seed: int) -> Assignment:
    train = table[table["split"] == "train"]
    part = shares["train"] + shares["validation"]
    two = {"train": shares["train"] / part, "validation": shares["validation"] / part}
    known = splits.named(train, "subject").all() and train["subject"].nunique() > 1
    drawn = splits.by_group(train, "subject", two, seed) if known else splits.by_label(train, two, seed)
    note = f"The set holds out one part only, its {held} images: they are the test here"
    return Assignment(
        drawn.reindex(table.index).fillna("test").astype("str"), note=f"{note}; validation is drawn from training"
    )


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """The side that each image's attributes name."""
    said = [json.loads(text) if isinstance(text, str) else {} for text in table["attributes"]]
    words = pd.Series([each.get(name) for each in said], table.index, dtype=object)
    sides = words.map(lambda word: None if word is None else side_named(str(word)))
    wrong = table[sides.isna()]
    if len(wrong):
        here = sorted({key for each in said for key in each})
        word = words[wrong.index[0]]
        first = f"{wrong['id'].iloc[0]}: {'nothing' if word is None else repr(word)}"
        raise FerlineError(
            f"dataset.protocol: 'column:{name}' needs {', '.join(SPLITS)} for every image; {len(wrong):,} of "
            f"{len(table):,} have something else (first: {first}). "
            f"The set's columns: {', '.join(here) or 'none'}"
        )
    return sides.astype("str")


def _paper(table: pd.DataFrame, key: str, shares: Mapping[str, float], seed: int) -> Assignment:
    own = table["split"]
    if READINGS[key] == "own" and own.isin(SPLITS).all() and own.nunique() > 1:
        return _official(table, shares, seed)
    return Assignment(splits.by_image(table, shares, seed))


def _require_known(table: pd.DataFrame, column: str) -> None:
    unnamed = table[~splits.named(table, column)]
    if len(unnamed):
        what = "who is in each image" if column == "subject" else "which video each image is from"
        raise FerlineError(
            f"dataset.protocol: {column!r} needs to know {what}; {len(unnamed):,} of {len(table):,} "
            f"images have no {column} (first: {_first(unnamed)}). Write protocol: official or protocol: random"
        )


def _first(rows: pd.DataFrame, count: int = 3) -> str:
    return ", ".join(rows["id"].head(count))
