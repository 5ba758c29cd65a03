"""What is behind the head in a photograph."""

from collections.abc import Callable

import cv2
import numpy as np

from ferline.datasets.synthetic.chance import one_of

Backdrop = Callable[[np.random.Generator, int, int], np.ndarray]
COARSE = 3  # a backdrop is out of focus: drawn at a third of the size, it costs a ninth


def backdrop(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """float32[height, width, 3]: a blurred place."""
    rows, cols = height // COARSE + 2, width // COARSE + 2
    place = one_of(rng, BACKDROPS)(rng, rows, cols)
    place = cv2.GaussianBlur(place, (0, 0), rng.uniform(0.012, 0.035) * min(rows, cols))
    return cv2.resize(place, (width, height), interpolation=cv2.INTER_CUBIC)


def _studio(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : cols * 1j].astype(np.float32)
    glow = np.exp(-((x - rng.uniform(0.2, 0.8)) ** 2 + (y - rng.uniform(0.1, 0.6)) ** 2) / rng.uniform(0.2, 0.8))
    return (0.55 + 0.45 * glow)[..., None] * _wall_colour(rng)


def _room(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    wall = _wall_colour(rng)
    image = np.full((rows, cols, 3), 1, np.float32) * wall
    image *= np.linspace(rng.uniform(0.7, 1), rng.uniform(0.7, 1.05), cols, dtype=np.float32)[None, :, None]
    for _ in range(int(rng.integers(2, 6))):
        w, h = rng.uniform(0.1, 0.45) * cols, rng.uniform(0.15, 0.6) * rows
        x, y = rng.uniform(-0.1, 0.95) * cols, rng.uniform(-0.1, 0.8) * rows
        corners = (int(x), int(y)), (int(x + w), int(y + h))
        colour = np.clip(wall * rng.uniform(0.45, 1.35) + rng.normal(0, 13, 3), 10, 250)
        cv2.rectangle(image, *corners, colour.tolist(), -1)
        cv2.rectangle(image, *corners, (colour * 0.6).tolist(), 2)
    return image


def _garden(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    octaves = [_cloud(rng, rows, cols, cells) * share for cells, share in ((3, 0.5), (8, 0.35), (20, 0.25))]
    grain = np.sum(octaves, axis=0)
    green = np.array((rng.uniform(70, 120), rng.uniform(105, 140), rng.uniform(50, 80)), np.float32)
    image = green * (1 + 0.38 * grain[..., None])
    horizon = np.linspace(1, -1, rows, dtype=np.float32)[:, None] * 2.2 + 0.6 * grain - rng.uniform(0.4, 1.8)
    return image + (np.array((198, 214, 226), np.float32) - image) * (1 / (1 + np.exp(-4 * horizon)))[..., None]


def _lights(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    image = np.full((rows, cols, 3), 1, np.float32) * np.array((38, 42, 58)) * np.float32(rng.uniform(0.8, 1.6))
    for _ in range(int(rng.integers(8, 22))):
        centre = int(rng.uniform(0, cols)), int(rng.uniform(0, rows))
        colour = np.clip(np.array((230, 180, 120)) * rng.uniform(0.4, 1) + rng.normal(0, 45, 3), 0, 255)
        spot = np.zeros_like(image)
        cv2.circle(spot, centre, int(rng.uniform(0.02, 0.08) * cols) + 1, (colour * 0.6).tolist(), -1, cv2.LINE_AA)
        image = np.minimum(image + spot, 255)
    return image


def _street(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    sky, ground = np.array((196, 208, 220)), np.array((118, 114, 110))
    image = np.repeat(np.linspace(sky, ground, rows, dtype=np.float32)[:, None], cols, axis=1)
    x = 0.0
    while x < cols:
        w = rng.uniform(0.08, 0.3) * cols
        top = rng.uniform(0.0, 0.55) * rows
        colour = np.clip(np.array((150, 138, 126)) * rng.uniform(0.5, 1.3) + rng.normal(0, 14, 3), 10, 250)
        cv2.rectangle(image, (int(x), int(top)), (int(x + w), int(0.86 * rows)), colour.tolist(), -1)
        for row in np.arange(top + 3, 0.8 * rows, 7):
            cv2.line(image, (int(x) + 2, int(row)), (int(x + w) - 2, int(row)), (colour * 0.72).tolist(), 2)
        x += w
    return image


def _tiles(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    colour = _wall_colour(rng)
    image = colour * (1 + 0.06 * _cloud(rng, rows, cols, 10))[..., None]
    step = int(rng.integers(6, 14))
    for row, y in enumerate(range(0, rows, step)):
        cv2.line(image, (0, y), (cols, y), (colour * 0.74).tolist(), 1)
        for x in range((row % 2) * step, cols, 2 * step):
            cv2.line(image, (x, y), (x, y + step), (colour * 0.74).tolist(), 1)
    return image


BACKDROPS: tuple[Backdrop, ...] = (_studio, _room, _room, _garden, _lights, _street, _tiles)


def _wall_colour(rng: np.random.Generator) -> np.ndarray:
    grey = rng.uniform(70, 215)
    return np.clip(grey + rng.normal(0, 16, 3), 20, 245).astype(np.float32)


def _cloud(rng: np.random.Generator, rows: int, cols: int, cells: int) -> np.ndarray:
    grain = rng.standard_normal((cells + 1, cells + 1)).astype(np.float32)
    return cv2.resize(grain, (cols, rows), interpolation=cv2.INTER_CUBIC)
