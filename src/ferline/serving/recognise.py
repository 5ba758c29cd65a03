"""Every face of many pictures: found on all cores, told in batches, one row a face; what cannot be read is a line."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from ferline.faces.cropper import Crop
from ferline.images.decode import UnreadableImage
from ferline.images.parallel import in_order
from ferline.serving.files import Asked, Picture, pictures
from ferline.serving.predictor import Predictor

# Pictures a task: with an annotated copy wanted, six tasks of four 12-megapixel photos are in memory, 0.9 GB.
TASK = 4
UNSURE = "unsure"
PLACE = ("file", "frame", "second", "face")
BOX = ("x", "y", "width", "height")


@dataclass(frozen=True)
class Told:
    """One face: where it is, the emotion it shows or `unsure`, and the share of every emotion."""

    file: str
    frame: int | None  # of a video, from 0
    second: float | None
    face: int  # from 1, the largest first
    box: tuple[int, int, int, int]
    emotion: str
    confidence: float  # the share of the likeliest emotion, also where that is not enough to name it
    shares: dict[str, float]


@dataclass
class Recognised:
    """All faces, and what became of every file."""

    emotions: tuple[str, ...]
    faces: list[Told] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)  # pictures, faces; `wrong` where something is

    @property
    def failed(self) -> list[str]:
        """A line for each file of which something could not be read."""
        return [f"{file}: {each['wrong']}" for file, each in self.files.items() if each["wrong"]]

    def table(self) -> pd.DataFrame:
        """A row a face: file, frame, second, face, x, y, width, height, emotion, confidence, and each share."""
        rows = [
            [*(getattr(told, name) for name in PLACE), *told.box, told.emotion, told.confidence, *told.shares.values()]
            for told in self.faces
        ]
        columns = [*PLACE, *BOX, "emotion", "confidence", *self.emotions]
        return pd.DataFrame(rows, columns=columns).astype({"frame": "Int64"})

    def content(self) -> dict[str, Any]:
        """The same as JSON."""
        files = [{"file": file, **each} for file, each in self.files.items()]
        return {"files": files, "faces": [{**told.__dict__, "box": list(told.box)} for told in self.faces]}


class _Seen(NamedTuple):
    picture: Picture
    rgb: np.ndarray | None  # kept where it is asked for
    faces: list[tuple[Crop, np.ndarray]]
    wrong: str | None = None


Show = Callable[[Picture, np.ndarray, Sequence[Told]], None]


def recognise(
    asked: Sequence[Asked],
    predictor: Predictor,
    threshold: float = 0.0,
    every: int = 1,
    show: Show | None = None,
    workers: int = 0,
) -> Recognised:
    """Tell every face. Below `threshold` the emotion is `unsure`; `show` gets each picture with what was told of it."""
    found = Recognised(predictor.model.emotions)
    found.files = {each.file: {"pictures": 0, "faces": 0, "wrong": None} for each in asked}
    total = sum(each.pictures(every) for each in asked)
    with tqdm(total=total, desc="pictures", unit="picture", disable=None) as bar:
        for batch in _seen(pictures(asked, every), predictor, show is not None, workers):
            shares = iter(_shares(predictor, batch))
            for seen in batch:
                told = [_told(seen.picture, n, crop, next(shares), predictor, threshold) for n, crop in _crops(seen)]
                _note(found, seen, told)
                if show and seen.rgb is not None:
                    show(seen.picture, seen.rgb, told)
            bar.update(len(batch))
    return found


def _seen(stream: Iterable[Picture], predictor: Predictor, keep: bool, workers: int) -> Iterator[list[_Seen]]:
    def work(task: tuple[Picture, ...]) -> list[_Seen]:
        return [_look(picture, predictor, keep) for picture in task]

    with closing(in_order(work, _tasks(stream), workers)) as done:
        for _, seen in done:
            yield seen


def _tasks(stream: Iterable[Picture]) -> Iterator[tuple[Picture, ...]]:
    pending = iter(stream)
    while task := tuple(islice(pending, TASK)):
        yield task


def _look(picture: Picture, predictor: Predictor, keep: bool) -> _Seen:
    try:
        rgb = picture.read()
        return _Seen(picture, rgb if keep else None, predictor.faces(rgb))
    except UnreadableImage as error:
        return _Seen(picture, None, [], str(error))
    except cv2.error as error:  # of one picture, the others go on
        return _Seen(picture, None, [], f"no face can be looked for in it ({error.err})")


def _shares(predictor: Predictor, batch: Sequence[_Seen]) -> np.ndarray:
    faces = [face for seen in batch for _, face in seen.faces]
    return predictor.shares(np.stack(faces)) if faces else np.empty((0, len(predictor.model.emotions)))


def _crops(seen: _Seen) -> Iterator[tuple[int, Crop]]:
    return enumerate((crop for crop, _ in seen.faces), start=1)


def _told(
    picture: Picture, number: int, crop: Crop, shares: np.ndarray, predictor: Predictor, threshold: float
) -> Told:
    emotions, most = predictor.model.emotions, float(shares.max())
    return Told(
        picture.asked.file,
        picture.frame,
        picture.second,
        number,
        crop.box,
        emotions[int(shares.argmax())] if most >= threshold else UNSURE,
        most,
        dict(zip(emotions, shares.tolist(), strict=True)),
    )


def _note(found: Recognised, seen: _Seen, told: list[Told]) -> None:
    entry = found.files[seen.picture.asked.file]
    entry["wrong"] = seen.wrong or entry["wrong"]
    entry["pictures"] += seen.wrong is None
    entry["faces"] += len(told)
    found.faces += told
