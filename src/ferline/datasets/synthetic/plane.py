"""A drawing plane in face units, and the few ways to draw on it.

Face units: the origin is mid-face, x to the viewer's right, y down, the chin near y = 1, so that a shape is written
once and drawn at any resolution. Whatever is drawn comes as a `Patch`, which covers its own bounding box only: a mouth
costs what a mouth costs, not what a picture does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor

import cv2
import numpy as np

Points = np.ndarray  # float[n, 2] in face units


@dataclass(frozen=True)
class Patch:
    """Coverage from 0 to 1 of one rectangle of a plane."""

    rows: slice
    cols: slice
    alpha: np.ndarray

    def __mul__(self, factor: np.ndarray) -> "Patch":
        return Patch(self.rows, self.cols, self.alpha * factor.astype(np.float32))

    def within(self, mask: np.ndarray) -> "Patch":
        """The part of it that lies inside a mask of the whole plane."""
        return Patch(self.rows, self.cols, self.alpha * mask[self.rows, self.cols])

    def of(self, layer: np.ndarray) -> np.ndarray:
        """A view of the rectangle in a layer of the whole plane."""
        return layer[self.rows, self.cols]


@dataclass(frozen=True)
class Plane:
    """`scale` pixels to the unit; the left top corner of the first pixel lies at (left, top)."""

    scale: float
    left: float
    top: float
    width: int
    height: int

    @cached_property
    def x(self) -> np.ndarray:
        """float32[1, width]: the x of every column; broadcasts against `y`."""
        return ((np.arange(self.width) + 0.5) / self.scale + self.left).astype(np.float32)[None, :]

    @cached_property
    def y(self) -> np.ndarray:
        """float32[height, 1]."""
        return ((np.arange(self.height) + 0.5) / self.scale + self.top).astype(np.float32)[:, None]

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    def pixels(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where points lie in pixels, a whole number being a pixel's centre."""
        u, v = (x - self.left) * self.scale - 0.5, (y - self.top) * self.scale - 0.5
        return u.astype(np.float32), v.astype(np.float32)

    def fill(self, polygon: Points, soft: float = 0.0) -> Patch:
        """A filled polygon, its edge blurred with a Gaussian of `soft` units."""
        pixels = (polygon - (self.left, self.top)) * self.scale - 0.5
        rows, cols = self._box(pixels, 3 * soft * self.scale + 2)
        mask = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.uint8)
        if mask.size:
            sixteenths = np.round((pixels - (cols.start, rows.start)) * 16).astype(np.int32)
            cv2.fillPoly(mask, [sixteenths], 255, lineType=cv2.LINE_AA, shift=4)
            if soft * self.scale > 0.3:
                mask = cv2.GaussianBlur(mask, (0, 0), soft * self.scale)
        return Patch(rows, cols, mask.astype(np.float32) * np.float32(1 / 255))

    def stroke(self, line: Points, widths: float | np.ndarray, soft: float = 0.0) -> Patch:
        """A line as thick as `widths`, one for all or one for each of its points."""
        return self.fill(ribbon(line, widths), soft)

    def disc(self, x: float, y: float, rx: float, ry: float, soft: float = 0.0) -> Patch:
        return self.fill(ellipse(x, y, rx, ry), soft)

    def bump(self, x: float, y: float, rx: float, ry: float) -> Patch:
        """A Gaussian hill; `rx` and `ry` are its standard deviations."""
        reach = np.array([(x - 3 * rx, y - 3 * ry), (x + 3 * rx, y + 3 * ry)])
        rows, cols = self._box((reach - (self.left, self.top)) * self.scale, 1)
        across = np.exp(-0.5 * ((self.x[:, cols] - x) / rx) ** 2)
        down = np.exp(-0.5 * ((self.y[rows] - y) / ry) ** 2)
        return Patch(rows, cols, (down * across).astype(np.float32))

    def spread(self, patch: Patch) -> np.ndarray:
        """The patch on a mask of the whole plane."""
        mask = np.zeros(self.shape, np.float32)
        mask[patch.rows, patch.cols] = patch.alpha
        return mask

    def noise(self, rng: np.random.Generator, cell: float) -> np.ndarray:
        """float32[height, width] of smooth noise around 0, its grain `cell` units wide."""
        rows, cols = (max(2, round(side / self.scale / cell) + 2) for side in self.shape)
        grain = rng.standard_normal((rows, cols), dtype=np.float32)
        return cv2.resize(grain, (self.width, self.height), interpolation=cv2.INTER_CUBIC)

    def _box(self, pixels: np.ndarray, reach: float) -> tuple[slice, slice]:
        (x0, y0), (x1, y1) = pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist()
        return _span(y0 - reach, y1 + reach, self.height), _span(x0 - reach, x1 + reach, self.width)


def _span(low: float, high: float, limit: int) -> slice:
    return slice(min(max(floor(low), 0), limit), min(max(ceil(high) + 1, 0), limit))


def paint(image: np.ndarray, patch: Patch, colour: np.ndarray | Sequence[float], strength: float = 1.0) -> None:
    """Lay a colour (or colours of the patch's size) over an image."""
    region = patch.of(image)
    region += (np.asarray(colour, np.float32) - region) * (patch.alpha * np.float32(strength))[..., None]


def tint(image: np.ndarray, patch: Patch, factor: Sequence[float] | float) -> None:
    """Multiply an image by a factor where the patch covers it: shadows, blushes."""
    region = patch.of(image)
    region *= 1 + (np.asarray(factor, np.float32) - 1) * patch.alpha[..., None]


def lift(relief: np.ndarray, patch: Patch, height: float) -> None:
    """Raise a height map, or carve it with a height below 0."""
    region = patch.of(relief)
    region += patch.alpha * np.float32(height)


def curve(knots: Sequence[tuple[float, float]] | Points, steps: int = 8) -> Points:
    """A Catmull-Rom spline through the knots."""
    inner = np.asarray(knots, dtype=float)
    padded = np.concatenate([2 * inner[:1] - inner[1:2], inner, 2 * inner[-1:] - inner[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    a, b, c, d = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    spans = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3)
    return np.concatenate([spans.transpose(1, 0, 2).reshape(-1, 2), inner[-1:]])


def ribbon(line: Points, widths: float | np.ndarray) -> Points:
    """The outline of a line with these widths."""
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
    half = np.broadcast_to(np.asarray(widths, dtype=float) / 2, (len(line),))[:, None]
    return np.concatenate([line + normal * half, (line - normal * half)[::-1]])


def ellipse(x: float, y: float, rx: float, ry: float, points: int = 32) -> Points:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def shifted(points: Points, right: float, down: float) -> Points:
    return points + np.array((right, down))


def symmetric(half: Sequence[tuple[float, float]]) -> Points:
    """Points written for the viewer's right from the bottom up, as a line up the left and down the right."""
    right = np.asarray(half, dtype=float)
    return np.concatenate([right * (-1, 1), right[::-1]])


def mirrored(points: Points, side: int) -> Points:
    """The points for one side of the face: -1 the viewer's left, +1 the right, where they were written."""
    return points * (side, 1)
