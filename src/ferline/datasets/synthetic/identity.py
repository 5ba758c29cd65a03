"""Who a synthetic person is: everything about a face that stays the same whatever it expresses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ferline.datasets.synthetic.chance import one_of
from ferline.datasets.synthetic.expression import UNITS, ActionUnits

Colour = tuple[float, float, float]  # sRGB, 0 to 255
HairStyle = Literal[
    "bald", "receding", "crop", "short", "swept", "fringe", "tied", "bun", "bob", "long", "curly", "afro", "scarf"
]
BeardStyle = Literal["none", "stubble", "moustache", "goatee", "full"]
GlassesStyle = Literal["none", "round", "square", "half"]

MENS_HAIR: tuple[HairStyle, ...] = (
    "short", "crop", "swept", "curly", "receding", "short", "bald", "swept", "afro", "crop", "short",
)  # fmt: skip
WOMENS_HAIR: tuple[HairStyle, ...] = (
    "long", "bob", "bun", "curly", "fringe", "long", "scarf", "tied", "bob", "afro", "long", "swept",
)  # fmt: skip
BEARDS: tuple[BeardStyle, ...] = ("none", "none", "none", "stubble", "stubble", "moustache", "goatee", "full")
GLASSES: tuple[GlassesStyle, ...] = ("round", "square", "half")
# From light to dark, as photographed in daylight.
SKIN: tuple[Colour, ...] = (
    (246, 216, 200), (238, 200, 178), (226, 182, 154), (206, 158, 126), (178, 128, 98), (142, 98, 74), (110, 76, 60),
)  # fmt: skip
HAIR: tuple[Colour, ...] = (
    (26, 23, 22), (44, 34, 27), (68, 48, 32), (100, 70, 44), (140, 102, 62), (200, 164, 110), (150, 74, 36),
)  # fmt: skip
GREY: Colour = (186, 182, 178)
IRISES: tuple[Colour, ...] = (
    (62, 38, 22), (84, 54, 30), (104, 84, 44), (78, 104, 82), (84, 116, 142), (96, 108, 116),
)  # fmt: skip
FRAMES: tuple[Colour, ...] = ((24, 22, 24), (74, 44, 28), (150, 130, 100), (52, 58, 74))
FABRICS: tuple[Colour, ...] = (
    (38, 52, 84), (122, 34, 40), (226, 222, 212), (52, 58, 62), (44, 92, 84), (176, 132, 60), (90, 72, 110),
    (148, 170, 188), (204, 148, 138), (70, 96, 56),
)  # fmt: skip
RESTING = (
    "brow_inner_raise", "brow_lower", "lid_droop", "lip_corner_depress", "lip_corner_pull", "lip_tighten", "chin_raise",
)  # fmt: skip
GOLDEN = 0.618034  # steps of this share of a range never bunch, however many are taken


@dataclass(frozen=True)
class Identity:
    """One person. Lengths are in face units (the chin near y = 1); shares run from 0 to 1."""

    masculine: bool
    age: float
    skin: Colour
    freckles: float
    lips: Colour
    width: float
    jaw: float  # 0 pointed, 1 square
    chin: float
    eye_x: float
    eye_size: float
    eye_open: float
    eye_tilt: float
    iris: Colour
    lashes: float
    brow_y: float
    brow_thickness: float
    brow_arch: float
    nose_length: float
    nose_width: float
    nose_height: float
    mouth_y: float
    mouth_width: float
    lip_fullness: float
    hair: HairStyle
    hair_colour: Colour  # or that of the scarf over it
    brow_colour: Colour  # and the beard's
    hair_volume: float
    parting: float
    wave: float
    beard: BeardStyle
    glasses: GlassesStyle
    frame: Colour
    rest: ActionUnits  # the face at rest: some mouths turn down and some brows hang low without any feeling


def identity_of(seed: int, number: int) -> Identity:
    """Person `number` of the population `seed`, whoever else is in it."""
    rng = np.random.default_rng([seed, 1, number])
    man = number % 2 == 1
    # Skin tones and hair styles go round in turn, so that a dozen people already differ.
    tone = (0.15 + number * GOLDEN) % 1 * (len(SKIN) - 1)
    styles = MENS_HAIR if man else WOMENS_HAIR
    age, skin = float(rng.beta(1.3, 2.0)), _varied(rng, _blend(SKIN, tone), 2)
    hair, grown = styles[number // 2 % len(styles)], _hair_colour(rng, tone, age)
    return Identity(
        masculine=man,
        age=age,
        skin=skin,
        freckles=rng.uniform(0.4, 1) * (rng.random() < 0.25) * (tone < 2.5),
        lips=_lips(rng, skin, man),
        width=rng.uniform(0.64, 0.73) + 0.015 * man,
        jaw=float(np.clip(rng.normal(0.75 if man else 0.3, 0.2), 0, 1)),
        chin=rng.uniform(0.96, 1.05) + 0.02 * man,
        eye_x=rng.uniform(0.285, 0.325),
        eye_size=rng.uniform(0.94, 1.1) + 0.06 * (not man),
        eye_open=rng.uniform(0.82, 1.12),
        eye_tilt=rng.uniform(-0.012, 0.03),
        iris=_varied(rng, one_of(rng, IRISES if tone < 2.5 else IRISES[:2]), 6),
        lashes=rng.uniform(0.15, 0.5) if man else rng.uniform(0.5, 1.0),
        brow_y=rng.uniform(-0.365, -0.325) + 0.015 * man,
        brow_thickness=rng.uniform(0.05, 0.075) if man else rng.uniform(0.032, 0.055),
        brow_arch=rng.uniform(0.01, 0.04) if man else rng.uniform(0.02, 0.065),
        nose_length=rng.uniform(0.25, 0.32),
        nose_width=rng.uniform(0.1, 0.14) + 0.01 * man,
        nose_height=rng.uniform(0.19, 0.27),
        mouth_y=rng.uniform(0.53, 0.57),
        mouth_width=rng.uniform(0.24, 0.29),
        lip_fullness=rng.uniform(0.7, 1.05) + 0.2 * (not man) + 0.02 * tone,
        hair=hair,
        hair_colour=one_of(rng, FABRICS) if hair == "scarf" else grown,
        brow_colour=grown,
        hair_volume=rng.uniform(0.6, 1.3),
        parting=one_of(rng, (-1, 1)) * rng.uniform(0.1, 0.4),
        wave=rng.uniform(0, 1),
        beard=one_of(rng, BEARDS) if man else "none",
        glasses=one_of(rng, GLASSES) if rng.random() < 0.22 else "none",
        frame=one_of(rng, FRAMES),
        rest=_rest(rng),
    )


def _rest(rng: np.random.Generator) -> ActionUnits:
    levels = dict.fromkeys(UNITS, 0.0)
    for name in RESTING:
        levels[name] = float(np.clip(rng.normal(0, 0.09), 0, 0.22))
    return ActionUnits(**levels)


def _blend(palette: Sequence[Colour], position: float) -> Colour:
    low = min(int(position), len(palette) - 2)
    share = position - low
    r, g, b = (a + (z - a) * share for a, z in zip(palette[low], palette[low + 1], strict=True))
    return r, g, b


def _varied(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    r, g, b = np.clip(np.asarray(colour) + rng.normal(0, spread, 3), 4, 252).tolist()
    return r, g, b


def _lips(rng: np.random.Generator, skin: Colour, man: bool) -> Colour:
    red = np.asarray((168, 62, 66)) * (0.45 + 0.55 * skin[1] / 214)
    share = rng.uniform(0.3, 0.45) if man else rng.uniform(0.45, 0.8)
    r, g, b = (np.asarray(skin) * 0.92 * (1 - share) + red * share).tolist()
    return r, g, b


def _hair_colour(rng: np.random.Generator, tone: float, age: float) -> Colour:
    young = _varied(rng, one_of(rng, HAIR if tone < 2 else HAIR[:3]), 2)
    return _blend((young, GREY), float(np.clip((age - 0.6) * 3 * rng.uniform(0.3, 1.2), 0, 0.9)))
