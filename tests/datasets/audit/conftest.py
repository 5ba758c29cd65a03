"""Smooth pictures, and copies of them altered in the ways in which copies of photographs come about."""

from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd
import pytest

from ferline.datasets.audit.picture import SIDE, Pictures, picture_of

Alter = Callable[[np.ndarray], np.ndarray]


def photographs(count: int, seed: int = 0) -> np.ndarray:
    """uint8[count,SIDE,SIDE]: noise with the spectrum of photographs; every one another."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)) * SIDE
    noise = np.fft.rfft2(np.random.default_rng(seed).standard_normal((count, SIDE, SIDE)))
    pictures = np.fft.irfft2(noise / np.maximum(frequency, 1) ** 1.2, (SIDE, SIDE))
    pictures /= pictures.std(axis=(1, 2), keepdims=True)
    return np.clip(np.rint(110 + 35 * pictures), 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int = 50) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def moved(picture: np.ndarray, right: int, down: int) -> np.ndarray:
    place = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(picture, place, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def brighter(picture: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(np.rint(picture * factor), 0, 255).astype(np.uint8)


def contrast(picture: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(np.rint((picture - picture.mean()) * factor + picture.mean()), 0, 255).astype(np.uint8)


def mirrored(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[:, ::-1])


ALTERATIONS: dict[str, Alter] = {
    "jpeg": jpeg,
    "moved right": lambda p: moved(p, 2, 0),
    "moved up and left": lambda p: moved(p, -2, -2),
    "moved down and right": lambda p: moved(p, 1, 2),
    "brighter": lambda p: brighter(p, 1.2),
    "darker": lambda p: brighter(p, 0.8),
    "more contrast": lambda p: contrast(p, 1.3),
    "less contrast": lambda p: contrast(p, 0.7),
    "mirrored": mirrored,
    "enlarged and back": lambda p: cv2.resize(cv2.resize(p, (96, 96)), (SIDE, SIDE), interpolation=cv2.INTER_AREA),
    "all at once": lambda p: jpeg(mirrored(contrast(brighter(moved(p, 2, -1), 0.9), 1.2))),
}


@pytest.fixture
def make_photographs() -> Callable[..., np.ndarray]:
    return photographs


@pytest.fixture(params=list(ALTERATIONS))
def alter(request: pytest.FixtureRequest) -> Alter:
    return ALTERATIONS[request.param]


@pytest.fixture
def alterations() -> dict[str, Alter]:
    return ALTERATIONS


@pytest.fixture
def make_table() -> Callable[..., tuple[pd.DataFrame, Pictures]]:
    """Images and their columns to an audit's two inputs; what is not given is not known."""

    def make(images: np.ndarray, **columns: object) -> tuple[pd.DataFrame, Pictures]:
        table = pd.DataFrame(
            {"id": [f"i{n}" for n in range(len(images))], "label": "happy", "split": "train"}
            | dict.fromkeys(("subject", "sequence"))
        ).assign(**columns)
        return table, Pictures.collect(map(picture_of, images), len(images))

    return make
