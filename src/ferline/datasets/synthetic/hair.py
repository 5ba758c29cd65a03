"""Hair and scarves: their shapes, their strands, and how they fall on the head and the shoulders."""

from dataclasses import dataclass

import cv2
import numpy as np

from ferline.datasets.synthetic.identity import HairStyle, Identity
from ferline.datasets.synthetic.landmarks import CROWN, Landmarks
from ferline.datasets.synthetic.layers import Layers
from ferline.datasets.synthetic.plane import Patch, Plane, Points, curve, mirrored, paint, shifted, symmetric, tint

EAR_TOP = -0.42


@dataclass(frozen=True)
class Cut:
    """The shape of a hair style, in face units."""

    top: float  # how far it stands above the crown
    side: float  # and beside the head
    bottom: float  # where it ends beside the face
    hairline: float  # where it ends on the forehead
    temple: float = 0.82  # where it meets the temple, as a share of the face's half-width
    sweep: float = 0.0  # how far it hangs lower on one side of the parting
    ragged: float = 0.012
    curtain: bool = False  # falls beside the cheeks, over the ears
    coils: bool = False
    length: float = 0.0  # how far down it falls behind the neck; 0 for not at all
    locks: bool = False  # and before the shoulders


CUTS: dict[HairStyle, Cut | None] = {
    "bald": None,
    "receding": Cut(0.05, 0.03, 0.02, -0.88, temple=0.8),
    "crop": Cut(0.035, 0.018, 0.0, -0.77, temple=0.86, ragged=0.006),
    "short": Cut(0.12, 0.045, 0.06, -0.73),
    "swept": Cut(0.2, 0.06, 0.04, -0.78, sweep=0.15),
    "fringe": Cut(0.12, 0.12, 0.62, -0.54, temple=0.92, curtain=True, ragged=0.02, length=0.85),
    "tied": Cut(0.05, 0.022, -0.04, -0.8, temple=0.84, ragged=0.006),
    "bun": Cut(0.06, 0.025, -0.04, -0.78, temple=0.84, ragged=0.006),
    "bob": Cut(0.13, 0.17, 0.66, -0.8, temple=0.84, sweep=0.16, curtain=True, length=0.9),
    "long": Cut(0.12, 0.13, 1.05, -0.8, temple=0.86, sweep=0.05, curtain=True, length=1.9, locks=True),
    "curly": Cut(0.24, 0.18, 0.3, -0.7, temple=0.84, ragged=0.04, coils=True),
    "afro": Cut(0.36, 0.34, 0.22, -0.72, temple=0.86, ragged=0.03, coils=True),
    "scarf": Cut(0.09, 0.1, 1.15, -0.7, temple=0.86, curtain=True, ragged=0.0, length=1.45),
}


def dress_hair(layers: Layers, marks: Landmarks, plane: Plane, rng: np.random.Generator) -> None:
    """Draw the hair, its relief and its gloss on a portrait's layers, in place."""
    me = marks.identity
    cut = CUTS[me.hair]
    if cut is None:
        return
    grain = strands(plane, me, rng)
    if me.hair == "bun":
        _lay(layers, plane, plane.disc(me.parting * 0.2, CROWN - 0.15, 0.26, 0.21, 0.01), grain, me, 0.2)
    outline = _outline(cut, me, rng)
    cap = plane.fill(outline, 0.008)
    if cut.curtain:  # the ends thin out, so that they run into the hair on the shoulders
        cap = cap * np.clip((cut.bottom - plane.y[cap.rows]) / 0.22, 0, 1)
    tint(layers.colours, plane.fill(shifted(outline, 0, 0.03), 0.035), 0.72)
    _lay(layers, plane, cap, grain, me, 0.62)


def _lay(layers: Layers, plane: Plane, patch: Patch, grain: np.ndarray, me: Identity, height: float) -> None:
    colour = np.asarray(me.hair_colour, np.float32) * (1 + 0.3 * patch.of(grain)[..., None])
    paint(layers.colours, patch, np.clip(colour, 2, 250))
    # Rounded like a cushion: high inside, falling off within 0.15 units of its edge.
    cushion = patch.of(_blurred(plane.spread(patch), 0.09 * plane.scale))
    relief = patch.of(layers.relief)
    relief += (height * (0.25 + 0.75 * cushion) + 0.01 * patch.of(grain) - relief) * patch.alpha
    shine = 0.25 if me.hair == "scarf" else 1.0
    for layer, value in ((layers.alpha, 1.0), (layers.gloss, shine)):
        np.maximum(patch.of(layer), patch.alpha * np.float32(value), out=patch.of(layer))


def _outline(cut: Cut, me: Identity, rng: np.random.Generator) -> Points:
    """Outside up the left, over the top and down the right, then back along the hairline."""
    outer, inner = curve(_outside(cut, me), 10), curve(_hairline(cut, me), 10)
    if cut.curtain and me.hair != "scarf":
        outer[:, 0] *= 1 + 0.05 * me.wave * np.sin(outer[:, 1] * 11) * np.clip(outer[:, 1] + 0.4, 0, 1)
    inner += rng.normal(0, cut.ragged * 0.5, inner.shape)
    outer += rng.normal(0, cut.ragged * (0.6 if cut.coils else 0.2), outer.shape)
    if cut.coils:
        outer = curve(outer, 4)
    return np.concatenate([outer, inner])


def _outside(cut: Cut, me: Identity) -> Points:
    top, side = CROWN - cut.top * me.hair_volume, me.width + cut.side * (0.6 + 0.4 * me.hair_volume)
    foot = me.width * 1.04 if cut.coils else side * (1.0 if cut.curtain else 0.985)
    half = [(foot, cut.bottom), (side * 1.02, cut.bottom * 0.5 - 0.1), (side, EAR_TOP)]
    half += [(side * x, EAR_TOP + (top - EAR_TOP) * y) for x, y in ((0.84, 0.55), (0.47, 0.89), (0.0, 1.0))]
    return symmetric(half)


def _hairline(cut: Cut, me: Identity) -> Points:
    """From the right foot over the forehead to the left."""
    temple, burn = me.width * cut.temple, me.width * (0.9 if cut.curtain else 0.955)
    corner = cut.hairline + (0.12 if cut.hairline < -0.6 else 0)  # hair grows in an arch; a fringe is cut straight
    points = []
    for side in (1, -1):
        low = cut.sweep if side * me.parting < 0 else 0.0
        half = [
            (burn, cut.bottom),
            (burn, min(cut.bottom, 0.1) - 0.15),
            (temple * 1.03, EAR_TOP + low * 0.3),
            (temple * 0.76, corner + low * 0.7),
            (temple * 0.42, cut.hairline + 0.02 + low * 0.6),
        ]
        points += [(side * x, y) for x, y in (half if side > 0 else half[::-1])]
        if side > 0:
            points.append((me.parting * 0.6, cut.hairline))
    return np.array(points)


def strands(plane: Plane, me: Identity, rng: np.random.Generator) -> np.ndarray:
    """float32[height, width] around 0: strands falling from the parting, coils, or the folds of cloth."""
    cut = CUTS[me.hair]
    if cut is not None and cut.coils:
        return 0.6 * plane.noise(rng, 0.035) + 0.4 * plane.noise(rng, 0.09)
    fine = (30,) if me.hair == "scarf" else (60, 180, 420)
    table = np.zeros(2048)
    for knots in fine:
        table += np.interp(np.arange(2048), np.linspace(0, 2048, knots), rng.standard_normal(knots)) * 0.4
    # Below the temples strands hang straight: there the angle depends on x alone.
    down = np.minimum(plane.y, -0.35) - CROWN + 0.13
    across = plane.x - me.parting * 0.6 + (0.03 + 0.03 * me.wave) * plane.noise(rng, 0.3)
    angle = cv2.phase(across, np.broadcast_to(np.maximum(down, -0.15), across.shape).astype(np.float32))
    streaks = table.astype(np.float32)[np.clip(angle * (2048 / (2 * np.pi)), 0, 2047).astype(np.int32)]
    return streaks + 0.12 * plane.noise(rng, 0.06)


def fall(
    image: np.ndarray, plane: Plane, me: Identity, glow: np.ndarray, rng: np.random.Generator, front: bool
) -> None:
    """Long hair below the head: behind the neck, or in `front` of the shoulders."""
    cut = CUTS[me.hair]
    if cut is None or not cut.length or (front and not cut.locks):
        return
    wide = me.width + cut.side * (0.6 + 0.4 * me.hair_volume)
    grain, colour = strands(plane, me, rng), np.asarray(me.hair_colour, np.float32)
    for shape in _locks(cut, me, wide) if front else [_back(cut, wide)]:
        shape = shape + (0.03 * me.wave * np.sin(shape[:, 1:] * 9) * (1, 0))
        patch = plane.fill(shape, 0.012)
        light = glow[:, patch.cols] * (0.85 if front else 0.5)
        paint(image, patch, np.clip(colour * (light * (1 + 0.25 * patch.of(grain)))[..., None], 0, 255))


def _back(cut: Cut, wide: float) -> Points:
    half = [(wide * 0.7, cut.length), (wide * 0.99, cut.length - 0.3), (wide * 0.95, 0.3), (wide * 0.8, -0.3)]
    return curve(symmetric(half))


def _locks(cut: Cut, me: Identity, wide: float) -> list[Points]:
    outside = [(wide * 0.95, 0.3), (wide * 1.02, 1.0), (wide, 1.6), (wide * 0.84, cut.length)]
    inside = [(wide * 0.66, 1.7), (me.width * 0.74, 1.2), (me.width * 0.9, 0.5)]
    lock = curve(outside + inside)
    return [lock, mirrored(lock, -1)]


def _blurred(mask: np.ndarray, sigma: float) -> np.ndarray:
    """A wide blur, done on a quarter of the size."""
    small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
