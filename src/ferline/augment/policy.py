"""One paper's augmentation as an artifact: its parameters, and a contact sheet of what they do to the faces.

Every image of every batch gets its own draw. In the order in which they are applied:

    brightness         every pixel times a factor from 1 - b to 1 + b, cut to black and white
    contrast           distance from the image's own mean grey times a factor from 1 - c to 1 + c (torchvision's reading
                       of both, which is Keras' `brightness_range` too)
    crop               a square window of 1 - c to 1 of the side, anywhere in the image, brought back to the whole frame
    horizontal_flip    the probability of a mirrored face
    vertical_flip      the probability of a face turned upside down
    zoom               one factor from 1 - z to 1 + z for both axes; above 1 the face grows
    shear              verticals lean by up to so many degrees to either side, horizontals stay
    rotation           about the centre, up to so many degrees to either side
    shift              across and along, each up to this share of the side either way
    fill               what comes in from outside: the edge's pixels drawn on, or black (`zero`)
    noise              grain of a standard deviation from 0 to this share of the range, the same in every channel
    erasing            the probability of a rectangle set to 0 after normalisation (black where that only scales)
    erasing_area       its area, from and to, as a share of the image; height over width is 0.3 to 3.3
    balance            `oversample` shows every class as often as the largest one (ferline.augment.sampling)
"""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from ferline.artifact import Artifact, staging, write_json
from ferline.augment.check import check
from ferline.augment.sheet import policy_sheet
from ferline.faces.faceset import FaceSet
from ferline.images.sheet import save_png
from ferline.params import AugmentationParams, InputParams

__all__ = ["AugmentationPolicy", "check"]


class AugmentationPolicy(Artifact):
    """`policy.json` (all parameters, and those that do something) beside `sheet.png`."""

    @cached_property
    def params(self) -> AugmentationParams:
        content = self.read_json("policy.json")["params"]
        return AugmentationParams(**content | {"erasing_area": tuple(content["erasing_area"])})

    def summary(self) -> dict[str, Any]:
        return dict(self.read_json("policy.json")["active"])

    @classmethod
    def write(
        cls, params: AugmentationParams, faces: FaceSet, input: InputParams, seed: int, target: Path | None = None
    ) -> "AugmentationPolicy":
        """Check the policy against the faces it is for, draw its sheet and seal both."""
        check(params, faces)
        with staging(target) as folder:
            write_json(folder / "policy.json", {"params": _plain(params), "active": active(params)})
            save_png(folder / "sheet.png", policy_sheet(params, faces, input, seed))
        return cls(target or folder)


def active(params: AugmentationParams) -> dict[str, Any]:
    """The parameters that do something: policies with equal effect have equal ones, whatever else they state."""
    stated = _plain(params)
    if not params.erasing:
        del stated["erasing_area"]
    if not any((params.rotation, params.shear, params.zoom, params.shift)):
        del stated["fill"]  # a crop stays inside the image
    return {key: value for key, value in stated.items() if value not in (0.0, "none")}


def _plain(params: AugmentationParams) -> dict[str, Any]:
    """As JSON has it, with every number a float: 10 and 10.0 in params.yaml are one policy and one digest."""

    def plain(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [plain(each) for each in value]
        return value if isinstance(value, str) else float(value)

    return {key: plain(value) for key, value in asdict(params).items()}
