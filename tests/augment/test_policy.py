"""The policy artifact, and every refusal by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ferline.augment.check import MIN_VISIBLE, worst_visible_share
from ferline.augment.policy import AugmentationPolicy, check
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.params import AugmentationParams, InputParams

DrawnFaces = Callable[..., FaceSet]
SOME_OF_EACH = dict.fromkeys(range(7), 3)
PAPER = AugmentationParams(
    rotation=20, shear=10, zoom=0.1, shift=0.1, horizontal_flip=0.5, crop=0.1, brightness=0.2, contrast=0.2,
    erasing=0.3, balance="oversample",
)  # fmt: skip


def test_a_policy_comes_back_as_it_was_written(drawn_faces: DrawnFaces, tmp_path: Path) -> None:
    policy = AugmentationPolicy.write(PAPER, drawn_faces(SOME_OF_EACH), InputParams(48, 1), 0, tmp_path / "policy")
    again = AugmentationPolicy(tmp_path / "policy").verify()
    assert again.params == PAPER
    assert again.digest == policy.digest
    assert again.pictures() == ["sheet.png"]
    assert again.summary()["rotation"] == 20
    assert "vertical_flip" not in again.summary()


def test_the_digest_is_of_the_content_alone(drawn_faces: DrawnFaces, tmp_path: Path) -> None:
    faces = drawn_faces(SOME_OF_EACH)

    def digest(name: str, seed: int = 0, **changes: Any) -> str:
        params = AugmentationParams(**{"rotation": 10, "brightness": 0.5} | changes)
        return AugmentationPolicy.write(params, faces, InputParams(48, 1), seed, tmp_path / name).digest

    assert digest("a") == digest("b") == digest("c", rotation=10.0)
    assert digest("d", rotation=11) != digest("a") != digest("e", seed=1)


def test_parameters_without_effect_are_not_among_the_active(drawn_faces: DrawnFaces, tmp_path: Path) -> None:
    params = AugmentationParams(crop=0.1, fill="zero", erasing_area=(0.1, 0.2))
    AugmentationPolicy.write(params, drawn_faces(SOME_OF_EACH), InputParams(48, 1), 0, tmp_path / "policy")
    content = json.loads((tmp_path / "policy" / "policy.json").read_text())
    assert content["active"] == {"crop": 0.1}
    assert content["params"]["fill"] == "zero"


@pytest.mark.parametrize(("channels", "side", "wanted"), [(1, 48, (48, 1)), (3, 48, (48, 3)), (1, 48, (96, 3))])
def test_the_sheet_shows_two_faces_a_class_and_eight_draws_of_each(
    drawn_faces: DrawnFaces, tmp_path: Path, channels: int, side: int, wanted: tuple[int, Any]
) -> None:
    faces = drawn_faces({0: 5, 3: 1, 6: 9}, side, channels)
    params = AugmentationParams(shift=0.2, fill="zero", brightness=0.3)
    policy = AugmentationPolicy.write(params, faces, InputParams(*wanted), 0, tmp_path / "policy")
    sheet = cv2.imread(str(policy.folder / "sheet.png"))
    rows, columns, cell = 5, 9, 102
    assert rows * cell < sheet.shape[0] < (rows + 1) * cell  # the one happy face has one row
    assert columns * cell < sheet.shape[1] < (columns + 1.5) * cell
    pictures = sheet[-(rows * cell + 6) :, -(columns * cell + 6) :]
    first, second = pictures[:96, :96], pictures[:96, cell : cell + 96]
    assert first.std() > 10
    assert not np.array_equal(first, second)


def test_no_training_face_is_refused(drawn_faces: DrawnFaces) -> None:
    with pytest.raises(FerlineError, match=r"none of the 1 faces is in the training split.*dataset\.protocol"):
        check(AugmentationParams(), drawn_faces({}))


REFUSED = {
    "balance_missing": (
        {"balance": "oversample"},
        {0: 3, 1: 3},
        r"balance: oversample has no training image of fear, happy, sad",
    ),
    "balance_one": (
        {"balance": "oversample"},
        {**SOME_OF_EACH, 3: 120, 1: 1},
        r"images of disgust 120 times an epoch",
    ),
    "crop": ({"crop": 0.6}, SOME_OF_EACH, r"crop: 0\.6 cuts windows of 19 of 48 pixels.*write at most 0\.5"),
    "zoom": ({"zoom": 0.6}, SOME_OF_EACH, r"zoom: 0\.6 shrinks faces to a side of 19 of 48.*write at most 0\.5"),
    "mirror": ({"horizontal_flip": 1.0}, SOME_OF_EACH, r"horizontal_flip: 1\.0 mirrors every.*write 0\.5"),
    "upend": ({"vertical_flip": 0.8}, SOME_OF_EACH, r"vertical_flip: 0\.8 stands most.*write 0\.5"),
    "turn": ({"rotation": 120}, SOME_OF_EACH, r"rotation: 120 stands some faces.*at most 90 degrees"),
    "shift": ({"shift": 0.5}, SOME_OF_EACH, r"shift: 0\.5 together leave 28% of the face.*write at most shift: 0\.3"),
    "together": (
        {"shift": 0.3, "zoom": 0.3},
        SOME_OF_EACH,
        r"shift: 0\.3, zoom: 0\.3 together leave 45%.*shift: 0\.2\d, zoom",
    ),
    "light": ({"brightness": 0.8, "contrast": 0.6}, SOME_OF_EACH, r"brightness: 0\.8, contrast: 0\.6 leave 8%"),
    "hole": (
        {"erasing": 0.5, "erasing_area": (0.1, 0.6)},
        SOME_OF_EACH,
        r"erasing_area: \[0\.1, 0\.6\] erases over half",
    ),
    "speck": (
        {"erasing": 0.5, "erasing_area": (1e-5, 1e-4)},
        SOME_OF_EACH,
        r"erasing_area: .* erases nothing.*0\.0004",
    ),
}


@pytest.mark.parametrize(("changes", "counts", "message"), REFUSED.values(), ids=REFUSED)
def test_a_policy_that_makes_no_sense_is_refused(
    drawn_faces: DrawnFaces, tmp_path: Path, changes: dict[str, Any], counts: dict[int, int], message: str
) -> None:
    with pytest.raises(FerlineError, match=message) as refusal:
        AugmentationPolicy.write(
            AugmentationParams(**changes), drawn_faces(counts), InputParams(48, 1), 0, tmp_path / "no"
        )
    assert all(line.startswith("augmentation.") for line in str(refusal.value).splitlines())
    assert not (tmp_path / "no").exists()


def test_all_that_is_wrong_is_said_at_once(drawn_faces: DrawnFaces) -> None:
    with pytest.raises(FerlineError) as refusal:
        check(AugmentationParams(crop=0.6, horizontal_flip=1.0, shift=0.5), drawn_faces(SOME_OF_EACH))
    assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == [
        "augmentation.crop", "augmentation.horizontal_flip", "augmentation.shift",
    ]  # fmt: skip


def test_what_a_refusal_says_to_write_is_accepted(drawn_faces: DrawnFaces) -> None:
    faces = drawn_faces(SOME_OF_EACH)
    with pytest.raises(FerlineError) as refusal:
        check(AugmentationParams(shift=0.4, zoom=0.4, crop=0.2), faces)
    advice = str(refusal.value).rsplit("write at most ", 1)[1]
    check(
        AugmentationParams(**{key: float(value) for key, value in (part.split(": ") for part in advice.split(", "))}),
        faces,
    )


@pytest.mark.parametrize(
    "params",
    [
        AugmentationParams(),
        PAPER,
        AugmentationParams(vertical_flip=0.5, rotation=180),
        AugmentationParams(rotation=30, shear=20, zoom=0.2, shift=0.2, horizontal_flip=0.5),
        AugmentationParams(erasing_area=(0.1, 0.9)),  # no erasing, so its area does not matter
    ],
)
def test_policies_that_papers_use_are_accepted(drawn_faces: DrawnFaces, params: AugmentationParams) -> None:
    check(params, drawn_faces(SOME_OF_EACH))


def test_worst_visible_share_is_the_geometrys_own() -> None:
    assert worst_visible_share(AugmentationParams()) == 1
    assert worst_visible_share(AugmentationParams(rotation=180)) == 1  # a turned disc stays in the frame
    # half the side down and across leaves a quarter of the disc's square: its inner quadrant's share of the disc
    assert worst_visible_share(AugmentationParams(shift=0.5)) == pytest.approx(0.25, abs=0.03)
    assert worst_visible_share(AugmentationParams(zoom=0.9)) == pytest.approx(4 / (np.pi * 1.9**2), abs=0.02)
    assert worst_visible_share(AugmentationParams(rotation=15, shift=0.1, zoom=0.1)) > MIN_VISIBLE
