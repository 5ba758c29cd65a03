"""FER2013 as the challenge's CSV files and as Kaggle's folders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.fer2013 import ABOUT, read
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.images.decode import decode

USAGES = ["Training", "Training", "PublicTest", "Training", "PrivateTest", "PublicTest", "Training"]


def pixels(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, (48, 48), dtype=np.uint8)


def cell(row: int) -> str:
    return " ".join(map(str, pixels(row).ravel()))


def line(row: int, emotion: object = None, usage: str | None = None) -> str:
    return f"{row % 7 if emotion is None else emotion},{cell(row)},{USAGES[row % 7] if usage is None else usage}"


def write(path: Path, lines: list[str], header: str = "emotion,pixels,Usage") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def rows_of(source: Path) -> list[Any]:
    return list(read(source).rows)


def test_a_row_is_its_pixels_label_split_and_place_within_its_usage(tmp_path: Path) -> None:
    path = write(tmp_path / "fer2013.csv", [line(row) for row in range(7)])
    rows = rows_of(path)
    assert [row["label"] for row in rows] == list(EMOTIONS)
    assert [row["split"] for row in rows] == ["train", "train", "validation", "train", "test", "validation", "train"]
    assert [row["id"] for row in rows] == [
        "training-00000",
        "training-00001",
        "publictest-00000",
        "training-00002",
        "privatetest-00000",
        "publictest-00001",
        "training-00003",
    ]
    assert [row["source"] for row in rows] == [f"fer2013.csv, line {number}" for number in range(2, 9)]
    for number, row in enumerate(rows):
        np.testing.assert_array_equal(decode(row["image"])[:, :, 0], pixels(number))
    assert ABOUT.cropped


def test_a_csv_of_one_usage_gives_the_ids_of_the_whole(tmp_path: Path) -> None:
    every = [line(row) for row in range(14)]
    whole = {row["id"]: row["image"] for row in rows_of(write(tmp_path / "fer2013.csv", every))}
    part = rows_of(write(tmp_path / "test.csv", [text for text in every if text.endswith("PublicTest")]))
    assert [row["id"] for row in part] == [f"publictest-{place:05d}" for place in range(4)]
    assert all(whole[row["id"]] == row["image"] for row in part)


def test_icml_face_data_has_spaces_before_its_column_names(tmp_path: Path) -> None:
    lines = [f"{row % 7},{USAGES[row % 7]},{cell(row)}" for row in range(7)]
    rows = rows_of(write(tmp_path / "icml_face_data.csv", lines, "emotion, Usage, pixels"))
    same = rows_of(write(tmp_path / "fer2013.csv", [line(row) for row in range(7)]))
    assert [row["image"] for row in rows] == [row["image"] for row in same]
    assert [row["id"] for row in rows] == [row["id"] for row in same]


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv"])
@pytest.mark.parametrize("folder", ["", "fer2013"])
def test_a_folder_that_holds_the_csv_will_do(tmp_path: Path, name: str, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    write(tmp_path / folder / name, [line(0)])
    assert [row["id"] for row in rows_of(tmp_path)] == ["training-00000"]


FAULTS = {
    "emotion 9": (
        line(15, emotion=9),
        "emotion is '9', it must be 0 to 6 (angry, disgust, fear, happy, sad, surprise, neutral)",
    ),
    "an emotion's name": (
        line(15, emotion="happy"),
        "emotion is 'happy', it must be 0 to 6 (angry, disgust, fear, happy, sad, surprise, neutral)",
    ),
    "no emotion": (line(15, emotion=""), "emotion is empty"),
    "another Usage": (line(15, usage="Train"), "Usage is 'Train', it must be one of Training, PublicTest, PrivateTest"),
    "no Usage": (line(15, usage=""), "Usage is empty"),
    "2,303 pixels": (
        f"1,{cell(15).rpartition(' ')[0]},Training",
        "2303 pixel values where 48 x 48 = 2304 are needed",
    ),
    "a value of 256": (f"1,256 {cell(15).partition(' ')[2]},Training", "pixel 1 is 256, it must be from 0 to 255"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_line_17_is_reported_and_nothing_is_added(tmp_path: Path, fault: str) -> None:
    faulty, message = FAULTS[fault]
    lines = [line(row) for row in range(30)]
    raw = RawSet(tmp_path / "fer2013")
    raw.append(rows_of(write(tmp_path / "part.csv", lines[:3])))
    before = raw.digest
    lines[15] = faulty
    path = write(tmp_path / "fer2013.csv", lines)
    with pytest.raises(FerlineError) as error:
        raw.append(read(path).rows, shard_rows=4)
    assert str(error.value) == f"{path}, line 17: {message}. Nothing was added"
    assert RawSet(raw.folder).verify().digest == before
    assert sorted(path.name for path in raw.folder.iterdir()) == ["manifest.json", "shard-00000.parquet"]


def test_adding_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "fer2013.csv", [line(row) for row in range(20)])
    raw = RawSet(tmp_path / "fer2013")
    assert raw.append(read(path).rows) == 20
    before = raw.digest
    assert raw.append(read(path).rows) == 0
    assert RawSet(raw.folder).digest == before


@pytest.fixture
def kaggle(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    """train/ and test/ as on Kaggle; the same number stands under two emotions of PrivateTest, as it does there."""
    root = tmp_path / "fer2013"
    for place, emotion in enumerate(EMOTIONS):
        for name in ("train/{}/Training_3908.jpg", "test/{}/PublicTest_81201.jpg", "test/{}/PrivateTest_10131363.jpg"):
            path = root / name.format(emotion)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(3 * place + len(name), form=".jpg"))
    return root


def test_of_the_kaggle_folders_the_files_names_say_the_split(kaggle: Path) -> None:
    found = read(kaggle)
    rows = {row["id"]: row for row in found.rows}
    assert len(rows) == found.total == 21
    splits = {row_id.rpartition("/")[2]: row["split"] for row_id, row in rows.items()}
    assert splits == {
        "Training_3908.jpg": "train",
        "PublicTest_81201.jpg": "validation",
        "PrivateTest_10131363.jpg": "test",
    }
    row = rows["test/surprise/PublicTest_81201.jpg"]
    assert row["label"] == "surprise"
    assert row["image"] == (kaggle / "test/surprise/PublicTest_81201.jpg").read_bytes()


def test_where_the_names_do_not_say_the_folder_does(kaggle: Path, encode: Callable[..., bytes]) -> None:
    for path in sorted(kaggle.rglob("*.jpg")):
        path.rename(path.with_name(path.name.replace("_", "-")))
    assert {row["id"].split("/")[0]: row["split"] for row in rows_of(kaggle)} == {"train": "train", "test": "test"}


def test_folders_of_mixed_case_one_level_deeper_are_the_same_set(kaggle: Path) -> None:
    (kaggle / "train" / "happy").rename(kaggle / "train" / "Happiness")
    (kaggle / "train").rename(kaggle / "Train")
    rows = {row["id"]: row for row in rows_of(kaggle.parent)}
    assert rows["Train/Happiness/Training_3908.jpg"]["label"] == "happy"
    assert len(rows) == 21


def test_one_of_the_two_folders_will_do(kaggle: Path) -> None:
    for path in sorted((kaggle / "train").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert {row["split"] for row in rows_of(kaggle)} == {"validation", "test"}


def test_a_third_folder_is_validation_by_any_of_its_names(kaggle: Path, encode: Callable[..., bytes]) -> None:
    (kaggle / "valid" / "happy").mkdir(parents=True)
    (kaggle / "valid" / "happy" / "a.jpg").write_bytes(encode(1, form=".jpg"))
    rows = {row["id"]: row["split"] for row in rows_of(kaggle)}
    assert (len(rows), rows["valid/happy/a.jpg"]) == (22, "validation")


@pytest.mark.parametrize("place", ["more/happy/a.jpg", "validation/a.jpg"])
def test_images_beside_the_splits_are_not_left_out_in_silence(
    kaggle: Path, encode: Callable[..., bytes], place: str
) -> None:
    (kaggle / place).parent.mkdir(parents=True)
    (kaggle / place).write_bytes(encode(1, form=".jpg"))
    with pytest.raises(FerlineError, match=r"(more|validation): holds images \((happy/)?a\.jpg\).*Nothing was added"):
        read(kaggle)


def test_folders_that_name_no_emotion_are_refused_by_name(kaggle: Path, encode: Callable[..., bytes]) -> None:
    (kaggle / "train" / "bored").mkdir()
    (kaggle / "train" / "bored" / "Training_1.jpg").write_bytes(encode(1, form=".jpg"))
    (kaggle / "test" / "PublicTest_2.jpg").write_bytes(encode(2, form=".jpg"))
    with pytest.raises(FerlineError, match=r"no emotion's name: test, train/bored\. .*Nothing was added"):
        read(kaggle)


@pytest.mark.parametrize("kind", ["missing", "empty folder", "another file", "another set"])
def test_a_wrong_place_says_what_is_there_and_what_would_be_right(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "here"
    if kind == "another file":
        source = tmp_path / "fer2013.tar.gz"
        source.write_bytes(b"\x1f\x8b")
    elif kind != "missing":
        source.mkdir()
    if kind == "another set":
        (source / "anger").mkdir()
    with pytest.raises(FerlineError, match="this is not FER2013 in a form known here") as error:
        read(source)
    assert "train/angry/Training_3908.jpg" in str(error.value)
    assert "Nothing was added" in str(error.value)


def test_a_csv_without_the_columns_is_told_which_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "train.csv", [f"1,{cell(0)}"], "emotion,pixels")
    with pytest.raises(FerlineError, match=r"train\.csv, line 1: no column 'Usage' in the header"):
        read(path)
