"""FER+ as two CSV files that have to stand row beside row, and as the official folders."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.ferplus import ABOUT, read
from ferline.emotions import EMOTIONS, VOTES
from ferline.errors import FerlineError

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
PLACE = {"angry": 4, "disgust": 5, "fear": 6, "happy": 1, "sad": 3, "surprise": 2, "neutral": 0}  # in the file's order
COUNTS = {"Training": 140, "PublicTest": 35, "PrivateTest": 21}
NO_FACE = (3, 150)


def usages() -> list[str]:
    return [usage for usage, count in COUNTS.items() for _ in range(count)]


def images_csv(path: Path, usage: list[str], emotions: list[int]) -> Path:
    cells = [" ".join(map(str, np.random.default_rng(row).integers(0, 256, 64))) for row in range(len(usage))]
    lines = [f"{emotion},{cell},{use}" for emotion, cell, use in zip(emotions, cells, usage, strict=True)]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    return path


def votes_lines(usage: list[str], emotions: list[int]) -> list[str]:
    lines = []
    for row, (use, emotion) in enumerate(zip(usage, emotions, strict=True)):
        votes = [0] * 10
        votes[PLACE[EMOTIONS[emotion]]], votes[8] = 8, 2
        name = f"fer{row:07d}.png"
        if row in NO_FACE:
            name, votes = "", [0] * 9 + [10]
        lines.append(",".join([use, name, *map(str, votes)]))
    return lines


def votes_csv(path: Path, lines: list[str], header: str = HEADER) -> Path:
    path.write_bytes("\r\n".join([header, *lines, ""]).encode())
    return path


def labels() -> list[int]:
    return np.random.default_rng(0).integers(0, 7, len(usages())).tolist()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    images = images_csv(tmp_path / "fer2013.csv", usages(), labels())
    return images, votes_csv(tmp_path / "fer2013new.csv", votes_lines(usages(), labels()))


def test_rows_have_fer2013s_label_and_the_votes_in_the_order_of_votes(files: tuple[Path, Path]) -> None:
    found = read(files[0], votes=files[1])
    rows = list(found.rows)
    assert len(rows) == 196 - 2
    assert found.notes == ["2 rows without an image's name are left out: FER+ says that they show no face"]
    for row in rows:
        said = dict(zip(VOTES, row["votes"], strict=True))
        assert {name: count for name, count in said.items() if count} == {row["label"]: 8, "unknown": 2}
    assert {row["id"]: row["source"] for row in rows}["training-00004"] == "fer2013.csv, line 6"
    assert json.loads(rows[3]["attributes"]) == {"image_name": "fer0000004.png"}
    assert ABOUT.cropped


def test_the_votes_file_beside_the_images_needs_no_option(files: tuple[Path, Path]) -> None:
    assert len(list(read(files[0]).rows)) == len(list(read(files[0].parent).rows)) == 194


def test_without_votes_it_is_not_ferplus(files: tuple[Path, Path]) -> None:
    files[1].unlink()
    with pytest.raises(FerlineError, match=r"fer2013new\.csv: not there, .*--votes .*Nothing was added"):
        read(files[0])


def test_columns_are_known_by_their_names(files: tuple[Path, Path]) -> None:
    expected = [row["votes"] for row in read(*files[:1], votes=files[1]).rows]
    order = [11, 0, 5, 4, 3, 2, 1, 10, 9, 8, 7, 6]
    lines = [HEADER, *votes_lines(usages(), labels())]
    header, *rest = [",".join(line.split(",")[place] for place in order) for line in lines]
    votes_csv(files[1], rest, header)
    assert [row["votes"] for row in read(files[0], votes=files[1]).rows] == expected


def test_images_without_privatetest_take_the_votes_of_their_usages(files: tuple[Path, Path]) -> None:
    expected = {row["id"]: row["votes"] for row in read(files[0]).rows}
    images = images_csv(files[0], usages()[:175], labels()[:175])
    rows = list(read(images).rows)
    assert len(rows) == 173
    assert all(expected[row["id"]] == row["votes"] for row in rows)


def refused(files: tuple[Path, Path]) -> str:
    raw = RawSet(files[0].parent / "raw" / "ferplus")
    with pytest.raises(FerlineError) as error:
        raw.append(read(files[0], votes=files[1]).rows)
    assert str(error.value).endswith("Nothing was added")
    assert not raw.folder.exists()
    return str(error.value)


def test_one_votes_row_too_few_is_refused(files: tuple[Path, Path]) -> None:
    votes_csv(files[1], votes_lines(usages(), labels())[:-1])
    message = refused(files)
    assert "fer2013.csv, line 197 is PrivateTest row 21, fer2013new.csv has 20 of them" in message


def test_one_votes_row_too_many_is_refused(files: tuple[Path, Path]) -> None:
    lines = votes_lines(usages(), labels())
    votes_csv(files[1], [lines[0], *lines])
    assert "fer2013.csv has 140 Training rows, fer2013new.csv has 141 of them" in refused(files)


def test_rows_of_another_usage_are_refused_with_their_lines(files: tuple[Path, Path]) -> None:
    """As many rows of every Usage, in another order."""
    lines = votes_lines(usages(), labels())
    lines[10], lines[150] = lines[150], lines[10]
    votes_csv(files[1], lines)
    assert "fer2013.csv, line 12 is Training, fer2013new.csv, line 12 is PublicTest" in refused(files)


def test_rows_in_another_order_within_their_usage_are_refused(files: tuple[Path, Path]) -> None:
    lines = votes_lines(usages(), labels())
    votes_csv(files[1], [*lines[1:140], lines[0], *lines[140:]])
    message = refused(files)
    assert "the votes agree with the emotions of fer2013.csv in" in message
    assert "Every image would get another one's label" in message


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("Training,fer0000009.png,ten,0,0,0,0,0,0,0,0,0", "line 11: the votes for neutral are 'ten'"),
        ("Training,fer0000009.png,-1,0,0,0,0,0,0,0,0,0", "line 11: the votes for neutral are '-1'"),
        ("Training,fer0000009.png,,0,0,0,0,0,0,0,0,0", "line 11: the votes for neutral are ''"),
        ("Train,fer0000009.png,9,0,0,0,0,0,0,0,0,0", "line 11: Usage is 'Train'"),
        ("Training,fer0000009.png,9,0,0,0,0,0,0,0,0", "line 11: "),
    ],
)
def test_a_faulty_row_of_votes_is_reported_with_its_line(files: tuple[Path, Path], fault: str, message: str) -> None:
    lines = votes_lines(usages(), labels())
    lines[9] = fault
    votes_csv(files[1], lines)
    assert f"{files[1]}, {message}" in refused(files)


def test_a_missing_choice_is_named(files: tuple[Path, Path]) -> None:
    votes_csv(files[1], votes_lines(usages(), labels()), HEADER.replace("contempt", "boredom"))
    assert "no votes for contempt; its columns are neutral, happiness" in refused(files)


@pytest.fixture
def official(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    """data/FER2013Train, Valid and Test with a label.csv in the form of microsoft/FERPlus."""
    root = tmp_path / "data"
    for first, name in enumerate(("FER2013Train", "FER2013Valid", "FER2013Test")):
        (root / name).mkdir(parents=True)
        names = [f"fer{100 * first + number:07d}.png" for number in range(3)]
        for number, image in enumerate(names):
            (root / name / image).write_bytes(encode(10 * first + number, 48))
        lines = [f'{image},"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0' for image in names]
        (root / name / "label.csv").write_text("\r\n".join([*lines, ""]))
    return root


@pytest.mark.parametrize("above", [False, True])
def test_the_official_folders(official: Path, above: bool) -> None:
    found = read(official.parent if above else official)
    rows = list(found.rows)
    assert len(rows) == found.total == 9
    assert [row["split"] for row in rows] == ["train"] * 3 + ["validation"] * 3 + ["test"] * 3
    row = rows[4]
    assert (row["id"], row["source"]) == ("fer0000101", "FER2013Valid/fer0000101.png")
    assert row["votes"] == [3, 2, 0, 0, 1, 0, 4, 0, 0, 0]
    assert json.loads(row["attributes"]) == {"box": [0, 0, 48, 48]}
    assert row.get("label") is None
    assert row["image"] == (official / row["source"]).read_bytes()


def test_a_label_file_without_boxes_and_with_nameless_rows(official: Path) -> None:
    file = official / "FER2013Train" / "label.csv"
    file.write_text(file.read_text().replace('"(0, 0, 48, 48)",', "") + ",0,0,0,0,0,0,0,0,0,10\r\n")
    found = read(official)
    rows = list(found.rows)
    assert len(rows) == found.total == 9
    assert rows[0]["attributes"] is None
    assert rows[0]["votes"] == rows[4]["votes"]
    assert found.notes == ["1 rows without an image's name are left out: FER+ says that they show no face"]


def test_folders_without_the_images_are_refused(official: Path) -> None:
    """As they come from GitHub: label.csv alone."""
    (official / "FER2013Valid" / "fer0000101.png").unlink()
    with pytest.raises(FerlineError, match=r"label\.csv names(.|\n)*fer0000101\.png(.|\n)*Nothing was added"):
        read(official)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('fer0000001.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0', "line 2: 9 votes, there must be one for each of neutral"),
        ('fer0000001.png,"(0, 48, 48)",4,0,0,1,3,2,0,0,0,0', "line 2: the box is '(0, 48, 48)', it must be (left"),
        ('fer0000001.png,"(0, 0, 48, 48)",4,x,0,1,3,2,0,0,0,0', "line 2: the votes for happy are 'x'"),
    ],
)
def test_a_faulty_label_line_is_reported(official: Path, line: str, message: str) -> None:
    file = official / "FER2013Train" / "label.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], line, lines[2]]))
    with pytest.raises(FerlineError) as error:
        read(official)
    assert f"{file}, {message}" in str(error.value)


def test_a_wrong_place_says_what_would_be_right(tmp_path: Path) -> None:
    (tmp_path / "FER2013Train").mkdir()
    with pytest.raises(FerlineError, match=r"this is not FER\+ in a form known here") as error:
        read(tmp_path)
    assert "FER2013Train/label.csv" in str(error.value)
