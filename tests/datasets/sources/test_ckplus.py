"""CK+ in its three forms, each built here in the layout in which it is distributed."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.ckplus import ABOUT, read
from ferline.datasets.synthetic import scene
from ferline.errors import FerlineError

Encode = Callable[..., bytes]


def rows_of(source: Path, **options: Any) -> list[dict[str, Any]]:
    found = read(source, **options)
    rows = [dict(row) for row in found.rows]
    assert found.total in (None, len(rows))
    assert len({row["id"] for row in rows}) == len(rows)
    return rows


# CK+48


@pytest.fixture
def ck48(tmp_path: Path) -> Path:
    """Two people, three sequences of three frames, synthetic faces at 48x48."""
    root = tmp_path / "download" / "CK+48"
    for emotion, sequence, person, drawn in (
        ("anger", "S010_004", 0, "angry"),
        ("happy", "S010_006", 0, "happy"),
        ("contempt", "S138_008", 1, "neutral"),
    ):
        (root / emotion).mkdir(parents=True)
        for frame in (7, 8, 9):
            face = cv2.resize(cv2.cvtColor(scene(0, person, drawn, frame), cv2.COLOR_RGB2GRAY), (48, 48))
            cv2.imwrite(str(root / emotion / f"{sequence}_{frame:08d}.png"), face)
    return root


def test_ck48_names_tell_subject_sequence_and_frame(ck48: Path) -> None:
    rows = rows_of(ck48)
    assert Counter(row["label"] for row in rows) == {"angry": 3, "happy": 3, "contempt": 3}
    first = next(row for row in rows if row["id"] == "anger/S010_004_00000007.png")
    assert (first["subject"], first["sequence"]) == ("S010", "S010_004")
    assert json.loads(first["attributes"]) == {"frame": 7}
    assert first["image"] == (ck48 / "anger" / "S010_004_00000007.png").read_bytes()
    assert "split" not in first


def test_ck48_is_of_cropped_faces_and_says_what_it_lacks(ck48: Path) -> None:
    found = read(ck48)
    assert found.cropped is True
    assert ABOUT.cropped is False
    assert found.notes == [
        "no neutral images",
        "9 images of 2 people in 3 sequences; the whole set has 981 images of 118 people in 327 sequences",
    ]


def test_ck48_one_level_deeper_is_the_same_set(ck48: Path) -> None:
    assert rows_of(ck48.parent) == rows_of(ck48)


def test_ck48_goes_into_a_raw_set_once(ck48: Path, tmp_path: Path) -> None:
    raw = RawSet(tmp_path / "raw" / "ckplus")
    assert raw.append(read(ck48).rows) == 9
    assert raw.append(read(ck48.parent).rows) == 0
    assert raw.table["subject"].nunique() == 2
    assert raw.table["sequence"].nunique() == 3


@pytest.mark.parametrize("path", ["anger/cover.png", "loose.png", "anger/more/S010_004_00000010.png"])
def test_ck48_refuses_images_of_other_names(ck48: Path, encode: Encode, path: str) -> None:
    (ck48 / path).parent.mkdir(exist_ok=True)
    (ck48 / path).write_bytes(encode(1))
    with pytest.raises(FerlineError, match=rf"1 images are not EMOTION/SUBJECT_SEQUENCE_FRAME\.png: {path}"):
        read(ck48)


def test_ck48_refuses_a_folder_that_is_no_emotion(ck48: Path) -> None:
    (ck48 / "contempt").rename(ck48 / "scorn")
    with pytest.raises(FerlineError, match="scorn: no known emotions"):
        read(ck48)


# ckextended.csv


def extended(folder: Path, rows: list[tuple[int, str]], end: str = "\n") -> Path:
    generator = np.random.default_rng(0)
    lines = ["emotion,pixels,Usage"]
    lines += [f"{code},{' '.join(map(str, generator.integers(0, 256, 2304)))},{usage}" for code, usage in rows]
    folder.mkdir(exist_ok=True)
    (folder / "ckextended.csv").write_text(end.join(lines) + end)
    return folder / "ckextended.csv"


ALL = [(code, "Training") for code in range(8)] + [(6, "PublicTest"), (6, "PrivateTest")]


def test_the_csv_has_eight_emotions_and_a_split_of_its_own(tmp_path: Path) -> None:
    rows = rows_of(extended(tmp_path / "ck", ALL))
    labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt", "neutral", "neutral"]
    assert [row["label"] for row in rows] == labels
    assert [row["split"] for row in rows] == ["train"] * 8 + ["validation", "test"]
    assert rows[0]["id"] == "ckextended-0001"
    image = cv2.imdecode(np.frombuffer(rows[0]["image"], np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(image.ravel(), np.random.default_rng(0).integers(0, 256, 2304))


def test_the_csv_comes_with_a_warning_and_without_subjects(tmp_path: Path) -> None:
    found = read(extended(tmp_path / "ck", ALL).parent)
    assert found.cropped is True
    assert any("no score on such a split is honest" in note and "CK+48" in note for note in found.notes)
    assert all("subject" not in row for row in found.rows)


def test_the_csv_says_when_rows_are_missing(tmp_path: Path) -> None:
    found = read(extended(tmp_path / "ck", ALL))
    assert len(list(found.rows)) == 10
    assert found.notes[-1] == "10 images; the whole file has 920"


def test_fer2013_is_not_taken_for_it(tmp_path: Path) -> None:
    source = extended(tmp_path / "ck", ALL)
    with pytest.raises(FerlineError, match=r"this is not CK\+"):
        read(source.rename(source.with_name("fer2013.csv")))


def test_the_csv_reads_the_same_with_windows_line_ends_and_in_its_folder(tmp_path: Path) -> None:
    plain = rows_of(extended(tmp_path / "ck", ALL))
    assert rows_of(extended(tmp_path / "dos", ALL, "\r\n").parent) == plain


@pytest.mark.parametrize("row", [(8, "Training"), (3, "Trainig")])
def test_an_emotion_or_usage_of_no_meaning_is_refused(tmp_path: Path, row: tuple[int, str]) -> None:
    source = extended(tmp_path / "ck", [(0, "Training"), row])
    with pytest.raises(FerlineError, match=rf"ckextended\.csv, line 3: emotion '{row[0]}' of '{row[1]}'"):
        list(read(source).rows)


# the original release

LABELS = {"S005_001": 3, "S010_001": 7, "S010_002": 1}  # disgust, surprise, anger; S010_003 has no label


@pytest.fixture
def original(tmp_path: Path, encode: Encode) -> Path:
    """Four sequences as the archives unpack; the last has no label, and yet a folder for one."""
    root = tmp_path / "CK+"
    for sequence, frames in (("S005_001", 11), ("S010_001", 14), ("S010_002", 3), ("S010_003", 5)):
        subject, take = sequence.split("_")
        images, labels = root / "cohn-kanade-images" / subject / take, root / "Emotion" / subject / take
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for frame in range(1, frames + 1):
            (images / f"{sequence}_{frame:08d}.png").write_bytes(encode(len(sequence) + frame, 24))
        if sequence in LABELS:
            text = f"   {LABELS[sequence]}.0000000e+00\n"
            (labels / f"{sequence}_{frames:08d}_emotion.txt").write_text(text)
    (root / "cohn-kanade-images" / ".DS_Store").write_bytes(b"x")
    return root


def frames_of(rows: list[dict[str, Any]], sequence: str) -> dict[int, str]:
    """Frame to label."""
    mine = [row for row in rows if row["sequence"] == sequence]
    return {json.loads(row["attributes"])["frame"]: row["label"] for row in mine}


def test_the_last_three_frames_have_the_label_and_the_first_is_neutral(original: Path) -> None:
    rows = rows_of(original)
    assert frames_of(rows, "S005_001") == {1: "neutral", 9: "disgust", 10: "disgust", 11: "disgust"}
    last = next(row for row in rows if row["id"] == "S005/001/S005_001_00000011.png")
    assert (last["subject"], last["sequence"]) == ("S005", "S005_001")
    assert json.loads(last["attributes"]) == {"frame": 11, "frames": 11}
    assert read(original).cropped is False


def test_other_numbers_of_frames_on_request(original: Path) -> None:
    rows = rows_of(original, peak=1, neutral=2)
    assert frames_of(rows, "S010_001") == {1: "neutral", 2: "neutral", 14: "surprise"}
    assert Counter(row["label"] for row in rows_of(original, neutral=0))["neutral"] == 0


def test_whole_sequences_for_recurrent_use(original: Path) -> None:
    rows = rows_of(original, whole=True)
    assert frames_of(rows, "S005_001") == dict.fromkeys(range(1, 12), "disgust")
    assert len(rows) == 11 + 14 + 3


def test_a_short_sequence_gives_its_peak_first_and_no_frame_twice(original: Path) -> None:
    assert frames_of(rows_of(original), "S010_002") == {1: "angry", 2: "angry", 3: "angry"}
    assert frames_of(rows_of(original, peak=2, neutral=2), "S010_002") == {1: "neutral", 2: "angry", 3: "angry"}
    assert any("1 sequences are too short" in note and "S010_002" in note for note in read(original).notes)
    assert not any("too short" in note for note in read(original, whole=True).notes)


def test_sequences_without_a_label_are_counted(original: Path) -> None:
    assert read(original).notes[:2] == [
        "1 of 4 sequences have no emotion file and are left out",
        "4 sequences, 3 of them labelled; the whole release has 593 and 327",
    ]


def test_it_is_found_one_level_deeper_and_by_its_image_folder(original: Path) -> None:
    rows = rows_of(original)
    assert rows_of(original.parent) == rows
    assert rows_of(original / "cohn-kanade-images") == rows
    for name, folder in (("cohn-kanade-images", "extended-cohn-kanade-images"), ("Emotion", "Emotion_labels")):
        (original / folder).mkdir()
        (original / name).rename(original / folder / name)
    assert rows_of(original) == rows


@pytest.mark.parametrize(
    ("text", "label"),
    [("3", "disgust"), ("0.0", "neutral"), ("   5.0000000e+00\n", "happy"), ("2.0000000e+000", "contempt")],
)
def test_labels_are_read_however_they_are_written(original: Path, text: str, label: str) -> None:
    (original / "Emotion/S005/001/S005_001_00000011_emotion.txt").write_text(text)
    assert frames_of(rows_of(original), "S005_001")[11] == label


@pytest.mark.parametrize("text", ["8.0", "", "happy", "1.5", "-1", "3.0 4.0"])
def test_a_label_of_no_meaning_is_refused(original: Path, text: str) -> None:
    path = original / "Emotion/S005/001/S005_001_00000011_emotion.txt"
    path.write_text(text)
    with pytest.raises(FerlineError, match=r"00000011_emotion\.txt: '.*' is no label; there are 0 neutral, 1 angry"):
        read(original)


def test_a_label_without_images_is_refused(original: Path) -> None:
    for path in (original / "cohn-kanade-images/S010/001").iterdir():
        path.unlink()
    with pytest.raises(FerlineError, match=r"1 sequences that .*Emotion labels have no images here: S010_001"):
        read(original)


def test_a_second_label_and_one_out_of_place_are_refused(original: Path) -> None:
    folder = original / "Emotion/S005/001"
    (folder / "S005_001_00000010_emotion.txt").write_text("1")
    with pytest.raises(FerlineError, match="S005/001: has two labels"):
        read(original)
    (folder / "S005_001_00000010_emotion.txt").rename(folder / "S999_001_00000010_emotion.txt")
    with pytest.raises(FerlineError, match=r"S999_001_00000010_emotion\.txt: a label is SUBJECT"):
        read(original)


def test_an_image_of_another_name_is_refused(original: Path, encode: Encode) -> None:
    (original / "cohn-kanade-images/S005/001/S006_001_00000001.png").write_bytes(encode(1))
    with pytest.raises(FerlineError, match=r"1 images are not SUBJECT/SEQUENCE/.*S005/001/S006_001_00000001\.png"):
        read(original)


def test_images_without_the_folder_of_labels_are_refused(original: Path) -> None:
    (original / "Emotion").rename(original / "Feelings")
    with pytest.raises(FerlineError, match=r"has cohn-kanade-images/ and no Emotion/ beside it"):
        read(original)


@pytest.mark.parametrize("options", [{"peak": 0}, {"neutral": -1}])
def test_numbers_of_frames_that_cannot_be_are_refused(original: Path, options: dict[str, int]) -> None:
    with pytest.raises(FerlineError, match=r"--peak .* --neutral"):
        read(original, **options)


# where it is not


def test_two_forms_in_one_place_are_refused(ck48: Path) -> None:
    extended(ck48.parent, ALL)
    with pytest.raises(
        FerlineError, match=r"holds CK\+ more than once: .*CK\+48, .*ckextended\.csv\. Give one of them"
    ):
        read(ck48.parent)


def test_another_folder_gets_the_right_tree_to_look_at(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "cat.png").write_bytes(b"x")
    with pytest.raises(FerlineError) as error:
        read(tmp_path)
    message = str(error.value)
    assert "Found: 1 folders (happy)" in message
    assert "cohn-kanade-images/ beside Emotion/" in message
    assert "S010_004_00000017.png" in message
