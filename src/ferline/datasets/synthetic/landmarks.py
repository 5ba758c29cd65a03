"""Where the parts of a face lie, in face units, once its action units have moved them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ferline.datasets.synthetic.expression import UNITS, ActionUnits
from ferline.datasets.synthetic.identity import Identity
from ferline.datasets.synthetic.mouth import Mouth
from ferline.datasets.synthetic.plane import Points, curve, mirrored

SIDES = (-1, 1)  # the viewer's left and right
EYE_Y = -0.12
CHEEK_Y = -0.02  # where the face is widest
CROWN = -1.04


@dataclass(frozen=True)
class Landmarks:
    """The moving outlines of one face: jaw, eyes, brows, nose and mouth."""

    identity: Identity
    actions: ActionUnits  # with what the face does at rest

    @classmethod
    def of(cls, identity: Identity, actions: ActionUnits) -> "Landmarks":
        resting = {name: getattr(actions, name) + getattr(identity.rest, name) for name in UNITS}
        return cls(identity, ActionUnits(**resting, lean=actions.lean))

    @cached_property
    def sides(self) -> dict[int, ActionUnits]:
        return {side: self.actions.on(side) for side in SIDES}

    @cached_property
    def chin(self) -> float:
        return self.identity.chin + 0.15 * self.actions.jaw_drop - 0.015 * self.actions.chin_raise

    def half_width(self, y: np.ndarray) -> np.ndarray:
        """The half-width of the head at each height, 0 above the crown and below the chin."""
        width, jaw = self.identity.width, self.identity.jaw
        up = np.clip((CHEEK_Y - y) / (CHEEK_Y - CROWN), 0, 1)
        down = np.clip((y - CHEEK_Y) / (self.chin - CHEEK_Y), 0, 1)
        skull = (1 - up**2.5) ** 0.46
        lower = (1 - down ** (2.0 + 0.9 * jaw)) ** (0.66 - 0.12 * jaw)
        return width * np.where(y < CHEEK_Y, skull, lower)

    @cached_property
    def outline(self) -> Points:
        # Dense near the crown and the chin, where the width changes fastest.
        phase = (1 - np.cos(np.linspace(0, np.pi, 60))) / 2
        y = CROWN + (self.chin - CROWN) * phase
        x = self.half_width(y)
        return np.concatenate([np.stack([x, y], 1), np.stack([-x, y], 1)[::-1]])

    def eye(self, side: int) -> "Eye":
        return self._eyes[side]

    @cached_property
    def _eyes(self) -> dict[int, "Eye"]:
        return {side: Eye.of(self.identity, self.sides[side], side) for side in SIDES}

    def brow(self, side: int) -> Points:
        """From the inner end to the outer."""
        me, au = self.identity, self.sides[side]
        frown = au.brow_lower * (1 - min(au.brow_inner_raise, 1))  # a frown alone throws the outer brow up
        x = me.eye_x + np.array([-0.165, -0.06, 0.07, 0.175]) - np.array([0.045, 0.03, 0.015, 0]) * au.brow_lower
        y = me.brow_y + np.array([0.01, -0.35 * me.brow_arch, -me.brow_arch, 0.02])
        y -= np.array([0.115, 0.065, 0.015, -0.015]) * au.brow_inner_raise
        y -= np.array([0.01, 0.05, 0.095, 0.085]) * au.brow_outer_raise
        y += np.array([0.105, 0.08, 0.035, 0.005]) * au.brow_lower - np.array([0, 0, 0.02, 0.015]) * frown
        y += np.array([0.03, 0.02, 0.01, 0]) * au.nose_wrinkle
        return mirrored(curve(np.stack([x, y], 1)), side)

    @property
    def nose_tip(self) -> float:
        return EYE_Y + 0.08 + self.identity.nose_length - 0.025 * self.actions.nose_wrinkle

    @cached_property
    def mouth(self) -> Mouth:
        return Mouth.of(self.identity, self.sides)

    def nasolabial(self, side: int) -> Points:
        """The fold from the wing of the nose around the corner of the mouth."""
        au, wing = self.sides[side], self.identity.nose_width + 0.02
        x, y = abs(float(self.mouth.corner(side)[0])), float(self.mouth.corner(side)[1])
        out = 0.05 + 0.05 * au.lip_corner_pull + 0.03 * au.upper_lip_raise
        middle = (max(wing + 0.06, x * 0.8 + out * 0.6), (self.nose_tip + y) / 2 - 0.01)
        return mirrored(curve([(wing, self.nose_tip), middle, (x + out, y + 0.02)]), side)


@dataclass(frozen=True)
class Eye:
    """One eye: the edges of its lids and the crease above, from the inner corner to the outer."""

    x: float
    y: float
    half_width: float
    upper: Points
    lower: Points
    crease: Points

    @classmethod
    def of(cls, me: Identity, au: ActionUnits, side: int) -> "Eye":
        half, t = 0.142 * me.eye_size, np.linspace(-1, 1, 17)
        dome = np.clip(1 - np.abs(t) ** 2.2, 0, 1) ** 0.575
        base = EYE_Y + 0.006 - me.eye_tilt * t
        # Sadness lifts the inner part of the upper lid, a frown presses it down.
        slant = 0.02 * au.brow_inner_raise * au.lid_droop - 0.016 * au.brow_lower * (1 - min(au.brow_inner_raise, 1))
        upper = base - cls._above(me, au) * dome * (1 - 0.12 * t) + slant * t * dome
        lower = base + cls._below(au) * dome * (1 + 0.15 * t)
        crease = upper - (0.028 + 0.012 * me.eye_open - 0.012 * au.upper_lid_raise) * (0.55 + 0.45 * dome)
        lines = [mirrored(np.stack([me.eye_x + half * t, y], 1), side) for y in (upper, lower, crease)]
        return cls(side * me.eye_x, EYE_Y, half, lines[0], lines[1], lines[2][2:])

    @staticmethod
    def _above(me: Identity, au: ActionUnits) -> float:
        squeeze = 0.022 * au.lid_tighten + 0.014 * au.nose_wrinkle + 0.012 * au.cheek_raise + 0.012 * au.brow_lower
        rest = 0.066 * me.eye_open * me.eye_size
        return max(0.014, rest + 0.062 * au.upper_lid_raise - squeeze - 0.035 * au.lid_droop)

    @staticmethod
    def _below(au: ActionUnits) -> float:
        squeeze = 0.024 * au.cheek_raise + 0.024 * au.lid_tighten + 0.016 * au.nose_wrinkle
        return max(0.004, 0.04 + 0.01 * au.upper_lid_raise - squeeze)

    @property
    def opening(self) -> Points:
        return np.concatenate([self.upper, self.lower[::-1]])
