"""A photograph: a portrait turned and placed before its surroundings, then what a camera does to it."""

from dataclasses import dataclass

import cv2
import numpy as np

from ferline.datasets.synthetic.backdrop import backdrop
from ferline.datasets.synthetic.bust import Scene, draw_bust
from ferline.datasets.synthetic.expression import ActionUnits
from ferline.datasets.synthetic.identity import Identity
from ferline.datasets.synthetic.landmarks import Landmarks
from ferline.datasets.synthetic.plane import Plane
from ferline.datasets.synthetic.portrait import Light, Portrait, portrait

Box = tuple[int, int, int, int]  # x, y, width, height in pixels
PIVOT = 0.95  # the height about which a head rolls
AXIS = 0.22  # the depth about which it turns
FINER = 1.6  # portraits are drawn this much larger than they are shown
HAIRLINE = -0.7


@dataclass(frozen=True)
class Pose:
    """Degrees."""

    roll: float
    yaw: float
    pitch: float


@dataclass(frozen=True)
class Frame:
    """The size of a photograph, where in it the face's origin lies, and how many pixels a face unit is."""

    width: int
    height: int
    x: float
    y: float
    scale: float

    @property
    def plane(self) -> Plane:
        return Plane(self.scale, -self.x / self.scale, -self.y / self.scale, self.width, self.height)


def photograph(me: Identity, actions: ActionUnits, rng: np.random.Generator) -> tuple[np.ndarray, Box]:
    """uint8[height, width, 3] in sRGB, and the box of the face from the hairline to the chin."""
    frame, pose, light = _frame(rng), _pose(rng), _light(rng)
    x, y = np.clip(rng.normal(0, 0.3, 2), -0.7, 0.7).tolist()
    marks = Landmarks.of(me, actions)
    head = portrait(marks, light, (x, y), frame.scale * FINER, rng)
    plane, image = frame.plane, backdrop(rng, frame.height, frame.width)
    draw_bust(Scene(image, plane, _glow(light, plane)), me, marks.chin, rng)
    _place(image, plane, head, pose)
    return _expose(image, rng), _box(frame, pose, marks)


def _frame(rng: np.random.Generator) -> Frame:
    short = rng.uniform(160, 270)
    long = short * rng.uniform(1.0, 1.3)
    width, height = (round(short), round(long)) if rng.random() < 0.5 else (round(long), round(short))
    scale = rng.uniform(0.46, 0.66) * short / (1 - HAIRLINE)
    # The whole face stays in the picture: 0.95 units above and beside the origin, 1.25 below.
    x = rng.uniform(max(0.95 * scale, 0.3 * width), min(width - 0.95 * scale, 0.7 * width))
    y = rng.uniform(0.95 * scale, max(min(height - 1.25 * scale, 0.62 * height), 0.96 * scale))
    return Frame(width, height, x, y, scale)


def _pose(rng: np.random.Generator) -> Pose:
    return Pose(*np.clip(rng.normal(0, (5, 8, 4)), (-12, -18, -8), (12, 18, 8)).tolist())


def _light(rng: np.random.Generator) -> Light:
    return Light(
        azimuth=rng.uniform(10, 55) * (1 if rng.random() < 0.5 else -1),
        elevation=rng.uniform(15, 50),
        key=rng.uniform(0.85, 1.15),
        ambient=rng.uniform(0.28, 0.5),
        warmth=rng.normal(0.02, 0.05),
    )


def _glow(light: Light, plane: Plane) -> np.ndarray:
    """float32[1, width]: the light on what faces the viewer, stronger towards the lamp."""
    level = np.sqrt(light.key * 0.7 + light.ambient * 0.6)
    return (level * (1 + 0.16 * np.sin(np.radians(light.azimuth)) * np.clip(plane.x, -1.5, 1.5))).astype(np.float32)


def _place(image: np.ndarray, plane: Plane, head: Portrait, pose: Pose) -> None:
    """Turn the head in depth and lay it over the image, sampled once."""
    roll, yaw, pitch = np.radians([pose.roll, pose.yaw, pose.pitch]).tolist()
    x, y = plane.x, plane.y - PIVOT
    level_x = x * np.cos(roll) + y * np.sin(roll)
    level_y = y * np.cos(roll) - x * np.sin(roll) + PIVOT
    source_x, source_y = level_x, level_y
    for _ in range(3):  # a point's depth is known only where it came from, which is what is sought: 3 steps settle it
        z = cv2.remap(head.depth, *head.plane.pixels(source_x, source_y), cv2.INTER_LINEAR) - AXIS
        source_x = (level_x - z * np.sin(yaw)) / np.cos(yaw)
        source_y = (level_y + z * np.sin(pitch)) / np.cos(pitch)
    layers = np.dstack([head.image * head.alpha[..., None], head.alpha])
    layers = cv2.GaussianBlur(layers, (0, 0), 0.3 * FINER)  # finer detail than the photograph's pixels would alias
    layers = cv2.remap(layers, *head.plane.pixels(source_x, source_y), cv2.INTER_LINEAR)
    image *= 1 - layers[..., 3:]
    image += layers[..., :3]


def _expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Contrast, exposure, white balance, focus and grain; one picture in twelve is black and white."""
    image = 255 * np.clip(image / 255, 0, 1) ** np.float32(rng.uniform(0.85, 1.2))
    image *= (rng.uniform(0.82, 1.04) * (1 + rng.normal(0, 0.025, 3))).astype(np.float32)
    if rng.random() < 1 / 12:
        image = np.repeat((image @ np.array((0.299, 0.587, 0.114), np.float32))[..., None], 3, axis=2)
    focus = rng.uniform(0, 1.0)
    if focus > 0.35:
        image = cv2.GaussianBlur(image, (0, 0), focus)
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * np.float32(rng.uniform(0.3, 1.5))
    return np.clip(image + grain[..., None] + 0.5, 0, 255).astype(np.uint8)


def _box(frame: Frame, pose: Pose, marks: Landmarks) -> Box:
    roll, middle = np.radians(pose.roll), (marks.chin + HAIRLINE) / 2 - PIVOT
    x, y = -middle * np.sin(roll), middle * np.cos(roll) + PIVOT
    wide, tall = 2 * marks.identity.width, marks.chin - HAIRLINE
    left, top = frame.x + (x - wide / 2) * frame.scale, frame.y + (y - tall / 2) * frame.scale
    return round(left), round(top), round(wide * frame.scale), round(tall * frame.scale)
