"""JAFFE's files, whose names say everything."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ferline.datasets.sources.jaffe import read
from ferline.errors import FerlineError

NAMES = {
    "KA.AN1.39": ("KA", "angry"),
    "KL.DI4.173": ("KL", "disgust"),
    "KM.FE2.24": ("KM", "fear"),
    "KR.HA1.74": ("KR", "happy"),
    "MK.NE3.115": ("MK", "neutral"),
    "NA.SA1.205": ("NA", "sad"),
    "YM.SU3.60": ("YM", "surprise"),
}


@pytest.fixture
def jaffe(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    folder = tmp_path / "jaffe"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / f"{name}.tiff").write_bytes(encode(number, 24, ".tiff"))
    (folder / "README_FIRST.txt").write_text("ratings")
    return folder


def test_names_tell_who_shows_what(jaffe: Path) -> None:
    found = read(jaffe)
    rows = list(found.rows)
    assert {row["id"].removesuffix(".tiff"): (row["subject"], row["label"]) for row in rows} == NAMES
    assert found.total == 7
    assert found.notes == ["7 images of 7 people; the whole set has 213 of 10"]


@pytest.mark.parametrize("ending", ["jpg", "png", "TIFF"])
def test_saved_again_in_another_form(jaffe: Path, ending: str) -> None:
    for path in jaffe.glob("*.tiff"):
        path.rename(path.with_name(path.name.replace("tiff", ending)))
    assert {row["label"] for row in read(jaffe).rows} == {label for _, label in NAMES.values()}


def test_ids_are_the_names_wherever_the_files_are(jaffe: Path) -> None:
    flat = {row["id"]: row["label"] for row in read(jaffe).rows}
    (jaffe / "happy").mkdir()
    (jaffe / "KR.HA1.74.tiff").rename(jaffe / "happy" / "KR.HA1.74.tiff")
    assert {row["id"]: row["label"] for row in read(jaffe.parent).rows} == flat


@pytest.mark.parametrize("name", ["cat.jpg", "KA.XX1.39.tiff", "KA.AN1.tiff", "AN1.39.png"])
def test_other_images_are_refused_by_name(jaffe: Path, encode: Callable[..., bytes], name: str) -> None:
    (jaffe / name).write_bytes(encode(1))
    with pytest.raises(FerlineError, match=rf"1 images do not have a name such as KA\.AN1\.39\.tiff .*: {name}"):
        read(jaffe)


def test_one_image_in_two_files_is_refused(jaffe: Path, encode: Callable[..., bytes]) -> None:
    (jaffe / "KA.AN1.39.png").write_bytes(encode(0))
    with pytest.raises(FerlineError, match=r"1 images are there twice: KA\.AN1\.39"):
        read(jaffe)


@pytest.mark.parametrize("name", ["other", "other/cat.jpg", "nowhere"])
def test_another_place_gets_the_right_names_to_look_at(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "cat.jpg").write_bytes(b"x")
    with pytest.raises(FerlineError, match=r"(?s)this is not JAFFE.*Found: .*KA\.AN1\.39\.tiff"):
        read(tmp_path / name)
