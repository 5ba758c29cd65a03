"""Glasses, drawn over a lit face."""

import numpy as np

from ferline.datasets.synthetic.identity import Identity
from ferline.datasets.synthetic.landmarks import EYE_Y, SIDES
from ferline.datasets.synthetic.plane import Plane, Points, curve, ellipse, paint, shifted, tint

Y = EYE_Y + 0.025


def wear_glasses(image: np.ndarray, me: Identity, plane: Plane) -> None:
    """Frames with their shadow on the skin and a reflection."""
    if me.glasses == "none":
        return
    frame = np.asarray(me.frame, np.float32)
    for side in SIDES:
        x = side * (me.eye_x + 0.005)
        rim = ellipse(x, Y, 0.2, 0.178, 48) if me.glasses == "round" else _rounded(x, Y, 0.205, 0.145)
        closed = np.concatenate([rim, rim[:2]])
        tint(image, plane.stroke(shifted(closed, 0, 0.025), 0.024, 0.012), 0.8)
        line = _upper(rim) if me.glasses == "half" else closed
        paint(image, plane.stroke(line, 0.02 if me.glasses == "round" else 0.026, 0.003), frame, 0.95)
        temple = np.array([[side * (me.eye_x + 0.2), Y - 0.06], [side * me.width, Y - 0.07]])
        paint(image, plane.stroke(temple, 0.022, 0.003), frame, 0.9)
        glare = np.array([[x - 0.1, Y - 0.1], [x - 0.04, Y - 0.11], [x - 0.1, Y + 0.06], [x - 0.14, Y + 0.04]])
        paint(image, plane.fill(glare, 0.012), (255, 255, 255), 0.12)
    bridge = curve([(-me.eye_x + 0.19, Y - 0.03), (0, Y - 0.06), (me.eye_x - 0.19, Y - 0.03)])
    paint(image, plane.stroke(bridge, 0.022, 0.003), frame, 0.95)


def _upper(rim: Points) -> Points:
    above = rim[rim[:, 1] < Y - 0.005]
    return above[np.argsort(above[:, 0])]


def _rounded(x: float, y: float, rx: float, ry: float) -> Points:
    """A superellipse."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([x + rx * np.sign(c) * np.abs(c) ** 0.45, y + ry * np.sign(s) * np.abs(s) ** 0.45], axis=1)
