"""FaceSet: faces of one size as one memory-mapped array, beside the table that says whose they are."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferline.artifact import Artifact
from ferline.datasets.protocols import split_of
from ferline.datasets.samples import SPLITS
from ferline.emotions import EMOTIONS, KNOWN

# faces.parquet: label is the index in `emotions`; split is one of SPLITS; box is x, y, width, height in the source.
TABLE_COLUMNS = [
    "id",
    "label",
    "votes",
    "subject",
    "sequence",
    "split",
    "source",
    "sha256",
    "attributes",
    "fold",
    "found",
    "faces",
    "levelled",
    "box",
]


class FaceSet(Artifact):
    """`images.npy`, uint8[N,H,W,C] with C 1 (grey) or 3 (RGB), beside `faces.parquet`, one row an image."""

    def __init__(self, folder: Path | str, fold: int | None = None) -> None:
        """`fold`: the one that tests; without it the split is the table's own (of folds, that of the first)."""
        super().__init__(folder)
        self.tested = fold

    @cached_property
    def images(self) -> np.ndarray:
        return np.load(self.folder / "images.npy", mmap_mode="r")

    @cached_property
    def table(self) -> pd.DataFrame:
        table = pd.read_parquet(self.folder / "faces.parquet")
        if self.tested is not None:
            table["split"] = split_of(table["fold"], self.tested, self.folds)
        return table

    def fold(self, tested: int | None) -> "FaceSet":
        """The same faces, split so that this fold tests; None: as they are."""
        return self if tested is None else FaceSet(self.folder, tested)

    @property
    def folds(self) -> int:
        """Into how many the set is cut; 0 where it has one split."""
        return int(self.origin.get("dataset", {}).get("folds", 0))

    @cached_property
    def origin(self) -> dict[str, Any]:
        """What a model trained on these faces must know: dataset, data_digest, preprocessing (the FaceParams)."""
        return dict(self.read_json("origin.json"))

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes, in the order of the labels' indices."""
        return tuple(self.origin.get("dataset", {}).get("emotions", EMOTIONS))

    @property
    def side(self) -> int:
        return int(self.images.shape[1])

    @property
    def channels(self) -> int:
        return int(self.images.shape[3])

    @cached_property
    def labels(self) -> np.ndarray:
        return self.table["label"].to_numpy(np.int64)

    def vote_shares(self, rows: np.ndarray) -> np.ndarray:
        """float32[rows, emotions]: the taggers' votes as shares; a face on which nobody voted is all its label's."""
        shares = np.eye(len(self.emotions), dtype=np.float32)[self.labels[rows]]
        for place, votes in enumerate(self.table["votes"].to_numpy()[rows]):
            if votes is not None:
                shares[place] = votes
        return shares

    def second_opinions(self, rows: np.ndarray) -> np.ndarray:
        """float32[rows, KNOWN]: the taggers' votes as shares, beside the set's own labels; zeros where nobody voted."""
        shares = np.zeros((len(rows), len(KNOWN)), np.float32)
        for place, votes in enumerate(self.table["votes"].to_numpy()[rows]):
            if votes is not None:
                shares[place] = votes
        return shares

    def rows(self, split: str) -> np.ndarray:
        """The row numbers of one split, in table order."""
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}: one of {', '.join(SPLITS)}")
        return np.flatnonzero((self.table["split"] == split).to_numpy())

    @property
    def split_digest(self) -> str:
        """Of which image is on which side: the same at every size, and another for another fold."""
        sides = sorted(f"{image} {side}" for image, side in zip(self.table["sha256"], self.table["split"], strict=True))
        return hashlib.sha256("\n".join(sides).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.table)

    def summary(self) -> dict[str, Any]:
        sought = self.table["found"].dropna().astype(bool)
        return {
            "faces": len(self),
            "side": self.side,
            "channels": self.channels,
            **({"detection_rate": float(sought.mean())} if len(sought) else {}),
            **{split: len(self.rows(split)) for split in SPLITS},
        }


class ImageWriter:
    """Writes images.npy front to back. A memory map would be killed by SIGBUS on a full disk; a write says ENOSPC."""

    def __init__(self, folder: Path, count: int | None, side: int, channels: int) -> None:
        """`count` None: as many as come; the header, which NumPy pads to one length, is set right at the end."""
        self._announced, self._written = count, 0
        self._shape = (side, side, channels)
        self._file = (folder / "images.npy").open("wb")
        self._write_header(count or 0)

    def append(self, images: np.ndarray) -> None:
        """The next images, uint8[n,H,W,C]."""
        if images.dtype != np.uint8 or images.shape[1:] != self._shape:
            raise ValueError(
                f"expected uint8[n,{','.join(map(str, self._shape))}], got {images.dtype}{list(images.shape)}"
            )
        self._file.write(np.ascontiguousarray(images).data)
        self._written += len(images)

    def _write_header(self, count: int) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> "ImageWriter":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        with self._file:
            if kind is None and self._announced is None:
                self._file.seek(0)
                self._write_header(self._written)
        if kind is None and self._announced not in (None, self._written):
            raise ValueError(f"{self._written} images written where {self._announced} were announced")
