"""Tables of path, label and more, as CSV and Parquet from whatever program, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.table import read
from ferline.errors import FerlineError


@pytest.fixture
def faces(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    """The folder of a set: three images in `img/`."""
    folder = tmp_path / "set"
    (folder / "img").mkdir(parents=True)
    for number, name in enumerate("abc"):
        (folder / "img" / f"{name}.png").write_bytes(encode(number, 24))
    return folder


def write(folder: Path, text: str, name: str = "images.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def rows_of(source: Path, **options: Any) -> list[dict[str, Any]]:
    found = read(source, **options)
    rows = [dict(row) for row in found.rows]
    assert found.total == len(rows)
    return rows


def test_path_and_label_are_enough(faces: Path) -> None:
    rows = rows_of(write(faces, "path,label\nimg/a.png,happy\nimg/b.png,Sadness\n"))
    assert [(row["id"], row["label"]) for row in rows] == [("img/a.png", "happy"), ("img/b.png", "sad")]
    assert rows[0]["image"] == (faces / "img" / "a.png").read_bytes()
    assert all(row["subject"] is row["sequence"] is row["split"] is row["attributes"] is None for row in rows)


def test_all_columns_in_any_order_and_case_with_numbers_as_numbers(faces: Path) -> None:
    text = (
        " Split ,AGE,Path, LABEL,Subject,sequence,pose,code\n"
        "Training,31,img/a.png,joy,anna,anna_1,0.5,007\n"
        "valid,,img/b.png,fear,ben,,-1.5e1,12\n"
    )
    one, two = rows_of(write(faces, text))
    assert (one["split"], one["subject"], one["sequence"]) == ("train", "anna", "anna_1")
    assert (two["split"], two["subject"], two["sequence"]) == ("validation", "ben", None)
    assert json.loads(one["attributes"]) == {"AGE": 31, "pose": 0.5, "code": "007"}
    assert json.loads(two["attributes"]) == {"pose": -15.0, "code": "12"}


@pytest.mark.parametrize("comma", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_whatever_a_spreadsheet_writes_reads_the_same(faces: Path, comma: str, end: str, encoding: str) -> None:
    lines = ["path,label,who", "img/a.png,happy,Åsa", '"img/b.png","sad","Jo, the other"', "", "img/c.png,fear,"]
    if comma != ",":
        lines = [line if "Jo" in line else line.replace(",", comma) for line in lines]
        lines[2] = f'"img/b.png"{comma}"sad"{comma}"Jo, the other"'
    rows = rows_of(write(faces, end.join(lines) + end, encoding=encoding))
    assert [row["label"] for row in rows] == ["happy", "sad", "fear"]
    assert [row["attributes"] and json.loads(row["attributes"])["who"] for row in rows] == [
        "Åsa",
        "Jo, the other",
        None,
    ]


def test_parquet_reads_the_same_and_keeps_its_types(faces: Path) -> None:
    table = pd.DataFrame(
        {
            "Path": ["img/a.png", "img/b.png"],
            "label": ["happy", "sad"],
            "split": ["train", None],
            "age": [31.5, float("nan")],
            "glasses": [True, False],
            "taken": pd.to_datetime(["2024-05-01", "2024-05-02"]),
        }
    )
    table[table["age"] > 0].to_parquet(faces / "one.parquet")  # with pandas' own column of row numbers
    table.to_parquet(faces / "two.parquet")
    (one,) = rows_of(faces / "one.parquet")
    assert json.loads(one["attributes"]) == {"age": 31.5, "glasses": True, "taken": "2024-05-01 00:00:00"}
    two = rows_of(faces / "two.parquet")[1]
    assert json.loads(two["attributes"]) == {"glasses": False, "taken": "2024-05-02 00:00:00"}
    assert two["split"] is None


def test_paths_may_be_relative_to_another_folder_and_from_windows(faces: Path) -> None:
    (faces / "tables").mkdir()
    rows = rows_of(write(faces / "tables", "path,label\nimg\\a.png,happy\n"), images=faces)
    assert [row["id"] for row in rows] == ["img\\a.png"]
    assert rows[0]["image"] == (faces / "img" / "a.png").read_bytes()


def test_numbers_as_labels_need_a_map(faces: Path) -> None:
    source = write(faces, "path,label\nimg/a.png,0\nimg/b.png,3\nimg/c.png,9\n")
    with pytest.raises(FerlineError) as error:
        read(source)
    assert f"{source}, line 2, line 3, line 4: 3 names that are no known emotion" in str(error.value)
    assert "--map '0=...,3=...,9=...'" in str(error.value)
    assert str(error.value).endswith("Nothing was added")
    found = read(source, map="0=angry,3=happy,9=")
    assert [row["label"] for row in found.rows] == ["angry", "happy"]
    assert found.notes == ["1 images labelled '9' left out, as --map says"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("file,label img/a.png,happy", "no column 'path'; its columns are file, label"),
        ("file,emotion img/a.png,happy", "no column 'path' and no column 'label'"),
        ("path,label,Label img/a.png,happy,sad", "more than one column is called label"),
        (
            "path,label img/x.png,sad img/a.png,sad img/y.png,sad",
            r"2 of 3 .* img/x\.png \(line 2\), img/y\.png \(line 4\)",
        ),
        ("path,label ,happy", r"no path at all \(line 2\)"),
        ("path,label img,happy", r"img \(line 2\)"),
        ("path,label img/a.png,sad img/b.png,sad img/a.png,sad", r"1 .* one row: img/a\.png \(line 2 and line 4\)"),
        ("path,label img/a.png,sad ./img/a.png,sad", r"1 images stand in more than one row"),
        (
            "path,label,split img/a.png,sad,train img/b.png,sad,later",
            r"1 rows with an unknown split: 'later' \(line 3\)",
        ),
        ("path,label img/a.png", r"1 rows have not as many cells as there are columns \(2\): line 2 has 1"),
        ("path,label img/a.png,sad,7", r"line 2 has 3"),
        ('path,label img/a.png,"sad', r"line 2: no CSV"),
        ("path,label", "column names and no rows"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(faces: Path, lines: str, message: str) -> None:
    source = write(faces, lines.replace(" ", "\n"))
    with pytest.raises(FerlineError, match=message) as error:
        read(source)
    assert str(error.value).startswith(str(source))
    assert str(error.value).endswith("Nothing was added")


def test_only_the_first_few_of_many_are_named(faces: Path) -> None:
    source = write(faces, "path,label\n" + "".join(f"img/{number}.png,sad\n" for number in range(40)))
    with pytest.raises(FerlineError, match=r"40 of 40 images are not in .* img/4\.png \(line 6\) and 35 more"):
        read(source)


def test_text_in_another_encoding_is_refused(faces: Path) -> None:
    with pytest.raises(FerlineError, match="is no UTF-8 text"):
        read(write(faces, "path,label,who\nimg/a.png,happy,Åsa\n", encoding="latin-1"))


def test_a_parquet_file_that_is_none_is_refused(faces: Path) -> None:
    with pytest.raises(FerlineError, match="no readable Parquet file"):
        read(write(faces, "path,label\n", name="images.parquet"))


@pytest.mark.parametrize("name", ["set", "set/images.xlsx", "set/nothing.csv"])
def test_what_is_no_table_is_refused(faces: Path, name: str) -> None:
    (faces / "images.xlsx").write_bytes(b"PK")
    with pytest.raises(FerlineError, match=r"(?s)Found: .*Looked for:\n  - one file ending in \.csv.*path,label"):
        read(faces.parent / name)


def test_what_is_read_goes_into_a_raw_set(faces: Path, tmp_path: Path) -> None:
    raw = RawSet(tmp_path / "raw" / "mine")
    assert raw.append(read(write(faces, "path,label,age\nimg/a.png,happy,31\nimg/b.png,sad,\n")).rows) == 2
    assert raw.table["attributes"].tolist()[0] == '{"age": 31}'
