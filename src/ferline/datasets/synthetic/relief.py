"""The height of a face above its plane, so that light finds the nose, the folds and the wrinkles by itself."""

import numpy as np

from ferline.datasets.synthetic.landmarks import CROWN, EYE_Y, SIDES, Landmarks
from ferline.datasets.synthetic.plane import Patch, Plane, Points, curve, lift, mirrored, shifted

DEPTH = 0.62  # of the head in front of its outline; the nose comes on top


def relief_of(marks: Landmarks, plane: Plane) -> np.ndarray:
    """float32[height, width], 0 outside the head."""
    relief = _skull(marks, plane)
    _sockets_and_cheeks(relief, marks, plane)
    _nose(relief, marks, plane)
    _mouth(relief, marks, plane)
    _folds(relief, marks, plane)
    _forehead(relief, marks, plane)
    _scrunches(relief, marks, plane)
    return relief


def _skull(marks: Landmarks, plane: Plane) -> np.ndarray:
    u = np.minimum(np.abs(plane.x) / np.maximum(marks.half_width(plane.y), 1e-3), 1).astype(np.float32) ** 2
    middle, half = (CROWN + marks.chin) / 2, (marks.chin - CROWN) / 2
    v = np.minimum(np.abs(plane.y - middle) / half, 1) ** 2
    profile = DEPTH * np.sqrt(1 - (0.45 * v + 0.55 * v**3))
    return (profile * np.sqrt(1 - (0.62 * u + 0.38 * u * u))).astype(np.float32)


def _sockets_and_cheeks(relief: np.ndarray, marks: Landmarks, plane: Plane) -> None:
    me = marks.identity
    for side, au in marks.sides.items():
        eye = marks.eye(side)
        lift(relief, plane.bump(eye.x, EYE_Y - 0.04, 0.14, 0.09), -0.085)
        lift(relief, plane.bump(side * 0.09, EYE_Y, 0.05, 0.08), -0.04)
        lift(relief, plane.fill(eye.opening, 0.03), 0.03)
        lift(relief, plane.stroke(marks.brow(side), 0.1, 0.04), 0.045 + 0.02 * me.masculine)
        apple = 0.03 + 0.07 * au.cheek_raise + 0.045 * au.lip_corner_pull
        lift(relief, plane.bump(side * 0.4, 0.2 - 0.06 * au.cheek_raise, 0.13, 0.09), apple)
        lift(relief, plane.bump(side * 0.43, 0.45, 0.1, 0.15), -0.05 * (1 - 0.3 * me.jaw))
    lift(relief, plane.bump(0, EYE_Y - 0.17, 0.07, 0.07), 0.02 + 0.03 * marks.actions.brow_lower)


def _nose(relief: np.ndarray, marks: Landmarks, plane: Plane) -> None:
    me, tip = marks.identity, marks.nose_tip
    top = EYE_Y - 0.1
    rows = slice(*np.searchsorted(plane.y[:, 0], [top - 0.05, tip + 0.13]).tolist())
    cols = slice(*np.searchsorted(plane.x[0], [-0.4, 0.4]).tolist())
    down = (plane.y[rows] - top) / (tip - top)
    height = np.interp(down, [-0.2, 0.05, 0.45, 0.85, 1.0, 1.12, 1.22], [0, 0.15, 0.45, 0.9, 1.0, 0.75, 0])
    spread = np.interp(down, [0, 0.35, 0.8, 1.1], [0.05, 0.045, 0.07, 0.075]) * me.nose_width / 0.12
    ridge = height * np.exp(-0.5 * (plane.x[:, cols] / spread) ** 2)
    lift(relief, Patch(rows, cols, ridge.astype(np.float32)), me.nose_height)
    flare = 1 + 0.18 * marks.actions.nose_wrinkle + 0.06 * marks.actions.lip_corner_pull
    for side in SIDES:
        lift(relief, plane.bump(side * me.nose_width * 0.72 * flare, tip + 0.005, 0.034, 0.04), 0.085)


def _mouth(relief: np.ndarray, marks: Landmarks, plane: Plane) -> None:
    mouth, au = marks.mouth, marks.actions
    lift(relief, plane.bump(*mouth.centre, 0.24, 0.16), 0.06)
    lift(relief, plane.fill(mouth.lips, 0.018), 0.035 * (1 - 0.4 * au.lip_tighten))
    lift(relief, plane.fill(mouth.opening, 0.01), -0.05)
    philtrum = np.array([(0, marks.nose_tip + 0.07), (0, mouth.top)])
    lift(relief, plane.stroke(philtrum, 0.035, 0.012), -0.014)
    lift(relief, plane.bump(0, mouth.bottom + 0.035, 0.12, 0.03), -0.035 - 0.02 * au.chin_raise)
    lift(relief, plane.bump(0, (mouth.bottom + marks.chin) / 2 + 0.05, 0.12, 0.09), 0.05 + 0.03 * au.chin_raise)
    for side in SIDES:
        x, y = mouth.corner(side)
        lift(relief, plane.bump(x, y, 0.03, 0.035), -0.03)


def _folds(relief: np.ndarray, marks: Landmarks, plane: Plane) -> None:
    """Around the mouth and under the eyes."""
    age = marks.identity.age
    taper = np.sin(np.linspace(0.25, np.pi, 17)) + 0.15
    for side, au in marks.sides.items():
        depth = 0.012 + 0.02 * age + 0.045 * au.lip_corner_pull + 0.05 * au.upper_lip_raise + 0.04 * au.nose_wrinkle
        _groove(relief, plane, marks.nasolabial(side), 0.03 * taper, min(depth, 0.09), 0.011)
        bag = 0.006 + 0.012 * age + 0.016 * au.cheek_raise + 0.014 * au.lid_tighten
        _groove(relief, plane, shifted(marks.eye(side).lower, 0, 0.035), 0.018, bag, 0.008)
        pout = mirrored(curve([(0.0, 0.0), (0.03, 0.05), (0.03, 0.11)]), side) + marks.mouth.corner(side)
        _groove(relief, plane, pout, 0.022, 0.006 + 0.012 * age + 0.03 * au.lip_corner_depress, 0.009)


def _forehead(relief: np.ndarray, marks: Landmarks, plane: Plane) -> None:
    """Furrows across it from raised brows, and two between the brows from a frown."""
    me, au = marks.identity, marks.actions
    raised = 0.5 * (au.brow_inner_raise + au.brow_outer_raise)
    bend = 0.025 * (au.brow_inner_raise - au.brow_outer_raise)
    for row, reach in enumerate((0.3, 0.36, 0.3)):
        y = me.brow_y - 0.15 - 0.085 * row - 0.04 * raised
        ends = [(-reach, y + bend), (-reach / 2, y - 0.01), (0, y - bend), (reach / 2, y - 0.01), (reach, y + bend)]
        _groove(relief, plane, curve(ends), 0.018, (0.006 + 0.02 * me.age) * raised + 0.006 * me.age, 0.008)
    width = 0.03 * np.sin(np.linspace(0.1, np.pi - 0.1, 17))
    for side, own in marks.sides.items():
        frown = curve([(0.05, me.brow_y - 0.08), (0.06, me.brow_y), (0.045, me.brow_y + 0.09)])
        _groove(relief, plane, mirrored(frown, side), width, 0.034 * own.brow_lower + 0.004 * me.age, 0.008)


def _scrunches(relief: np.ndarray, marks: Landmarks, plane: Plane) -> None:
    """On the bridge of a wrinkled nose, and crow's feet beside smiling eyes."""
    for side, au in marks.sides.items():
        for y in (EYE_Y, EYE_Y + 0.055, EYE_Y + 0.11):
            scrunch = mirrored(curve([(0.0, y - 0.012), (0.04, y), (0.085, y + 0.045)]), side)
            _groove(relief, plane, scrunch, 0.018, 0.032 * au.nose_wrinkle, 0.007)
        for slope in (-0.045, 0.005, 0.05):
            crow = mirrored(np.array([[0.03, slope * 0.4], [0.12, slope * 1.6]]), side) + marks.eye(side).lower[-1]
            _groove(relief, plane, crow, 0.013, (0.006 + 0.016 * marks.identity.age) * au.cheek_raise, 0.006)


def _groove(
    relief: np.ndarray, plane: Plane, line: Points, width: float | np.ndarray, depth: float, soft: float
) -> None:
    if depth > 0.002:  # less is lost in the grain of the skin
        lift(relief, plane.stroke(line, width, soft), -depth)
