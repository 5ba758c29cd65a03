"""Expressions as facial action units: which muscles an emotion moves (Ekman and Friesen's FACS), and how hard."""

from dataclasses import dataclass, fields

import numpy as np

from ferline.datasets.synthetic.chance import one_of
from ferline.emotions import EMOTIONS


@dataclass(frozen=True)
class ActionUnits:
    """How hard each action unit is contracted, from 0 (not at all) to about 1; the comment is its FACS number."""

    brow_inner_raise: float = 0.0  # 1
    brow_outer_raise: float = 0.0  # 2
    brow_lower: float = 0.0  # 4
    upper_lid_raise: float = 0.0  # 5
    cheek_raise: float = 0.0  # 6
    lid_tighten: float = 0.0  # 7
    nose_wrinkle: float = 0.0  # 9
    upper_lip_raise: float = 0.0  # 10
    lip_corner_pull: float = 0.0  # 12
    lip_corner_depress: float = 0.0  # 15
    lower_lip_depress: float = 0.0  # 16
    chin_raise: float = 0.0  # 17
    lip_stretch: float = 0.0  # 20
    lip_tighten: float = 0.0  # 23 and 24
    lips_part: float = 0.0  # 25
    jaw_drop: float = 0.0  # 26 and 27
    lid_droop: float = 0.0  # 43, part of the way
    lean: float = 0.0  # the share by which the viewer's right side is the stronger; no face is symmetric

    def on(self, side: int) -> "ActionUnits":
        """The contraction on one side of the face: -1 the viewer's left, +1 the right."""
        scale = 1 + side * self.lean
        return ActionUnits(**{name: getattr(self, name) * scale for name in UNITS})


UNITS: tuple[str, ...] = tuple(field.name for field in fields(ActionUnits) if field.name != "lean")

# The emotion prototypes of the FACS literature. Where people show an emotion in several ways, each way has its row.
PROTOTYPES: dict[str, tuple[ActionUnits, ...]] = {
    "angry": (
        # 4+5+7+17+23: the hard stare over pressed lips
        ActionUnits(brow_lower=1, upper_lid_raise=0.5, lid_tighten=0.7, chin_raise=0.3, lip_tighten=1),
        # 4+5+7+10+16+25+26: bared teeth
        ActionUnits(
            brow_lower=1, upper_lid_raise=0.5, lid_tighten=0.6, upper_lip_raise=0.3, lower_lip_depress=0.8,
            lip_stretch=0.25, lips_part=0.8, jaw_drop=0.15,
        ),
        # 4+7+15+24: held back
        ActionUnits(brow_lower=0.85, lid_tighten=0.6, lip_corner_depress=0.3, lip_tighten=0.7),
    ),
    "disgust": (
        # 4+6+7+9+10+15+17: lips closed
        ActionUnits(
            brow_lower=0.45, cheek_raise=0.3, lid_tighten=0.5, nose_wrinkle=1, upper_lip_raise=0.9,
            lip_corner_depress=0.6, chin_raise=0.5,
        ),
        # 4+6+7+9+10+15+16+25: lips apart
        ActionUnits(
            brow_lower=0.4, cheek_raise=0.4, lid_tighten=0.6, nose_wrinkle=1, upper_lip_raise=1,
            lip_corner_depress=0.4, lower_lip_depress=0.4, lips_part=0.5,
        ),
        # 7+9+10+17: distaste, the brows hardly taking part
        ActionUnits(brow_lower=0.15, lid_tighten=0.35, nose_wrinkle=0.75, upper_lip_raise=0.9, chin_raise=0.4),
    ),
    "fear": (
        # 1+2+4+5+7+15+16+20+25
        ActionUnits(
            brow_inner_raise=1, brow_outer_raise=0.35, brow_lower=0.45, upper_lid_raise=1, lid_tighten=0.2,
            lip_corner_depress=0.35, lower_lip_depress=0.6, lip_stretch=1, lips_part=0.8,
        ),
        # 1+2+4+5+15+16+20+25+26
        ActionUnits(
            brow_inner_raise=1, brow_outer_raise=0.4, brow_lower=0.4, upper_lid_raise=1, lip_corner_depress=0.4,
            lower_lip_depress=0.5, lip_stretch=0.9, lips_part=0.9, jaw_drop=0.25,
        ),
    ),
    "happy": (
        # 6+12+25: the smile with teeth
        ActionUnits(cheek_raise=0.9, lip_corner_pull=1, lips_part=0.75),
        # 6+12+25+26: laughing
        ActionUnits(cheek_raise=1, lip_corner_pull=1, lips_part=0.8, jaw_drop=0.4),
        # 6+12: the closed smile
        ActionUnits(cheek_raise=0.8, lip_corner_pull=1),
    ),
    "sad": (
        # 1+4+15+17+43
        ActionUnits(brow_inner_raise=1, brow_lower=0.4, lip_corner_depress=1, chin_raise=0.5, lid_droop=0.6),
        # 1+4+15+43: heavy lids
        ActionUnits(brow_inner_raise=1, brow_lower=0.3, lip_corner_depress=0.9, lid_droop=0.9),
        # 1+4+15+25+43: lips apart, near tears
        ActionUnits(brow_inner_raise=1, brow_lower=0.4, lip_corner_depress=0.9, lips_part=0.6, lid_droop=0.5),
    ),
    "surprise": (
        # 1+2+5+25+26
        ActionUnits(brow_inner_raise=1, brow_outer_raise=1, upper_lid_raise=0.8, lips_part=0.5, jaw_drop=0.9),
        ActionUnits(brow_inner_raise=0.9, brow_outer_raise=1, upper_lid_raise=0.7, lips_part=0.5, jaw_drop=0.6),
        # 1+2+5+25: the jaw hardly drops
        ActionUnits(brow_inner_raise=1, brow_outer_raise=1, upper_lid_raise=0.9, lips_part=0.6, jaw_drop=0.25),
    ),
    "neutral": (ActionUnits(),),
}  # fmt: skip

# What a face does besides: a word half spoken, a raised brow, tired eyes, a polite mouth. Without these an open mouth
# alone would tell surprise, and a frown alone anger.
INCIDENTS: tuple[ActionUnits, ...] = (
    ActionUnits(lips_part=0.55, jaw_drop=0.12),
    ActionUnits(lips_part=0.5, upper_lip_raise=0.15),
    ActionUnits(brow_inner_raise=0.35, brow_outer_raise=0.4),
    ActionUnits(brow_outer_raise=0.45),
    ActionUnits(brow_lower=0.35),
    ActionUnits(lid_droop=0.6),
    ActionUnits(cheek_raise=0.25, lid_tighten=0.5),
    ActionUnits(lip_tighten=0.6),
    ActionUnits(lip_corner_depress=0.2, chin_raise=0.5),
    ActionUnits(lip_corner_pull=0.25),
    ActionUnits(lip_stretch=0.35),
)


def perform(emotion: str, rng: np.random.Generator) -> ActionUnits:
    """One showing of an emotion: one of its prototypes, weaker or stronger, as a living face would do it."""
    intensity, calm = rng.uniform(0.45, 1.0), emotion == "neutral"
    level = intensity * _levels(one_of(rng, PROTOTYPES[emotion])) * rng.uniform(0.65, 1.25, len(UNITS))
    if rng.random() < 0.7:
        level += rng.uniform(0.5, 1.1) * (0.6 if calm else 1) * _levels(one_of(rng, INCIDENTS))
    if rng.random() < 0.2 and not calm:  # a second emotion below the first
        level += intensity * rng.uniform(0.15, 0.4) * _levels(one_of(rng, PROTOTYPES[one_of(rng, EMOTIONS)]))
    level += np.clip(rng.normal(0, 0.08, len(UNITS)), 0, 0.2)  # every muscle moves a little by itself
    lean = float(np.clip(rng.normal(0, 0.1), -0.25, 0.25))
    return ActionUnits(**dict(zip(UNITS, np.clip(level, 0, 1.15).tolist(), strict=True)), lean=lean)


def _levels(actions: ActionUnits) -> np.ndarray:
    return np.array([getattr(actions, name) for name in UNITS])
