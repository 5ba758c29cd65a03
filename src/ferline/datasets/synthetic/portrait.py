"""A lit head without surroundings: relief, complexion and hair under one light."""

from dataclasses import dataclass

import cv2
import numpy as np

from ferline.datasets.synthetic.complexion import complexion_of, pupil
from ferline.datasets.synthetic.glasses import wear_glasses
from ferline.datasets.synthetic.hair import dress_hair
from ferline.datasets.synthetic.landmarks import SIDES, Landmarks
from ferline.datasets.synthetic.layers import Layers
from ferline.datasets.synthetic.plane import Plane, lift, paint, tint
from ferline.datasets.synthetic.relief import relief_of

EXTENT = (-1.25, -1.6, 1.25, 1.32)  # left, top, right, bottom: room for the largest hair and a dropped jaw


@dataclass(frozen=True)
class Light:
    """A key light and what the room gives back. Angles in degrees: azimuth to the viewer's right, elevation up."""

    azimuth: float
    elevation: float
    key: float
    ambient: float
    warmth: float

    @property
    def direction(self) -> tuple[float, float, float]:
        """A unit vector towards the light: x to the right, y down, z to the viewer."""
        az, el = np.radians([self.azimuth, self.elevation])
        return float(np.sin(az) * np.cos(el)), float(-np.sin(el)), float(np.cos(az) * np.cos(el))

    @property
    def colour(self) -> tuple[float, float, float]:
        return 1 + self.warmth, 1.0, 1 - self.warmth


@dataclass(frozen=True)
class Portrait:
    """sRGB as float32 from 0 to 255, coverage from 0 to 1, and the height of the head itself for turning it."""

    plane: Plane
    image: np.ndarray
    alpha: np.ndarray
    depth: np.ndarray


def portrait(
    marks: Landmarks, light: Light, gaze: tuple[float, float], scale: float, rng: np.random.Generator
) -> Portrait:
    """The head looking straight at the viewer, `scale` pixels to the face unit."""
    left, top, right, bottom = EXTENT
    plane = Plane(scale, left, top, round((right - left) * scale), round((bottom - top) * scale))
    relief = relief_of(marks, plane)
    depth = cv2.GaussianBlur(relief, (0, 0), 0.03 * scale)
    face = plane.spread(plane.fill(marks.outline, 0.004))
    layers = Layers(complexion_of(marks, plane, gaze, rng), relief, face, np.zeros(plane.shape, np.float32))
    _ears(layers, marks, plane)
    dress_hair(layers, marks, plane, rng)
    image = _lit(layers, light, plane)
    _catchlights(image, marks, light, gaze, plane)
    wear_glasses(image, marks.identity, plane)
    return Portrait(plane, image, layers.alpha, depth)


def _ears(layers: Layers, marks: Landmarks, plane: Plane) -> None:
    for side in SIDES:
        x = side * (marks.identity.width + 0.02)
        ear = plane.disc(x, 0.02, 0.085, 0.17, 0.004)
        outside = ear.within(1 - layers.alpha)
        lift(layers.relief, outside, 0.12)
        lift(layers.relief, plane.disc(x + side * 0.01, 0.02, 0.045, 0.11, 0.015), -0.03)
        tint(layers.colours, outside, (0.96, 0.86, 0.84))
        np.maximum(ear.of(layers.alpha), ear.alpha, out=ear.of(layers.alpha))


def _catchlights(image: np.ndarray, marks: Landmarks, light: Light, gaze: tuple[float, float], plane: Plane) -> None:
    """The light itself, mirrored in the eyes."""
    for side in SIDES:
        eye = marks.eye(side)
        x, y = pupil(eye, gaze)
        spot = plane.disc(x + 0.022 * np.sign(light.azimuth), y - 0.023, 0.015, 0.015, 0.003)
        paint(image, spot.within(plane.spread(plane.fill(eye.opening))), (255, 255, 255), 0.9)


def _lit(layers: Layers, light: Light, plane: Plane) -> np.ndarray:
    """Lambert's law with soft skin, shaded hollows and a sheen; in squared values, which are close to linear light."""
    relief, gloss = layers.relief, layers.gloss
    slope_x = cv2.Scharr(relief, cv2.CV_32F, 1, 0, scale=plane.scale / 32)
    slope_y = cv2.Scharr(relief, cv2.CV_32F, 0, 1, scale=plane.scale / 32)
    upright = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    lx, ly, lz = light.direction
    facing = (lz - lx * slope_x - ly * slope_y) * upright
    halfway = np.maximum((facing + upright) * 0.5, 0)
    open_, sky = _openness(relief, plane), light.ambient * (0.8 - 0.25 * slope_y * upright)
    sheen = light.key * _power24(halfway)
    bare, shiny = 0.05 * (1 - gloss), 0.9 * gloss
    bare += 0.02 * gloss
    spread = 0.28 - 0.16 * gloss  # light travels inside skin, red the furthest
    out = np.square(layers.colours * np.float32(1 / 255))
    for channel, colour in enumerate(light.colour):
        reach = spread if channel == 0 else np.float32(0.12)
        diffuse = np.maximum((facing + reach) / (1 + reach), 0)
        albedo = out[..., channel]
        out[..., channel] = albedo * ((light.key * colour) * diffuse + sky) * open_ + sheen * (bare + shiny * albedo)
    np.clip(out, 0, 1, out=out)
    return np.sqrt(out, out=out) * np.float32(255)


def _openness(relief: np.ndarray, plane: Plane) -> np.ndarray:
    """Ambient occlusion: how much light reaches a point from around; folds and sockets get less."""
    fold = relief - cv2.GaussianBlur(relief, (0, 0), 0.035 * plane.scale)
    small = cv2.resize(relief, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(small, (0, 0), 0.03 * plane.scale)  # 0.12 units, on a quarter of the size
    socket = relief - cv2.resize(wide, (plane.width, plane.height), interpolation=cv2.INTER_LINEAR)
    return np.clip(1 + 7 * np.minimum(fold, 0.01) + 1.3 * np.clip(socket, -0.25, 0.05), 0.25, 1.15)


def _power24(x: np.ndarray) -> np.ndarray:
    """x**24 in five products; the general power takes ten times as long."""
    eighth = np.square(np.square(np.square(x)))
    return eighth * np.square(eighth)
