"""The mouth: where its lips are, and what shows between them."""

from dataclasses import dataclass

import numpy as np

from ferline.datasets.synthetic.expression import UNITS, ActionUnits
from ferline.datasets.synthetic.identity import Identity
from ferline.datasets.synthetic.plane import Points

STEPS = 33  # points on each edge, from the viewer's left corner to the right
MIDDLE = STEPS // 2


@dataclass(frozen=True)
class Mouth:
    """The four edges of the lips, from the viewer's left corner to the right; teeth as shares of their length."""

    upper_out: Points
    upper_in: Points
    lower_in: Points
    lower_out: Points
    upper_teeth: float
    lower_teeth: float

    @classmethod
    def of(cls, me: Identity, sides: dict[int, ActionUnits]) -> "Mouth":
        t = np.linspace(-1, 1, STEPS)
        right = (t + 1) / 2  # how much of the viewer's right side there is in each point
        au = {name: getattr(sides[-1], name) * (1 - right) + getattr(sides[1], name) * right for name in UNITS}
        # A tense mouth is boxy, a slack one an ellipse; a dropped jaw alone rounds it.
        rounded = au["jaw_drop"] * np.clip(1 - 1.4 * au["lip_corner_pull"] - au["lip_stretch"], 0, 1)
        boxed = np.clip(0.9 * au["lip_stretch"] + 0.6 * au["lower_lip_depress"] + 0.5 * au["upper_lip_raise"], 0, 1)
        line = _line(me, au, np.abs(t) ** (2.0 + 1.6 * boxed))
        arch = (1 - np.abs(t) ** (2 + 1.5 * boxed)) ** (0.85 - 0.25 * np.clip(rounded + boxed, 0, 1))
        above, opening = _opening(au)
        upper_in = line - above * arch
        lower_in = line + np.maximum(opening - above, 0) * arch
        upper, lower = _thickness(me, au, t)
        x = t * _half_width(me, au, rounded)
        edges = [np.stack([x, y], 1) for y in (upper_in - upper, upper_in, lower_in, lower_in + lower)]
        return cls(edges[0], edges[1], edges[2], edges[3], *_teeth(au))

    @property
    def gap(self) -> float:
        return float(np.max(self.lower_in[:, 1] - self.upper_in[:, 1]))

    @property
    def top(self) -> float:
        return float(self.upper_out[MIDDLE, 1])

    @property
    def bottom(self) -> float:
        return float(self.lower_out[MIDDLE, 1])

    @property
    def centre(self) -> tuple[float, float]:
        x, y = (self.upper_in[MIDDLE] + self.lower_in[MIDDLE]) / 2
        return float(x), float(y)

    def corner(self, side: int) -> Points:
        return self.upper_in[0 if side < 0 else -1]

    @property
    def lips(self) -> Points:
        return np.concatenate([self.upper_out, self.lower_out[::-1]])

    @property
    def upper_lip(self) -> Points:
        return np.concatenate([self.upper_out, self.upper_in[::-1]])

    @property
    def opening(self) -> Points:
        return np.concatenate([self.upper_in, self.lower_in[::-1]])


def _half_width(me: Identity, au: dict[str, np.ndarray], rounded: np.ndarray) -> np.ndarray:
    wide = 0.24 * au["lip_corner_pull"] + 0.24 * au["lip_stretch"] + 0.03 * au["lip_corner_depress"]
    return me.mouth_width * (1 + wide - 0.34 * rounded - 0.08 * au["lip_tighten"])


def _line(me: Identity, au: dict[str, np.ndarray], outward: np.ndarray) -> np.ndarray:
    """The height of the closed mouth's line; `outward` goes from 0 in the middle to 1 at the corners."""
    pull, down = au["lip_corner_pull"], au["lip_corner_depress"]
    corner = -0.1 * pull + 0.085 * down + 0.025 * au["lip_stretch"] + 0.07 * au["jaw_drop"]
    middle = 0.03 * pull - 0.02 * down - 0.03 * au["chin_raise"] - 0.055 * au["upper_lip_raise"]
    return me.mouth_y + middle + (corner - middle) * outward


def _opening(au: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How far the upper lip rises above the line, and how far apart the lips are."""
    pull, stretch, part = au["lip_corner_pull"], au["lip_stretch"], au["lips_part"]
    above = part * (0.018 * (1 + stretch + au["lower_lip_depress"]) + 0.015 * pull)
    apart = part * (
        0.055 + 0.045 * pull + 0.02 * stretch + 0.06 * au["lower_lip_depress"] + 0.02 * au["upper_lip_raise"]
    )
    return above, apart + 0.27 * au["jaw_drop"]


def _thickness(me: Identity, au: dict[str, np.ndarray], t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    drawn = 0.6 * au["lip_tighten"] + 0.22 * au["lip_corner_pull"] + 0.25 * au["lip_stretch"]
    full = np.clip(1 - drawn, 0.25, 1) * me.lip_fullness
    bow = 1 + 0.3 * np.exp(-(((np.abs(t) - 0.26) / 0.16) ** 2)) - 0.12 * np.exp(-((t / 0.09) ** 2))
    upper = 0.05 * full * bow * (1 - np.abs(t) ** 2.2) * (1 - 0.15 * au["upper_lip_raise"])
    lower = 0.07 * full * (1 - np.abs(t) ** 2.4) ** 0.8 * (1 + 0.15 * au["lip_corner_depress"])
    return upper, lower


def _teeth(au: dict[str, np.ndarray]) -> tuple[float, float]:
    depress, stretch = au["lower_lip_depress"], au["lip_stretch"]
    bared = 0.95 * au["lip_corner_pull"] + 0.9 * au["upper_lip_raise"] + 0.7 * stretch + 0.6 * depress
    upper = np.clip(bared + 0.15, 0, 1).mean()
    return float(upper), float(np.clip(0.9 * depress + 0.2 * stretch, 0, 1).mean())
