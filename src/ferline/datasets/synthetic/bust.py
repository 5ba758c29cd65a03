"""Neck, shoulders and clothes below a head, and the long hair that falls on them."""

from dataclasses import dataclass

import numpy as np

from ferline.datasets.synthetic.chance import one_of
from ferline.datasets.synthetic.hair import fall
from ferline.datasets.synthetic.identity import FABRICS, Identity
from ferline.datasets.synthetic.plane import Patch, Plane, Points, curve, paint, symmetric, tint

COLLARS = (1.26, 1.32, 1.62, 1.8)  # how low they reach; the lower two are V-necks


@dataclass(frozen=True)
class Scene:
    """A photograph in the making: the image, its plane, and how much light falls on each column of it."""

    image: np.ndarray
    plane: Plane
    glow: np.ndarray


def draw_bust(scene: Scene, me: Identity, chin: float, rng: np.random.Generator) -> None:
    """Upright below a head at the origin; `chin` is where the head's shadow falls from."""
    fall(scene.image, scene.plane, me, scene.glow, rng, front=False)
    half = 0.36 + 0.06 * me.masculine
    _neck(scene, me, half, chin)
    _clothes(scene, me, half, rng)
    if me.hair == "scarf":
        _drape(scene, me, rng)
    fall(scene.image, scene.plane, me, scene.glow, rng, front=True)


def _neck(scene: Scene, me: Identity, half: float, chin: float) -> None:
    column = curve(
        symmetric([(1.0, 2.0), (1.0, 1.6), (half + 0.25, 1.33), (half, 1.1), (half * 0.97, 0.9), (half, 0.4)])
    )
    skin = scene.plane.fill(column, 0.006)
    _paint_round(scene, skin, np.asarray(me.skin), half)
    tint(scene.image, scene.plane.bump(0, chin + 0.02, 0.42, 0.13).within(scene.plane.spread(skin)), 0.5)


def _clothes(scene: Scene, me: Identity, half: float, rng: np.random.Generator) -> None:
    broad = 1.0 + 0.14 * me.masculine
    slope = [(-1.8 * broad, 4.5), (-1.66 * broad, 2.6), (-1.56 * broad, 1.95), (-1.2 * broad, 1.52), (-0.66, 1.31)]
    shoulder = curve([*slope, (-half - 0.04, 1.14)])
    collar = _collar(one_of(rng, COLLARS), half + 0.04)
    cloth = scene.plane.fill(np.concatenate([shoulder, collar, shoulder[::-1] * (-1, 1)]), 0.006)
    colour = np.asarray(one_of(rng, FABRICS)) * rng.uniform(0.7, 1.25) + rng.normal(0, 8, 3)
    _paint_round(scene, cloth, np.clip(colour, 8, 245) * _weave(scene.plane, cloth, rng)[..., None], 1.6)
    tint(scene.image, scene.plane.stroke(collar, 0.05, 0.012), 0.72)


def _collar(depth: float, half: float) -> Points:
    if depth > 1.5:
        return np.array([(-half, 1.14), (0, depth), (half, 1.14)])
    return curve([(-half, 1.14), (-half * 0.6, depth), (0, depth + 0.07), (half * 0.6, depth), (half, 1.14)])


def _weave(plane: Plane, patch: Patch, rng: np.random.Generator) -> np.ndarray:
    """Folds, and on a quarter of the clothes stripes."""
    folds = 1 + 0.03 * patch.of(plane.noise(rng, 0.3))
    if rng.random() < 0.25:
        folds = folds * (1 - 0.28 * (np.mod(plane.y[patch.rows] / rng.uniform(0.12, 0.3), 1) < 0.45))
    return folds


def _drape(scene: Scene, me: Identity, rng: np.random.Generator) -> None:
    """A scarf around the neck and over the chest."""
    plane = scene.plane
    wide = me.width + 0.1
    cloth = plane.fill(curve([*symmetric([(0.5, 1.75), (wide, 1.35), (wide * 0.98, 0.85)]), (0.0, 1.9)], 10), 0.01)
    folds = 1 + 0.16 * np.sin(14 * (plane.y[cloth.rows] + 0.5 * np.abs(plane.x[:, cloth.cols])) + rng.uniform(0, 6))
    _paint_round(scene, cloth, np.asarray(me.hair_colour) * folds[..., None] * 0.9, 1.0)


def _paint_round(scene: Scene, patch: Patch, colour: np.ndarray, half: float) -> None:
    """Paint what is round like a column `half` units wide to either side."""
    turned = np.sqrt(np.clip(1.05 - (scene.plane.x[:, patch.cols] / (half * 1.25)) ** 2, 0.25, 1))
    light = (scene.glow[:, patch.cols] * turned)[..., None]
    paint(scene.image, patch, np.clip(colour * light, 0, 255))
