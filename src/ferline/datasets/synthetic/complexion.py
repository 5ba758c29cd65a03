"""The colours of a face before any light falls on it: skin, lips, eyes, brows, beard."""

import numpy as np

from ferline.datasets.synthetic.identity import Identity
from ferline.datasets.synthetic.landmarks import EYE_Y, SIDES, Eye, Landmarks
from ferline.datasets.synthetic.mouth import STEPS, Mouth
from ferline.datasets.synthetic.plane import Patch, Plane, Points, curve, paint, shifted, tint

RED = (1.02, 0.91, 0.91)
DARK = (0.86, 0.8, 0.8)
ENAMEL = np.array((236, 230, 214))


def complexion_of(marks: Landmarks, plane: Plane, gaze: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """float32[height, width, 3], sRGB."""
    colours = _skin(marks, plane, rng)
    _beard(colours, marks, plane, rng)
    _nostrils(colours, marks, plane)
    _mouth(colours, marks, plane)
    for side in SIDES:
        _eye(colours, marks.identity, marks.eye(side), plane, gaze)
        _lids(colours, marks.identity, marks.eye(side), plane, side)
        _brow(colours, marks, plane, side, rng)
    return colours


def _skin(marks: Landmarks, plane: Plane, rng: np.random.Generator) -> np.ndarray:
    me = marks.identity
    mottle = 1 + 0.018 * plane.noise(rng, 0.12) + 0.012 * plane.noise(rng, 0.03)
    colours = mottle[..., None] * np.asarray(me.skin, np.float32)
    for side in SIDES:
        tint(colours, plane.bump(side * 0.38, 0.2, 0.14, 0.11), RED)
        tint(colours, plane.bump(side * me.eye_x, EYE_Y, 0.13, 0.085), DARK)
        tint(colours, plane.bump(side * 0.1, EYE_Y + 0.01, 0.05, 0.07), DARK)
    tint(colours, plane.bump(0, marks.nose_tip, 0.09, 0.06), RED)
    if me.freckles:
        where = plane.bump(0, 0.12, 0.32, 0.13)
        spots = np.clip(plane.noise(rng, 0.014) - 1.3, 0, 0.8) * me.freckles
        tint(colours, where * where.of(spots), (0.75, 0.6, 0.5))
    return colours


def _beard(colours: np.ndarray, marks: Landmarks, plane: Plane, rng: np.random.Generator) -> None:
    me, mouth = marks.identity, marks.mouth
    if me.beard == "none":
        return
    shapes = [_moustache(marks)]
    if me.beard != "moustache":
        shapes.append(_goatee(marks) if me.beard == "goatee" else _jaw_beard(marks))
    stubble = me.beard == "stubble"
    bristle = np.clip(0.9 + 0.16 * plane.noise(rng, 0.015) + 0.1 * plane.noise(rng, 0.05), 0, 1)
    beside_lips = 1 - plane.spread(plane.fill(mouth.lips, 0.004))
    for shape in shapes:
        patch = plane.fill(shape, 0.03 if stubble else 0.016).within(beside_lips)
        grain = patch.of(bristle)
        colour = np.asarray(me.brow_colour, np.float32) * (0.75 + 0.5 * grain[..., None])
        paint(colours, patch * grain, colour, 0.33 if stubble else 0.88)


def _moustache(marks: Landmarks) -> Points:
    (left, low), (right, level) = marks.mouth.corner(-1), marks.mouth.corner(1)
    lip = marks.mouth.top
    above = [
        (left - 0.03, low + 0.03),
        (left * 0.75, lip - 0.02),
        (0, marks.nose_tip + 0.085),
        (right * 0.75, lip - 0.02),
    ]
    below = [(right + 0.03, level + 0.03), (right * 0.6, lip + 0.03), (0, lip + 0.015), (left * 0.6, lip + 0.03)]
    return curve([*above, *below, above[0]])


def _goatee(marks: Landmarks) -> Points:
    (left, low), (right, level) = marks.mouth.corner(-1), marks.mouth.corner(1)
    lip, chin = marks.mouth.bottom, marks.chin
    above = [(left - 0.02, low), (-0.2, lip + 0.02), (0, lip + 0.05), (0.2, lip + 0.02), (right + 0.02, level)]
    return curve([*above, (0.22, chin - 0.08), (0, chin + 0.05), (-0.22, chin - 0.08), above[0]])


def _jaw_beard(marks: Landmarks) -> Points:
    (left, low), (right, level) = marks.mouth.corner(-1), marks.mouth.corner(1)
    lip, edge = marks.mouth.bottom, marks.identity.width + 0.03
    one = [(-edge, 0.0), (-edge + 0.12, 0.25), (left - 0.1, low), (left + 0.02, low + 0.04), (-0.12, lip + 0.05)]
    other = [(0.12, lip + 0.05), (right - 0.02, level + 0.04), (right + 0.1, level), (edge - 0.12, 0.25), (edge, 0.0)]
    return curve([*one, (0, lip + 0.03), *other, (edge, 1.3), (-edge, 1.3)])


def _nostrils(colours: np.ndarray, marks: Landmarks, plane: Plane) -> None:
    me, tip = marks.identity, marks.nose_tip
    y = tip + 0.058 - 0.008 * marks.actions.nose_wrinkle
    for side in SIDES:
        wide = side * me.nose_width
        paint(colours, plane.disc(wide * 0.45, y, 0.033, 0.017, 0.007), np.asarray(me.skin) * 0.22, 0.85)
        wing = curve([(wide * 0.98, tip - 0.045), (wide * 1.1, tip + 0.01), (wide * 0.9, tip + 0.05)])
        tint(colours, plane.stroke(wing, 0.018, 0.009), 0.72)


def _mouth(colours: np.ndarray, marks: Landmarks, plane: Plane) -> None:
    me, mouth = marks.identity, marks.mouth
    paint(colours, plane.fill(mouth.lips, 0.007), me.lips, 0.9)
    tint(colours, plane.fill(mouth.upper_lip, 0.006), 0.86)  # it faces down
    if mouth.gap > 0.012:
        _inside(colours, mouth, plane)
    seam = (mouth.upper_in + mouth.lower_in) / 2 if mouth.gap < 0.03 else mouth.upper_in
    width = 0.014 + 0.012 * np.abs(np.linspace(-1, 1, STEPS)) ** 6
    strength = 0.85 * float(np.clip(1 - mouth.gap / 0.05, 0.25, 1))
    paint(colours, plane.stroke(seam, width, 0.004), np.asarray(me.lips) * 0.3, strength)


def _inside(colours: np.ndarray, mouth: Mouth, plane: Plane) -> None:
    opening = plane.fill(mouth.opening, 0.004)
    paint(colours, opening, (46, 14, 16))
    hole = plane.spread(opening)
    if mouth.gap > 0.12:
        floor = float(mouth.lower_in[STEPS // 2, 1]) + 0.01
        tongue = plane.disc(0, floor, 0.62 * float(mouth.corner(1)[0]), 0.42 * mouth.gap, 0.012)
        paint(colours, tongue.within(hole), (150, 66, 68))
    _teeth(colours, plane, mouth.upper_in, mouth.upper_teeth * min(0.085, 0.8 * mouth.gap), hole)
    _teeth(colours, plane, mouth.lower_in, -mouth.lower_teeth * min(0.085, 0.8 * mouth.gap), hole)


def _teeth(colours: np.ndarray, plane: Plane, gum: Points, length: float, hole: np.ndarray) -> None:
    """A row of teeth from the `gum` down, or with a length below 0 up."""
    if abs(length) < 0.008:
        return
    tips = gum + np.stack([np.zeros(STEPS), length * (1 - 0.55 * np.linspace(-1, 1, STEPS) ** 2)], 1)
    root = gum - (0, np.sign(length) * 0.02)
    teeth = plane.fill(np.concatenate([root, tips[::-1]]), 0.004).within(hole)
    across = plane.x[:, teeth.cols] / float(gum[-1, 0])
    tooth = np.mod(np.arcsin(np.clip(across, -1, 1)) / 0.2, 1)  # narrower to the sides, as the row turns away
    shade = (1 - 0.5 * across**2) * (1 - 0.16 * np.exp(-(((tooth - 0.5) / 0.09) ** 2)))
    paint(colours, teeth, ENAMEL * shade[..., None] * (1 if length > 0 else 0.88))


def _eye(colours: np.ndarray, me: Identity, eye: Eye, plane: Plane, gaze: tuple[float, float]) -> None:
    opening = plane.fill(eye.opening, 0.003)
    inside = plane.spread(opening)
    paint(colours, opening, (232, 226, 220))
    x, y = pupil(eye, gaze)
    radius = 0.069 * me.eye_size**0.5
    rings = ((1.0, 0.004, np.asarray(me.iris) * 0.4), (0.82, 0.008, me.iris), (0.45, 0.003, (12, 10, 10)))
    for share, soft, colour in rings:
        paint(colours, plane.disc(x, y, radius * share, radius * share, soft).within(inside), colour)
    tint(colours, plane.stroke(shifted(eye.upper, 0, 0.01), 0.045, 0.012).within(inside), 0.5)


def pupil(eye: Eye, gaze: tuple[float, float]) -> tuple[float, float]:
    """Where the middle of the iris is; `gaze` runs from -1 to 1 to the right and down."""
    return eye.x + gaze[0] * 0.05, eye.y - 0.012 + gaze[1] * 0.03


def _lids(colours: np.ndarray, me: Identity, eye: Eye, plane: Plane, side: int) -> None:
    shadow = np.asarray(me.skin) * 0.42
    paint(colours, plane.stroke(eye.crease, 0.013, 0.006), shadow, 0.6)
    paint(colours, plane.stroke(eye.lower, 0.012, 0.004), shadow, 0.5)
    lashes = np.concatenate([eye.upper, shifted(eye.upper[-1:], side * 0.02 * me.lashes, -0.008 * me.lashes)])
    width = np.linspace(0.014, 0.022 + 0.012 * me.lashes, len(lashes))
    paint(colours, plane.stroke(lashes, width, 0.003), (26, 18, 16), 0.92)
    tint(
        colours, plane.disc(eye.x - side * eye.half_width * 0.95, eye.y + 0.008, 0.016, 0.012, 0.006), (0.95, 0.7, 0.7)
    )


def _brow(colours: np.ndarray, marks: Landmarks, plane: Plane, side: int, rng: np.random.Generator) -> None:
    me, line = marks.identity, marks.brow(side)
    t = np.linspace(0, 1, len(line))
    patch: Patch = plane.stroke(line, me.brow_thickness * (0.75 + 0.55 * t) * np.clip(2.4 * (1 - t), 0.22, 1), 0.007)
    hairs = np.clip(0.9 + 0.12 * patch.of(plane.noise(rng, 0.013)), 0, 1)
    paint(colours, patch * hairs, np.asarray(me.brow_colour) * (0.62 if me.age < 0.8 else 0.75), 0.93)
