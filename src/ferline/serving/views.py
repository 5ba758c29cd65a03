"""Test-time augmentation: the mean of what a network says of several views of the same face.

The logits are averaged, before calibration: the temperature then acts on the mean as it does on a single view.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from ferline.models.trained import BATCH, TrainedModel

Views = Literal["none", "mirror", "ten"]
COUNT: dict[Views, int] = {"none": 1, "mirror": 2, "ten": 10}
SHIFT = 1 / 12  # of the side: 4 pixels of 48, as in the ten crops of 44 that FER2013's literature takes


def logits(model: TrainedModel, faces: np.ndarray, views: Views, device: str = "cpu") -> np.ndarray:
    """float64[N, emotions] of faces uint8[N,S,S,C]: the mean over the views."""
    parts = [model.logits(each, BATCH, device) for each in of(faces, views)]
    return np.asarray(np.mean(parts, axis=0))


def of(faces: np.ndarray, views: Views) -> Iterator[np.ndarray]:
    """The faces as they are; `mirror`: and mirrored; `ten`: and moved to each of four corners, all of it mirrored."""
    step = round(SHIFT * faces.shape[1] / 2)
    corners = [(-step, -step), (-step, step), (step, -step), (step, step)] if views == "ten" else []
    for down, right in [(0, 0), *corners]:
        moved = _moved(faces, down, right)
        yield moved
        if views != "none":
            yield np.ascontiguousarray(moved[:, :, ::-1])


def _moved(faces: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shifted by whole pixels, the border repeated where nothing came in, as augmentation fills it."""
    if not (down or right):
        return faces
    side = faces.shape[1]
    rows, columns = (np.clip(np.arange(side) - by, 0, side - 1) for by in (down, right))
    return np.ascontiguousarray(faces[:, rows][:, :, columns])
