"""fer2013new.csv, the votes of FER+, and whether they stand beside the rows of a fer2013.csv that they are about."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ferline.datasets.labels import UNDECIDED, decide
from ferline.datasets.sources.fer2013 import SPLIT_OF
from ferline.datasets.sources.layout import csv_rows
from ferline.datasets.sources.pixel_csv import wrong
from ferline.datasets.sources.source import Row
from ferline.emotions import VOTES, named
from ferline.errors import FerlineError

# The order of the files' own columns.
FILE_ORDER = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"
)  # fmt: skip
_SPLITS = {split: usage for usage, split in SPLIT_OF.items()}
# FER2013's own emotion is the one with most votes in 65% of the real rows, in 18% of the same rows out of line.
_AGREEMENT = 0.5
_ENOUGH = 100  # rows, to tell the two apart


class Votes(NamedTuple):
    """What was said of one image: ten numbers in the order of emotions.VOTES."""

    line: int
    name: str  # of the image; empty where it is no face
    usage: str
    counts: list[float]


class VotesFile:
    """Hands out the votes of one row of fer2013.csv after the other, and says at the end whether they fitted.

    The rows are matched by their place within a Usage, so that a fer2013.csv without PrivateTest works with the whole
    fer2013new.csv. Nothing in either file ties a row's pixels to its votes, hence the checks: every Usage has as many
    rows in both, files of equal length agree on every row's Usage, and votes agree with FER2013's own labels.
    """

    def __init__(self, path: Path, rows: list[Votes]) -> None:
        self._path = path
        self._rows = rows
        self._of = defaultdict(list)
        for row in rows:
            self._of[row.usage].append(row)
        self._given: Counter[str] = Counter()
        self._first_other: str | None = None  # where the Usage of both files differs first, row by row
        self._labels: list[str] = []
        self._counts: list[list[float]] = []

    def next_of(self, row: Row) -> Votes:
        """The votes of this row of fer2013.csv, which is the next one there."""
        usage = _SPLITS[row["split"]]
        place, number = self._given[usage], self._given.total()
        if place >= len(self._of[usage]):
            raise self._out_of_line(f"{row['source']} is {usage} row {place + 1:,}, {self._has(usage)}")
        beside = self._rows[number] if number < len(self._rows) else None
        if beside and beside.usage != usage and not self._first_other:
            self._first_other = f"{row['source']} is {usage}, {self._path.name}, line {beside.line} is {beside.usage}"
        self._given[usage] += 1
        given = self._of[usage][place]
        if given.name:
            self._labels.append(row["label"])
            self._counts.append(given.counts)
        return given

    def require_lined_up(self, path: Path) -> None:
        """After the last row."""
        for usage, count in self._given.items():
            if count != len(self._of[usage]):
                raise self._out_of_line(f"{path.name} has {count:,} {usage} rows, {self._has(usage)}")
        if self._first_other and self._given.total() == len(self._rows):
            raise self._out_of_line(self._first_other)
        if len(self._labels) >= _ENOUGH:
            self._require_agreement(path)

    def _require_agreement(self, path: Path) -> None:
        winners = decide(np.array(self._counts), "plurality")
        decided = winners != UNDECIDED
        same = np.array([VOTES[winner] for winner in winners]) == np.array(self._labels)
        share = same[decided].mean() if decided.any() else 0.0
        if share < _AGREEMENT:
            raise self._out_of_line(
                f"the votes agree with the emotions of {path.name} in {share:.0%} of the rows, where 65% are usual and "
                "18% are chance: the rows of one of them are in another order"
            )

    def _has(self, usage: str) -> str:
        return f"{self._path.name} has {len(self._of[usage]):,} of them"

    def _out_of_line(self, how: str) -> FerlineError:
        return FerlineError(
            f"{self._path}: not the votes for these images: {how}. Every image would get another one's label. "
            "Use the fer2013.csv and fer2013new.csv as they were published. Nothing was added"
        )


def read_votes(path: Path) -> VotesFile:
    """All of fer2013new.csv; 35,887 rows are a few megabytes."""
    rows = []
    for line, cells in csv_rows(path, ("Usage", "Image name")):
        usage, name = cells.pop("Usage").strip(), cells.pop("Image name").strip()
        if usage not in SPLIT_OF:
            raise wrong(path, line, f"Usage is {usage!r}, it must be one of {', '.join(SPLIT_OF)}")
        rows.append(Votes(line, name, usage, remapped(path, line, cells)))
    return VotesFile(path, rows)


def remapped(path: Path, line: int, cells: Mapping[str, str]) -> list[float]:
    """The numbers under the files' own names for the choices, in the order of emotions.VOTES."""
    of = {_choice(name): text for name, text in cells.items()}
    if missing := [choice for choice in VOTES if choice not in of]:
        raise wrong(path, line, f"no votes for {', '.join(missing)}; its columns are {', '.join(cells)}")
    texts = [(of[choice] or "").strip() for choice in VOTES]
    for choice, text in zip(VOTES, texts, strict=True):
        if not text.isdecimal():
            raise wrong(path, line, f"the votes for {choice} are {text!r}, they must be a whole number")
    return [float(text) for text in texts]


def _choice(name: str) -> str:
    return {"nf": "no face", "unknown": "unknown"}.get(name.strip().lower()) or named(name) or name
