"""EMOTIC's people cut out of its images, as PNG: nothing is lost on top of what the JPEG had lost."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from ferline.datasets.sources.emotic_annotations import Person
from ferline.datasets.sources.files import bytes_of, few
from ferline.errors import FerlineError
from ferline.images.decode import UnreadableImage, decode

Cut = tuple[Person, bytes]


def from_photographs(images: Path, people: Sequence[Person], notes: list[str]) -> Iterator[Cut]:
    """Each person's box, clipped to the image. One image is in memory at a time, decoded once for all its people."""
    of_image: dict[str, list[Person]] = {}
    for person in people:
        of_image.setdefault(person.image, []).append(person)
    empty: list[str] = []
    other_size: list[str] = []
    for path, here in of_image.items():
        pixels = _decoded(images / path)
        if pixels.shape[1::-1] != here[0].size:
            other_size.append(path)
        for person in here:
            part = _clipped(pixels, person.box)
            if part.size:
                yield person, png(part)
            else:
                empty.append(f"{path}#{person.number}")
    if empty:
        notes.append(f"{len(empty):,} people left out: their box covers nothing of the image ({few(empty)})")
    if other_size:
        notes.append(
            f"{len(other_size):,} images are not of the size that the annotations state, so their boxes may be "
            f"elsewhere ({few(other_size)})"
        )


def _decoded(path: Path) -> np.ndarray:
    try:
        return decode(bytes_of(path))
    except UnreadableImage as error:
        raise FerlineError(f"{path}: {error}. Nothing was added") from None


def _clipped(pixels: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = (max(0, value) for value in box)
    return pixels[top:bottom, left:right]


def from_arrays(folder: Path, people: Sequence[Person]) -> Iterator[Cut]:
    """Those whom somebody cut out before, in files of RGB arrays: one a person, or all of a split in one."""
    opened: tuple[str, np.ndarray] = ("", np.empty(0))
    for person in people:
        if opened[0] != person.array:
            opened = (person.array, open_array(folder / person.array))
        pixels = opened[1] if person.row is None else opened[1][person.row]
        grey_or_rgb = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
        if pixels.dtype != np.uint8 or not grey_or_rgb or not pixels.size:
            shape = " x ".join(map(str, pixels.shape))
            raise FerlineError(
                f"{folder / person.array}: {pixels.dtype}[{shape}] is no image; uint8[height, width, 3] is needed. "
                "Nothing was added"
            )
        yield person, png(np.asarray(pixels))


def open_array(path: Path) -> np.ndarray:
    """Not read, but mapped: EMOTIC's training people are 1.1 GB as 128 x 128 arrays."""
    try:
        return np.lib.format.open_memmap(path, mode="r")  # refuses pickled objects
    except (OSError, ValueError, EOFError) as error:
        raise FerlineError(f"{path}: cannot be read as an array ({error}). Nothing was added") from None


def png(pixels: np.ndarray) -> bytes:
    """uint8[H,W] or RGB uint8[H,W,3], encoded without loss."""
    done, data = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])
    if not done:
        raise FerlineError("OpenCV could not encode a PNG; install opencv-python-headless again")
    return data.tobytes()
