"""AffectNet in the layouts of its two releases and of Kaggle's copy, made by the test."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.affectnet import read
from ferline.errors import FerlineError

ORDER = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"


@pytest.fixture
def release(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    """train_set with eight images and val_set with eight more; the second set's annotations are numbers, not text."""
    base = tmp_path / "AffectNet"
    for seed, name in enumerate(("train_set", "val_set")):
        images, annotations = base / name / "images", base / name / "annotations"
        images.mkdir(parents=True)
        annotations.mkdir()
        for code in range(8):
            (images / f"{code}.jpg").write_bytes(encode(10 * seed + code, form=".jpg"))
            as_written = str if name == "train_set" else float
            np.save(annotations / f"{code}_exp.npy", str(code) if name == "train_set" else code)
            np.save(annotations / f"{code}_val.npy", as_written(code / 10))
            np.save(annotations / f"{code}_aro.npy", as_written(-code / 10))
            np.save(annotations / f"{code}_lnd.npy", np.zeros(136))
    return base


@pytest.fixture
def first_release(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    base = tmp_path / "AffectNet"
    lists, images = base / "Manually_Annotated_file_lists", base / "Manually_Annotated_Images"
    lists.mkdir(parents=True)
    rows: dict[str, list[str]] = {"training.csv": [], "validation.csv": []}
    for code in range(11):
        for number, name in enumerate(rows):
            path = images / str(number) / f"face{code}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(20 * number + code, form=".jpg"))
            felt = "-2,-2" if code > 8 else "0.25,-0.5"
            rows[name].append(f"{number}/face{code}.jpg,1,1,30,30,10.5;11.0;12.5;13.0,{code},{felt}\n")
    (lists / "training.csv").write_text(HEADER + "".join(rows["training.csv"]))
    (lists / "validation.csv").write_text("".join(rows["validation.csv"]))  # as published, without the header
    return base


@pytest.fixture
def kaggle(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    base = tmp_path / "archive"
    lines = [",pth,label,relFCs\n"]
    folders = ("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    for number, folder in enumerate(folders):
        (base / folder).mkdir(parents=True)
        path = f"{folder}/image000000{number}.jpg"
        (base / path).write_bytes(encode(number, form=".jpg"))
        label = "surprise" if folder == "anger" else folder
        lines.append(f"{number},{path},{label},0.87{number}\n")
    (base / "labels.csv").write_text("".join(lines))
    return base


def test_the_release_of_2021_gives_expressions_valence_and_arousal(release: Path) -> None:
    found = read(release)
    rows = {row["id"]: row for row in found.rows}
    assert found.total == len(rows) == 16
    for name, split in (("train_set", "train"), ("val_set", "test")):
        for code, emotion in enumerate(ORDER):
            row = rows[f"{name}/images/{code}.jpg"]
            assert (row["label"], row["split"]) == (emotion, split)
            assert json.loads(row["attributes"]) == {"valence": code / 10, "arousal": -code / 10}


def test_the_notes_say_why_the_validation_set_is_the_test(release: Path) -> None:
    assert any("withheld" in note for note in read(release).notes)


def test_a_raw_set_takes_the_rows_as_they_are(release: Path, tmp_path: Path) -> None:
    raw = RawSet(tmp_path / "affectnet")
    assert raw.append(read(release).rows) == 16
    assert raw.append(read(release.parent).rows) == 0


def test_minus_two_is_no_valence(release: Path) -> None:
    np.save(release / "train_set" / "annotations" / "3_val.npy", "-2")
    row = next(row for row in read(release).rows if row["id"] == "train_set/images/3.jpg")
    assert json.loads(row["attributes"]) == {"arousal": -0.3}


def test_valence_and_arousal_may_be_missing(release: Path) -> None:
    for path in (release / "train_set" / "annotations").glob("*_[va][ar][lo].npy"):
        path.unlink()
    row = next(row for row in read(release).rows if row["split"] == "train")
    assert row["attributes"] is None


def test_an_image_without_its_expression_is_refused(release: Path) -> None:
    (release / "train_set" / "annotations" / "5_exp.npy").unlink()
    with pytest.raises(FerlineError, match=r"1 of 8 images are not named by annotations.*\(5\)"):
        read(release)


def test_an_expression_without_its_image_is_refused(release: Path) -> None:
    (release / "val_set" / "images" / "2.jpg").unlink()
    with pytest.raises(FerlineError, match=r"val_set/images: 1 of 8 images .* missing \(2\)"):
        read(release)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array("9"), "expression 9 is none of 0 to 7"),
        (np.array([1, 2]), "does not hold one number"),
        (np.array({"a": 1}, dtype=object), "does not hold one number"),
        (np.array("happy"), "does not hold one number"),
    ],
)
def test_a_wrong_expression_file_is_named(release: Path, content: np.ndarray, message: str) -> None:
    np.save(release / "train_set" / "annotations" / "4_exp.npy", content, allow_pickle=True)
    with pytest.raises(FerlineError, match=rf"4_exp.npy: {message}.*Nothing was added"):
        list(read(release).rows)


def test_a_valence_beyond_one_is_refused(release: Path) -> None:
    np.save(release / "train_set" / "annotations" / "4_val.npy", "1.5")
    with pytest.raises(FerlineError, match=r"4_val.npy: 1.5 is no valence"):
        list(read(release).rows)


def test_the_first_release_leaves_out_what_is_no_emotion(first_release: Path) -> None:
    found = read(first_release)
    rows = list(found.rows)
    assert found.total == len(rows) == 16
    assert found.cropped is False
    assert [(row["label"], row["split"]) for row in rows] == [(e, "train") for e in ORDER] + [
        (e, "test") for e in ORDER
    ]
    assert json.loads(rows[0]["attributes"]) == {"valence": 0.25, "arousal": -0.5}
    for name in ("none", "uncertain", "no face"):
        assert f"2 images left out: {name}" in found.notes


def test_the_first_releases_missing_images_are_refused(first_release: Path) -> None:
    (first_release / "Manually_Annotated_Images" / "1" / "face4.jpg").unlink()
    with pytest.raises(FerlineError, match=r"1 of 16 images that the lists name are missing \(1/face4.jpg\)"):
        read(first_release)


def test_a_missing_image_that_is_left_out_anyway_is_not_missed(first_release: Path) -> None:
    (first_release / "Manually_Annotated_Images" / "1" / "face10.jpg").unlink()
    assert read(first_release).total == 16


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1/x.jpg,1,1,30,30,1;2,11,0,0", "line 13: expression 11 is none of 0 to 10"),
        ("1/x.jpg,1,1,30,30,1;2,sad,0,0", "line 13: .* are not an expression and two numbers"),
        ("1/x.jpg,6,0,0", "line 13: 4 values where"),
        ("1/x.jpg,1,1,30,30,1;2,6,7,0", "line 13: 7 is no valence or arousal"),
    ],
)
def test_a_wrong_line_of_a_list_is_named(first_release: Path, line: str, message: str) -> None:
    with (first_release / "Manually_Annotated_file_lists" / "training.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FerlineError, match=message):
        read(first_release)


def test_kaggles_list_counts_and_its_folders_do_not(kaggle: Path) -> None:
    found = read(kaggle)
    rows = {row["id"]: row for row in found.rows}
    assert found.total == len(rows) == 8
    assert rows["anger/image0000000.jpg"]["label"] == "surprise"
    assert rows["happy/image0000004.jpg"]["label"] == "happy"
    assert all(row.get("split") is None for row in rows.values())
    assert json.loads(rows["happy/image0000004.jpg"]["attributes"]) == {"relFCs": 0.874}
    assert any(note.startswith("1 images have another label") for note in found.notes)


def test_kaggles_unknown_label_is_named(kaggle: Path) -> None:
    path = kaggle / "labels.csv"
    path.write_text(path.read_text().replace("jpg,fear", "jpg,frightful"))
    with pytest.raises(FerlineError, match=r"labels.csv, line 5: 'frightful' is no emotion"):
        read(kaggle)


def test_kaggles_missing_image_is_named(kaggle: Path) -> None:
    (kaggle / "sad" / "image0000006.jpg").unlink()
    with pytest.raises(FerlineError, match=r"1 of 8 images that labels.csv names are missing \(sad/image0000006.jpg\)"):
        read(kaggle)


def test_a_labels_csv_of_something_else_is_refused_by_its_columns(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,emotion\na.jpg,3\n")
    with pytest.raises(FerlineError, match="no column pth, label; its first line reads image, emotion"):
        read(tmp_path)


def test_another_folder_gets_an_example_of_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "train_set").mkdir()
    with pytest.raises(FerlineError) as caught:
        read(tmp_path)
    assert "Found: 1 folders (train_set)" in str(caught.value)
    assert "train_set/annotations/0_exp.npy" in str(caught.value)
