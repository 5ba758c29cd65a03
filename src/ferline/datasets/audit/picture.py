"""What the audit keeps of an image: a small grey picture to compare, and a digest of its pixels."""

import hashlib
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import pandas as pd

from ferline.datasets.samples import Samples
from ferline.images.decode import UnreadableImage, decode
from ferline.images.parallel import in_order

# The side of FER2013, FER+ and CK+48, whose pixels therefore stay as they are. A million pictures are 2.3 GB.
SIDE = 48

Picture = tuple[np.ndarray, str]

_BATCH = 64
_DIGEST_BYTES = 16


def picture_of(rgb: np.ndarray) -> Picture:
    """A decoded image, uint8[H,W,3] or grey [H,W], as uint8[SIDE,SIDE] and the digest of all its pixels.

    Grey pixels have one digest, whether they come as one channel or as three alike, and whatever file they were in.
    """
    grey = rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    pixels = grey if rgb.ndim == 2 or (rgb == grey[:, :, None]).all() else rgb
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=_DIGEST_BYTES)
    digest.update(np.ascontiguousarray(pixels).data)
    return _small(grey), digest.hexdigest()


def _small(grey: np.ndarray) -> np.ndarray:
    """Squeezed into a square whatever its form: copies of a picture are squeezed alike."""
    if grey.shape == (SIDE, SIDE):
        return grey.copy()  # a view would keep the whole image alive
    shrinks = min(grey.shape) >= SIDE
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Pictures:
    """The pictures of a table's rows, in its order. An image that cannot be read has no digest and is black."""

    thumbs: np.ndarray  # uint8[N,SIDE,SIDE]
    digests: np.ndarray  # S32[N]

    @classmethod
    def collect(cls, pictures: Iterable[Picture | None], count: int) -> Self:
        """`count` pictures in order; None stands for an unreadable image."""
        found, given = cls.empty(count), 0
        for place, picture in enumerate(pictures):
            given += 1
            found.put(place, picture)
        if given != count:
            raise ValueError(f"{given} pictures for {count} rows")
        return found

    @classmethod
    def empty(cls, count: int) -> Self:
        """Room for so many, none of them read yet."""
        return cls(np.zeros((count, SIDE, SIDE), np.uint8), np.zeros(count, f"S{2 * _DIGEST_BYTES}"))

    def put(self, place: int, picture: Picture | None) -> None:
        if picture is not None:
            self.thumbs[place], self.digests[place] = picture

    @property
    def readable(self) -> np.ndarray:
        return self.digests != b""

    def take(self, rows: np.ndarray) -> "Pictures":
        """The pictures of these rows: a mask, or their numbers."""
        return Pictures(self.thumbs[rows], self.digests[rows])

    def __len__(self) -> int:
        return len(self.thumbs)


def pictures_of(samples: Samples, workers: int = 0) -> Pictures:
    """The pictures of all samples, decoded on all cores (or `workers`), in the order of `samples.table`."""
    with closing(in_order(lambda batch: list(map(_read, batch[1])), samples.batches(_BATCH), workers)) as done:
        return Pictures.collect((picture for _, pictures in done for picture in pictures), len(samples))


def together(sets: dict[str, tuple[pd.DataFrame, Pictures]]) -> tuple[pd.DataFrame, Pictures]:
    """Several sets as one table, with a column `dataset` that says which is whose, and its pictures."""
    table = pd.concat([table.assign(dataset=name) for name, (table, _) in sets.items()], ignore_index=True)
    pictures = [pictures for _, pictures in sets.values()]
    return table, Pictures(
        np.concatenate([part.thumbs for part in pictures]), np.concatenate([part.digests for part in pictures])
    )


def _read(image: bytes) -> Picture | None:
    try:
        return picture_of(decode(image))
    except UnreadableImage:
        return None
