"""EMOTIC in its official layout: a person a row."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from emotic_files import (
    HEIGHT,
    IDS,
    IMAGES,
    WIDTH,
    image_of,
    labels_of,
    person_of,
    structures,
    write_mat,
    write_photographs,
)
from scipy.io import loadmat, savemat

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.emotic import read
from ferline.errors import FerlineError
from ferline.images.decode import decode


@pytest.fixture
def official(tmp_path: Path) -> Path:
    write_photographs(tmp_path / "EMOTIC")
    write_mat(tmp_path / "EMOTIC" / "Annotations" / "Annotations.mat")
    return tmp_path / "EMOTIC"


def test_the_file_of_the_test_is_nested_like_the_published_one(official: Path) -> None:
    """By the places at which the PyTorch implementation's mat2py.py finds the published file's content."""
    mat = loadmat(official / "Annotations" / "Annotations.mat")
    image = mat["train"][0][0]
    assert (image[0][0], image[1][0]) == ("COCO_val2014_000000562243.jpg", "mscoco/images")
    person = image[4][0][1]
    assert np.array(person[0]).flatten().tolist() == [30, 5, 55, 38]
    assert (person[3][0], person[4][0]) == ("Female", "Adult")
    assert [str(name[0]) for name in np.array(np.array(person[1]).flatten().tolist()[0]).flatten()] == [
        "Anger",
        "Annoyance",
    ]
    tested = mat["test"][0][0][4][0][0]
    assert len(tested[1][0]) == 2
    assert [str(name[0]) for name in tested[2][0]] == ["Sadness", "Suffering"]
    assert (tested[5][0], tested[6][0]) == ("Female", "Adult")


def test_the_official_layout_gives_a_row_a_person(official: Path) -> None:
    assert labels_of(read(official)) == IDS


def test_the_folder_above_gives_the_same(official: Path) -> None:
    assert labels_of(read(official.parent)) == IDS


def test_annotations_and_folders_may_lie_side_by_side(official: Path, tmp_path: Path) -> None:
    (official / "Annotations" / "Annotations.mat").rename(official / "emotic" / "Annotations.mat")
    assert labels_of(read(official / "emotic")) == IDS


def test_a_person_is_the_box_of_the_decoded_image_clipped_to_it(official: Path) -> None:
    rows = {row["id"]: row for row in read(official).rows}
    row = rows["mscoco/images/COCO_val2014_000000562243.jpg#2"]
    whole = decode((official / "emotic" / row["source"]).read_bytes())
    assert row["image"].startswith(b"\x89PNG")
    assert np.array_equal(decode(row["image"]), whole[5:38, 30:55])
    assert decode(rows["framesdb/images/frame_a.jpg#1"]["image"]).shape == (HEIGHT, WIDTH, 3)


def test_what_is_said_of_a_person_is_kept(official: Path) -> None:
    rows = {row["id"]: json.loads(row["attributes"]) for row in read(official).rows}
    assert rows["mscoco/images/COCO_val2014_000000562243.jpg#1"] == {
        "gender": "Female",
        "age": "Adult",
        "valence": 7.0,
        "arousal": 5.0,
        "dominance": 6.0,
        "categories": ["Happiness", "Engagement"],
    }
    assert "valence" not in rows["framesdb/images/frame_a.jpg#1"]
    assert rows["mscoco/images/four.jpg#1"]["categories"] == ["Sadness", "Suffering"]
    assert rows["mscoco/images/four.jpg#1"]["arousal"] == 3.0


def test_who_is_left_out_is_counted_by_kind(official: Path) -> None:
    found = read(official)
    list(found.rows)
    assert "1 of 8 people left out: none of their categories stands for an emotion" in found.notes
    several = "their categories stand for several emotions (most often fear + surprise 1)"
    assert f"1 of 8 people left out: {several}" in found.notes
    assert "1 people left out: their box covers nothing of the image (emodb_small/images/one.jpg#1)" in found.notes


def test_a_person_whom_nobody_annotated_is_left_out(official: Path) -> None:
    person = person_of("val", [1, 1, 20, 20], ["Fear"], [1, 1, 1])
    nothing = np.empty((0, 0))
    silent = person | dict.fromkeys(("annotations_categories", "combined_categories"), np.empty((0, 0), dtype=object))
    silent |= {"annotations_continuous": nothing, "combined_continuous": nothing, "gender": nothing}
    image = image_of("mscoco/images", "three.jpg", "val", []) | {"person": structures([silent, person])}
    only = {split: structures([image_of(*each) for each in IMAGES if each[2] == split]) for split in ("train", "test")}
    savemat(official / "Annotations" / "Annotations.mat", {**only, "val": structures([image])})
    found = read(official)
    rows = [row for row in found.rows if row["split"] == "validation"]
    assert [row["id"] for row in rows] == ["mscoco/images/three.jpg#2"]
    assert "1 of 8 people left out: without categories" in found.notes


def test_images_of_another_size_than_stated_are_noted(official: Path) -> None:
    path = official / "emotic" / "mscoco" / "images" / "four.jpg"
    cv2.imwrite(str(path), np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    found = read(official)
    list(found.rows)
    assert any("1 images are not of the size" in note and "four.jpg" in note for note in found.notes)


def test_a_raw_set_takes_the_rows_as_they_are(official: Path, tmp_path: Path) -> None:
    raw = RawSet(tmp_path / "emotic-set")
    assert raw.append(read(official).rows) == len(IDS)
    assert raw.append(read(official).rows) == 0


def test_a_missing_photograph_is_named(official: Path) -> None:
    (official / "emotic" / "mscoco" / "images" / "four.jpg").unlink()
    with pytest.raises(FerlineError, match=r"1 of 5 images of annotated people are missing \(mscoco/images/four.jpg\)"):
        read(official)


@pytest.mark.parametrize("length", [0, 200])
def test_a_photograph_that_cannot_be_decoded_is_named(official: Path, length: int) -> None:
    path = official / "emotic" / "mscoco" / "images" / "four.jpg"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FerlineError, match=r"four.jpg: (empty|truncated).*Nothing was added"):
        list(read(official).rows)


def test_a_file_that_is_not_matlabs_is_refused(official: Path) -> None:
    (official / "Annotations" / "Annotations.mat").write_bytes(b"not a MATLAB file at all, but long enough" * 20)
    with pytest.raises(FerlineError, match=r"Annotations.mat: cannot be read as a MATLAB file"):
        read(official)


def test_a_matlab_file_of_something_else_is_refused(official: Path) -> None:
    path = official / "Annotations" / "Annotations.mat"
    savemat(path, {"train": structures([{"image": "a.jpg"}])})
    with pytest.raises(FerlineError, match="holds no val, test"):
        read(official)
    savemat(path, {split: structures([{"image": "a.jpg"}]) for split in ("train", "val", "test")})
    with pytest.raises(
        FerlineError, match=r"train, image 1 is not built like EMOTIC's annotations \(no field 'folder'\)"
    ):
        read(official)


def test_another_folder_gets_an_example_of_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(FerlineError) as caught:
        read(tmp_path)
    assert "Found: 1 folders (Annotations)" in str(caught.value)
    assert "Annotations/Annotations.mat" in str(caught.value)
