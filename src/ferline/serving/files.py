"""What is asked about: photos, folders of them, videos; a stream of pictures, each with its name or what is wrong."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ferline.datasets.sources.files import images_under
from ferline.images.decode import UnreadableImage, decode

# Read once, before the first video: FFmpeg would print lines of its own beside our one about a damaged file.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv"})
WHOLE = 0.9  # of the frames that a video's header states; some containers only estimate them


@dataclass(frozen=True)
class Asked:
    """One file, or what is wrong with what was asked for."""

    file: str  # as it is named in the results
    name: str  # below the folder that was asked for; the annotated picture's
    video: bool = False
    frames: int = 1  # of a video as its header states them; 0 where it does not
    wrong: str | None = None

    def pictures(self, every: int) -> int:
        """How many pictures come of it, as far as its header says."""
        return -(-self.frames // every) if self.video else 1


@dataclass(frozen=True)
class Picture:
    """A photo still to be read, a video's frame, or what is wrong."""

    asked: Asked
    frame: int | None = None
    second: float | None = None
    rgb: np.ndarray | None = None
    wrong: str | None = None

    def read(self) -> np.ndarray:
        """uint8[H,W,3]; UnreadableImage says why not."""
        if self.wrong:
            raise UnreadableImage(self.wrong)
        if self.rgb is not None:
            return self.rgb
        try:
            return decode(Path(self.asked.file).read_bytes())
        except OSError as error:
            raise UnreadableImage(f"cannot be read ({error.strerror})") from None


def asked_for(paths: Sequence[Path], but: Path | None = None) -> list[Asked]:
    """Every file of these paths once, folders searched to the bottom, in the order given and there by name; `but`: a
    folder in them that is none of theirs."""
    found: dict[str, Asked] = {}
    for path in paths:
        try:
            below = path.is_dir()
        except OSError as error:
            found.setdefault(str(path), Asked(str(path), path.name, wrong=f"cannot be read ({error.strerror})"))
            continue
        for each in _below(path, but) if below else [_file(path, path.name)]:
            found.setdefault(each.file, each)
    return list(found.values())


def pictures(asked: Iterable[Asked], every: int) -> Iterator[Picture]:
    """All photos, and of each video the first frame and each `every`-th after it."""
    for each in asked:
        if each.wrong or not each.video:
            yield Picture(each, wrong=each.wrong)
        else:
            yield from _frames(each, every)


def _below(folder: Path, but: Path | None) -> list[Asked]:
    bad: list[Asked] = []
    images = images_under(folder, lambda place, reason: bad.append(Asked(place, Path(place).name, wrong=reason)))
    names = [*images, *(str(path.relative_to(folder)) for path in _videos_below(folder))]
    if but and folder.resolve() in but.resolve().parents:
        names = [name for name in names if but.resolve() not in (folder / name).resolve().parents]
    if not names and not bad:
        return [Asked(str(folder), folder.name, wrong="no image and no video in this folder or below it")]
    return [*(_file(folder / name, name) for name in sorted(names)), *bad]


def _videos_below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
        if path.suffix.lower() in VIDEOS and not hidden and path.is_file():
            yield path


def _file(path: Path, name: str) -> Asked:
    if not path.exists():
        return Asked(str(path), name, wrong="not there")
    if path.suffix.lower() not in VIDEOS:
        return Asked(str(path), name)
    capture = _opened(str(path))
    try:
        if not capture.isOpened():
            return Asked(str(path), name, True, wrong="no video that can be read: damaged, or in a form unknown here")
        return Asked(str(path), name, True, max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))))
    finally:
        capture.release()


def _opened(file: str) -> cv2.VideoCapture:
    """By FFmpeg alone: OpenCV's other readers, tried after it, print lines of bytes about a damaged file."""
    return cv2.VideoCapture(file, cv2.CAP_FFMPEG)


def _frames(asked: Asked, every: int) -> Iterator[Picture]:
    capture = _opened(asked.file)
    number = 0
    try:
        while capture.grab():  # a frame that is passed over is not converted: half of the work
            if number % every == 0:
                second = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                ok, frame = capture.retrieve()
                if not ok:
                    break
                yield Picture(asked, number, round(second, 3), cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            number += 1
    finally:
        capture.release()
    if number < WHOLE * asked.frames or not number:
        stated = f" of {asked.frames:,}" if asked.frames else ""
        yield Picture(asked, wrong=f"damaged: {number:,}{stated} frames can be read")
