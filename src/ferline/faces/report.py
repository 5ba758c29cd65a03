"""What cropping did to a set: figures in report.json, and two sheets to look at."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import pandas as pd

from ferline.artifact import write_json
from ferline.images.sheet import contact_sheet, save_png

ACROSS = 8  # pictures in a row of a sheet
FAILURES = 4 * ACROSS
PICTURE = 96


class FailureSample:
    """A fair draw of the images without a face from a stream of unknown length; the same stream, the same draw."""

    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []
        self._seen, self._random = 0, Random(0)

    def add(self, picture: np.ndarray) -> None:
        self._seen += 1
        if len(self.pictures) < FAILURES:
            self.pictures.append(picture)
        elif (place := self._random.randrange(self._seen)) < FAILURES:
            self.pictures[place] = picture


def write_report(folder: Path, outcomes: pd.DataFrame) -> None:
    """report.json from one row an image: found, faces, levelled, reason, box. No times: equal work, equal digest."""
    read = outcomes[outcomes["box"].notna()]
    sought = read[read["found"].notna()]
    found = sought["found"].astype(bool)
    report: dict[str, Any] = {
        "images": len(outcomes),
        "unreadable": len(outcomes) - len(read),
        "quarantined": int(outcomes["reason"].notna().sum()),
        "sought": len(sought),
        "detection_rate": _share(found),
        "faces_per_image": {str(n): count for n, count in sorted(Counter(sought["faces"]).items())},
        "levelled_share": _share(sought.loc[found, "levelled"].astype(bool)),
    }
    write_json(folder / "report.json", report)


def write_sheets(
    folder: Path, images: np.ndarray, labels: np.ndarray, emotions: Sequence[str], failures: list[np.ndarray]
) -> None:
    """crops.png, a row for every emotion; failures.png, whole images in which no face was found, if there are any."""
    rng = np.random.default_rng(0)
    present = np.unique(labels).tolist()
    rows = []
    for label in present:
        of_class = np.flatnonzero(labels == label)
        drawn = np.sort(rng.choice(of_class, min(ACROSS, len(of_class)), replace=False))
        rows.append([np.array(images[row]) for row in drawn])
    save_png(folder / "crops.png", contact_sheet(rows, [emotions[label] for label in present], []))
    if failures:
        rows = [failures[first : first + ACROSS] for first in range(0, len(failures), ACROSS)]
        save_png(folder / "failures.png", contact_sheet(rows, [""] * len(rows), []))


def picture_of(rgb: np.ndarray) -> np.ndarray:
    """The whole image, small enough to keep."""
    scale = PICTURE / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if scale < 1 else rgb


def _share(flags: pd.Series) -> float | None:
    return float(flags.mean()) if len(flags) else None
