"""EMOTIC as people pass it on: the PyTorch implementation's lists and arrays, and Kaggle's."""

import json
from pathlib import Path

import numpy as np
import pytest
from emotic_files import IDS, labels_of, write_csv, write_kaggle, write_photographs

from ferline.datasets.sources.emotic import read
from ferline.errors import FerlineError
from ferline.images.decode import decode


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    write_photographs(tmp_path / "EMOTIC")
    return tmp_path / "EMOTIC"


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """emotic_pre with its arrays, and no photographs anywhere."""
    folder = tmp_path / "data" / "emotic_pre"
    write_csv(folder)
    for seed, (split, count) in enumerate({"train": 4, "val": 2, "test": 1}.items()):
        people = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
        np.save(folder / f"{split}_body_arr.npy", people)
    return folder


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    write_kaggle(tmp_path / "archive")
    return tmp_path / "archive"


def test_the_csv_form_gives_the_same_people_but_those_it_lacks(photographs: Path) -> None:
    write_csv(photographs / "emotic_pre")
    expected = {id: what for id, what in IDS.items() if "frame_a" not in id}
    assert labels_of(read(photographs)) == expected
    assert labels_of(read(photographs / "emotic_pre")) == expected


def test_a_wrong_line_of_the_csv_form_is_named(photographs: Path) -> None:
    write_csv(photographs / "emotic_pre")
    path = photographs / "emotic_pre" / "val.csv"
    path.write_text(path.read_text().replace("'Aversion'", "'Disgust'"))
    with pytest.raises(FerlineError, match=r"val.csv, line 3: .*'Disgust' is none of the 26 categories"):
        read(photographs)


def test_the_arrays_stand_in_for_the_photographs(arrays: Path) -> None:
    found = read(arrays)
    rows = {row["id"]: row for row in found.rows}
    expected = {id for id in IDS if "frame_a" not in id} | {"emodb_small/images/one.jpg#1"}  # cut out already
    assert set(rows) == expected
    assert found.total == len(rows)
    second = np.load(arrays / "val_body_arr.npy")[1]
    assert np.array_equal(decode(rows["mscoco/images/three.jpg#1"]["image"]), second)


def test_arrays_of_another_length_than_their_list_are_refused(arrays: Path) -> None:
    np.save(arrays / "train_body_arr.npy", np.load(arrays / "train_body_arr.npy")[:3])
    with pytest.raises(FerlineError, match=r"train_body_arr.npy: 3 people where its list has 4"):
        read(arrays)


def test_a_list_without_photographs_and_arrays_says_what_it_needs(arrays: Path) -> None:
    (arrays / "test_body_arr.npy").unlink()
    with pytest.raises(FerlineError, match=r"test_body_arr.npy: missing, and so are the photographs"):
        read(arrays)


def test_kaggles_form_gives_its_crops(kaggle: Path) -> None:
    found = read(kaggle)
    rows = {row["id"]: row for row in found.rows}
    assert {id: (row["label"], row["split"]) for id, row in rows.items()} == IDS | {
        "emodb_small/images/one.jpg#1": ("sad", "train")
    }
    row = rows["mscoco/images/COCO_val2014_000000562243.jpg#2"]
    assert row["source"] == "img_arrs/crop_arr_train_1.npy"
    assert np.array_equal(decode(row["image"]), np.load(kaggle / row["source"]))
    assert json.loads(row["attributes"])["categories"] == ["Anger", "Annoyance"]


def test_kaggles_missing_crop_is_named(kaggle: Path) -> None:
    (kaggle / "img_arrs" / "crop_arr_train_1.npy").unlink()
    with pytest.raises(FerlineError, match=r"1 of 6 arrays of people are missing \(img_arrs/crop_arr_train_1.npy\)"):
        read(kaggle)


@pytest.mark.parametrize("content", [np.zeros((20, 20, 3)), np.zeros((20, 20, 4), np.uint8), np.zeros(0, np.uint8)])
def test_an_array_that_is_no_image_is_named(kaggle: Path, content: np.ndarray) -> None:
    np.save(kaggle / "img_arrs" / "crop_arr_train_1.npy", content)
    with pytest.raises(FerlineError, match=r"crop_arr_train_1.npy: .* is no image"):
        list(read(kaggle).rows)
