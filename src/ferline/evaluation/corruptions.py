"""What happens to faces outside a dataset, at five strengths: after Hendrycks and Dietterich, Benchmarking Neural
Network Robustness to Common Corruptions and Perturbations (ICLR 2019), for faces of any size.

A face is corrupted the same whichever batch it is in: each by itself, with random draws that follow from the seed,
the corruption's name and the face's place. The strengths share them: from one to the next nothing else differs.
"""

from collections.abc import Callable

import cv2
import numpy as np

from ferline.images.sheet import contact_sheet

STRENGTHS = (1, 2, 3, 4, 5)
# The paper's values: ImageNet-C's for 224 pixels or CIFAR-10-C's for 32; occlusion is not in it.
LEVELS: dict[str, tuple[float, ...]] = {
    "noise": (0.08, 0.12, 0.18, 0.26, 0.38),  # standard deviation, of a range of 1; ImageNet-C's
    "blur": (0.0125, 0.019, 0.022, 0.025, 0.031),  # the Gaussian's standard deviation in sides; CIFAR-10-C's
    "jpeg": (25, 18, 15, 10, 7),  # quality; ImageNet-C's
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),  # added to the value of every pixel, or taken from it; ImageNet-C's
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),  # what is left of every pixel's distance from the mean; CIFAR-10-C's
    "occlusion": (0.05, 0.1, 0.15, 0.2, 0.3),  # the share of the face behind the square
}
# CIFAR-10-C's where the number of pixels matters: the same noise a pixel, or blocks of 8 of the same quality, leave
# less of a small face. A face in between gets what lies in between.
LEVELS_AT_32: dict[str, tuple[float, ...]] = {
    "noise": (0.04, 0.06, 0.08, 0.09, 0.10),
    "jpeg": (80, 65, 58, 50, 40),
}
GREY = 128  # of that square
_CHOSEN = {1: (3,), 2: (2, 4), 3: (1, 3, 5), 4: (1, 2, 4, 5), 5: STRENGTHS}


def strengths(count: int) -> tuple[int, ...]:
    """So many of the five, about their middle."""
    return _CHOSEN[count]


def corrupted(images: np.ndarray, name: str, strength: int, seed: int, places: np.ndarray) -> np.ndarray:
    """A new uint8[N,H,W,C] of faces with 1 or 3 channels; `places`: a number of its own for every face, 0 or above."""
    corrupt, level = _CORRUPTIONS[name], level_of(name, strength, images.shape[1])
    result = np.empty_like(images)
    for image, place, found in zip(images, places, result, strict=True):
        found[:] = corrupt(image, level, np.random.default_rng((seed, list(LEVELS).index(name), int(place))))
    return result


def level_of(name: str, strength: int, side: int) -> float:
    """The value in the tables; where there are two, the one between them for this side, on logarithmic scales."""
    large = LEVELS[name][STRENGTHS.index(strength)]
    small = LEVELS_AT_32.get(name, LEVELS[name])[STRENGTHS.index(strength)]
    return float(small * (large / small) ** np.clip(np.log(side / 32) / np.log(224 / 32), 0, 1))


def sheet(face: np.ndarray, seed: int = 0, side: int = 96) -> np.ndarray:
    """uint8[height,width,3] RGB: a row a corruption, the face as it is and then at every strength."""
    place = np.zeros(1, np.int64)
    cells = [[face, *(corrupted(face[None], name, level, seed, place)[0] for level in STRENGTHS)] for name in LEVELS]
    return contact_sheet(cells, list(LEVELS), ["as it is", *(f"strength {level}" for level in STRENGTHS)], side)


def _noise(image: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
    return _pixels(image + 255 * level * random.standard_normal(image.shape, np.float32))


def _blur(image: np.ndarray, level: float, _: np.random.Generator) -> np.ndarray:
    blurred = cv2.GaussianBlur(image, (0, 0), level * len(image))
    return np.asarray(blurred).reshape(image.shape)  # OpenCV drops a single channel


def _jpeg(image: np.ndarray, level: float, _: np.random.Generator) -> np.ndarray:
    """Through a real file in memory; OpenCV's channels are the other way round, and it halves colour's resolution."""
    file = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, round(level)])[1]
    found = cv2.imdecode(file, cv2.IMREAD_GRAYSCALE if image.shape[2] == 1 else cv2.IMREAD_COLOR)
    return np.asarray(found).reshape(image.shape)[:, :, ::-1]


def _brightness(image: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
    """One face brighter, another darker: the V of HSV moves, the hue stays."""
    shift = 255 * level * random.choice((-1, 1))
    value = image.max(axis=2, keepdims=True).astype(np.float32)
    moved = np.clip(value + shift, 0, 255)
    factor = np.divide(moved, value, out=np.zeros_like(value), where=value > 0)
    return _pixels(np.where(value > 0, image * factor, moved))


def _contrast(image: np.ndarray, level: float, _: np.random.Generator) -> np.ndarray:
    mean = image.mean(axis=(0, 1))
    return _pixels(mean + level * (image - mean))


def _occlusion(image: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    side = round((level * height * width) ** 0.5)
    top, left = (
        int(share * (length - side + 1)) for share, length in zip(random.random(2), (height, width), strict=True)
    )
    covered = image.copy()
    covered[top : top + side, left : left + side] = GREY
    return covered


def _pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


_CORRUPTIONS: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "brightness": _brightness,
    "contrast": _contrast,
    "occlusion": _occlusion,
}
