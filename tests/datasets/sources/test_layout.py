"""Finding folders, and reading the lists beside the images."""

from pathlib import Path

import pytest

from ferline.datasets.sources.layout import csv_rows, hold_against, within
from ferline.errors import FerlineError


def test_within_goes_as_deep_as_asked_and_passes_leftovers_over(tmp_path: Path) -> None:
    for name in ("b/c/d", "a", ".hidden", "__MACOSX/a"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file.txt").touch()
    assert list(within(tmp_path)) == [tmp_path, tmp_path / "a", tmp_path / "b"]
    assert list(within(tmp_path, depth=2)) == [tmp_path, tmp_path / "a", tmp_path / "b", tmp_path / "b" / "c"]
    assert list(within(tmp_path / "file.txt")) == []


def test_csv_rows_takes_windows_line_ends_a_bom_and_spaces_in_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(b"\xef\xbb\xbfimage, label\r\na.jpg,3\r\n")
    assert list(csv_rows(path, ("image", "label"))) == [(2, {"image": "a.jpg", "label": "3"})]


@pytest.mark.parametrize("line", ["b.jpg", "b.jpg,4,5"])
def test_csv_rows_names_a_line_of_another_length(tmp_path: Path, line: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"image,label\na.jpg,3\n{line}\n")
    with pytest.raises(
        FerlineError, match=r"labels.csv, line 3: not the 2 values of its first line. Nothing was added"
    ):
        list(csv_rows(path, ("image", "label")))


@pytest.mark.parametrize("content", [b"", b"image\na.jpg\n", b"\xff\xfeimage"])
def test_csv_rows_refuses_what_is_not_such_a_list(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(FerlineError, match=r"labels.csv: (no column|cannot be read as CSV).*Nothing was added"):
        list(csv_rows(path, ("image", "label")))


def test_hold_against_accepts_only_the_same_names(tmp_path: Path) -> None:
    hold_against(["a", "b"], ["b", "a"], "the list", tmp_path)
    with pytest.raises(FerlineError, match=r"1 of 2 images that the list names are missing \(a\)"):
        hold_against(["a", "b"], ["b"], "the list", tmp_path)
    with pytest.raises(FerlineError, match=r"1 of 2 images are not named by the list \(c\)"):
        hold_against(["b"], ["b", "c"], "the list", tmp_path)
