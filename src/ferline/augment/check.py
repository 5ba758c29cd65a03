"""Refuses, before any training, an augmentation policy that makes no sense for the faces it is meant for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from ferline.augment.geometry import COLUMNS, matrices
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.params import AugmentationParams

MIN_SIDE = 24  # pixels; the smallest input that any network here takes
MIN_VISIBLE = 0.5  # of the face must stay in the frame in the worst draw
MAX_HOLE = 0.5  # of the face may be erased
MIN_CONTRAST = 0.1  # of the picture's own must remain: 25 of 255 grey levels
MAX_REPEATS = 100  # of one image an epoch; FER2013's rarest class needs 17


def check(params: AugmentationParams, faces: FaceSet) -> None:
    """A FerlineError with one line for each thing that is wrong: the key, its value and what to write."""
    labels = faces.labels[faces.rows("train")]
    if not len(labels):
        raise FerlineError(
            f"{faces.folder}: none of the {len(faces)} faces is in the training split, so there is nothing to augment. "
            "Give the data a train split (dataset.protocol and dataset.shares in params.yaml)"
        )
    problems = [*_balance(params, labels, faces.emotions), *_size(params, faces.side), *_uprightness(params)]
    problems += [*_frame(params), *_light(params), *_erasing(params, faces.side)]
    if problems:
        raise FerlineError("\n".join(f"augmentation.{problem}" for problem in problems))


def worst_visible_share(params: AugmentationParams) -> float:
    """The smallest share of the face, as the disc that its crop encloses, that any draw leaves in the frame.

    The worst draw has every parameter at an end of its range, but for the angle, of which 9 are tried.
    """
    ranges = {"angle": params.rotation, "shear": params.shear, "zoom": params.zoom, "right": params.shift}
    ranges |= {"down": params.shift} | dict.fromkeys(("window", "window_x", "window_y"), params.crop)
    ends = [np.linspace(0, 1, 9 if name == "angle" else 2) if ranges.get(name) else (0.5,) for name in COLUMNS]
    back = matrices(params, np.array(list(product(*ends))))
    forward = np.linalg.inv(np.concatenate([back, np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(back), 1, 3))], axis=1))
    x, y = np.meshgrid(*[(np.arange(25) * 2 + 1) / 25 - 1] * 2)
    disc = np.stack([x, y, np.ones_like(x)])[:, x**2 + y**2 <= 1]
    inside = (np.abs((forward @ disc)[:, :2]) <= 1).all(axis=1)
    return float(inside.mean(axis=1).min())


def _balance(params: AugmentationParams, labels: np.ndarray, emotions: Sequence[str]) -> Iterator[str]:
    if params.balance != "oversample":
        return
    counts = np.bincount(labels, minlength=len(emotions))
    if missing := [name for name, count in zip(emotions, counts, strict=True) if not count]:
        yield (
            f"balance: oversample has no training image of {', '.join(missing)} to repeat; add images, or write none"
        )
    for name, count in zip(emotions, counts, strict=True):
        if count and counts.max() > MAX_REPEATS * count:
            yield (
                f"balance: oversample would show each of {count} images of {name} {counts.max() / count:.0f} times an "
                f"epoch, over {MAX_REPEATS}; add images, or write none and training.class_weights: balanced"
            )


def _size(params: AugmentationParams, side: int) -> Iterator[str]:
    most = max(0.0, np.floor((1 - MIN_SIDE / side) * 100) / 100)
    for key, what in (("crop", "cuts windows"), ("zoom", "shrinks faces to a side")):
        value = getattr(params, key)
        if value and side * (1 - value) < MIN_SIDE:
            yield (
                f"{key}: {value} {what} of {side * (1 - value):.0f} of {side} pixels, and {MIN_SIDE} is the least; "
                f"write at most {most}"
            )


def _uprightness(params: AugmentationParams) -> Iterator[str]:
    if params.horizontal_flip == 1:
        yield "horizontal_flip: 1.0 mirrors every training face and no test face; write 0.5, or less"
    if params.vertical_flip > 0.5:
        yield (
            f"vertical_flip: {params.vertical_flip} stands most training faces on their heads and no test face; "
            "write 0.5, or less"
        )
    if params.rotation > 90 and not params.vertical_flip:
        yield (
            f"rotation: {params.rotation} stands some faces on their heads, as if they were given in radians or turns; "
            "write at most 90 degrees, or a vertical_flip above 0 too if that is meant"
        )


def _frame(params: AugmentationParams) -> Iterator[str]:
    if (share := worst_visible_share(params)) >= MIN_VISIBLE:
        return
    keys = [key for key in ("shift", "zoom", "crop", "shear") if getattr(params, key)]
    stated = ", ".join(f"{key}: {getattr(params, key)}" for key in keys)
    yield (
        f"{stated} together leave {share:.0%} of the face in the frame in the worst draw, under {MIN_VISIBLE:.0%}; "
        f"write at most {_milder(params, keys)}"
    )


def _milder(params: AugmentationParams, keys: list[str]) -> str:
    """The largest values in the same proportion that keep enough of the face in the frame."""
    for factor in np.arange(0.95, 0, -0.05):
        smaller: dict[str, Any] = {key: float(np.floor(getattr(params, key) * factor * 100) / 100) for key in keys}
        if worst_visible_share(replace(params, **smaller)) >= MIN_VISIBLE:
            break
    return ", ".join(f"{key}: {value}" for key, value in smaller.items())


def _light(params: AugmentationParams) -> Iterator[str]:
    left = (1 - params.brightness) * (1 - params.contrast)
    if left < MIN_CONTRAST:
        yield (
            f"brightness: {params.brightness}, contrast: {params.contrast} leave {left:.0%} of a face's own contrast "
            f"in the worst draw; write smaller ones: (1 - brightness) x (1 - contrast) must be {MIN_CONTRAST} or more"
        )


def _erasing(params: AugmentationParams, side: int) -> Iterator[str]:
    if not params.erasing:
        return
    low, high = params.erasing_area
    if high > MAX_HOLE:
        yield f"erasing_area: [{low}, {high}] erases over half the face; write at most {MAX_HOLE} as its second share"
    if high * side**2 < 1:
        yield (
            f"erasing_area: [{low}, {high}] is under one of {side} x {side} pixels and erases nothing; write a second "
            f"share above {1 / side**2:.4f}, or erasing: 0"
        )
