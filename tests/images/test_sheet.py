"""Contact sheets: where pictures stand, and that equal pictures make equal bytes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ferline.images.sheet import contact_sheet, save_png

RED = np.full((48, 48, 3), (255, 0, 0), np.uint8)
GREY = np.full((10, 10, 1), 90, np.uint8)
WIDE = np.full((20, 80), 10, np.uint8)


def cell(sheet: np.ndarray, row: int, column: int, rows: int, columns: int, side: int = 96) -> np.ndarray:
    top, left = sheet.shape[0] - 6 - rows * (side + 6), sheet.shape[1] - 6 - columns * (side + 6)
    return sheet[top + row * (side + 6) :, left + column * (side + 6) :][:side, :side]


def test_pictures_stand_in_their_row_and_column_whatever_their_size() -> None:
    sheet = contact_sheet([[RED, GREY], [None, WIDE]], ["first", "second"], ["a", "b"])
    assert (cell(sheet, 0, 0, 2, 2) == (255, 0, 0)).all()
    assert (cell(sheet, 0, 1, 2, 2) == 90).all()
    assert (cell(sheet, 1, 0, 2, 2) == 255).all()
    wide = cell(sheet, 1, 1, 2, 2)
    assert (wide[36:60] == 10).all()  # 80 x 20 fitted into 96 x 96 is 24 high, in the middle
    assert (wide[:36] == 255).all()


def test_titles_are_drawn_beside_and_above_and_broken_between_words() -> None:
    bare = contact_sheet([[RED, RED]], [], [])
    beside = contact_sheet([[RED, RED]], ["surprise"], [])
    above = contact_sheet([[RED, RED]], [], ["face", "levelled, cropped and equalised"])
    assert bare.shape == (96 + 24, 2 * 96 + 6 + 24, 3)
    assert beside.shape[0] == bare.shape[0]
    assert beside.shape[1] > bare.shape[1] + 40
    assert (beside[:, 12:60].min(axis=2) < 100).any()
    assert above.shape[1] == bare.shape[1]
    assert above.shape[0] > bare.shape[0] + 2 * 15  # more than two lines


def test_rows_may_differ_in_length_and_be_none() -> None:
    assert contact_sheet([[RED], [RED, RED, RED]], ["a", "b"], ["x"]).shape[1] > 3 * 96
    assert contact_sheet([], [], ["nothing here"]).ndim == 3


def test_a_picture_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a cell is uint8.*not float64\[4, 4\]"):
        contact_sheet([[np.zeros((4, 4))]], ["a"], ["b"])


def test_equal_pixels_are_equal_bytes_and_colours_survive(tmp_path: Path) -> None:
    sheet = contact_sheet([[RED]], ["row"], ["column"])
    for name in ("a.png", "b.png"):
        save_png(tmp_path / name, contact_sheet([[RED]], ["row"], ["column"]))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert np.array_equal(cv2.cvtColor(cv2.imread(str(tmp_path / "a.png")), cv2.COLOR_BGR2RGB), sheet)
    save_png(tmp_path / "grey.png", WIDE)
    assert np.array_equal(cv2.imread(str(tmp_path / "grey.png"), cv2.IMREAD_UNCHANGED), WIDE)
