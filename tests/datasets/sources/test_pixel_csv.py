"""read_pixel_csv: the values of a CSV cell as exact pixels, however the file is written, or the line that is wrong."""

import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ferline.datasets.sources import pixel_csv
from ferline.datasets.sources.pixel_csv import read_pixel_csv
from ferline.datasets.sources.pixel_text import WrongPixels, pixel_values
from ferline.errors import FerlineError
from ferline.images.decode import decode

SIDE = 12


def images(count: int, side: int = SIDE) -> np.ndarray:
    """Random ones, with every value and so one, two and three digits next to each other."""
    return np.random.default_rng(count).integers(0, 256, (count, side, side), dtype=np.uint8)


def text(image: np.ndarray) -> str:
    return " ".join(map(str, image.ravel()))


def written(path: Path, pixels: list[str], end: str = "\n") -> Path:
    lines = ["emotion,pixels,Usage", *(f"{row % 7},{cell},Training" for row, cell in enumerate(pixels))]
    path.write_bytes((end.join(lines) + end).encode())
    return path


def read(path: Path, **options: int) -> list[np.ndarray]:
    return [decode(row.image)[:, :, 0] for row in read_pixel_csv(path, ("emotion", "Usage"), **options)]


@pytest.mark.parametrize("block_bytes", [1, 1000, 1 << 20])
@pytest.mark.parametrize("side", [1, 8, 48, 64])
def test_the_pixels_are_those_that_int_reads_whatever_the_block_and_the_size(
    tmp_path: Path, side: int, block_bytes: int
) -> None:
    expected = images(9, side)
    path = written(tmp_path / "fer2013.csv", [text(image) for image in expected])
    np.testing.assert_array_equal(read(path, block_bytes=block_bytes), expected)


def test_rows_carry_their_line_and_the_cells_asked_for_in_that_order(tmp_path: Path) -> None:
    path = written(tmp_path / "fer2013.csv", [text(image) for image in images(3)])
    rows = list(read_pixel_csv(path, ("Usage", "emotion")))
    assert [(row.line, row.cells) for row in rows] == [
        (2, ("Training", "0")),
        (3, ("Training", "1")),
        (4, ("Training", "2")),
    ]


def test_the_image_is_a_binary_pgm_and_nothing_else(tmp_path: Path) -> None:
    (image,) = images(1)
    path = written(tmp_path / "fer2013.csv", [text(image)])
    (row,) = read_pixel_csv(path, ())
    assert row.image == b"P5\n12 12\n255\n" + image.tobytes()


IMAGE = images(1)[0]
CELL = text(IMAGE)
WAYS = {
    "Windows line ends": f"emotion,pixels,Usage\r\n3,{CELL},Training\r\n",
    "a byte order mark": f"\ufeffemotion,pixels,Usage\n3,{CELL},Training\n",
    "a byte order mark before another column": f"\ufeffpixels,emotion,Usage\n{CELL},3,Training\n",
    "no line end at the end": f"emotion,pixels,Usage\n3,{CELL},Training",
    "no line end at the end, pixels last": f"emotion,Usage,pixels\n3,Training,{CELL}",
    "Windows line ends, pixels last": f"emotion,Usage,pixels\r\n3,Training,{CELL}\r\n",
    "quoted pixels": f'emotion,pixels,Usage\n3,"{CELL}",Training\n',
    "everything quoted": f'"emotion","pixels","Usage"\r\n"3","{CELL}","Training"\r\n',
    "leading spaces in the header": f"emotion, Usage, pixels\n3,Training,{CELL}\n",
    "leading spaces everywhere": f"emotion, Usage, pixels\n 3, Training, {CELL} \n",
    "names in another case": f"Emotion,Pixels,usage\n3,{CELL},Training\n",
    "another order": f"Usage,pixels,emotion\nTraining,{CELL},3\n",
    "a column more": f",emotion,pixels,Usage\n0,3,{CELL},Training\n",
    "two spaces between numbers": f"emotion,pixels,Usage\n3,{CELL.replace(' ', '  ')},Training\n",
    "tabs between numbers": f"emotion,pixels,Usage\n3,{CELL.replace(' ', chr(9))},Training\n",
    "leading zeros": f"emotion,pixels,Usage\n3,{' '.join(f'{value:04d}' for value in IMAGE.ravel())},Training\n",
    "empty lines": f"emotion,pixels,Usage\n\n3,{CELL},Training\n\n  \n",
}


@pytest.mark.parametrize("way", WAYS)
def test_other_ways_of_writing_the_same_file_give_the_same_image(tmp_path: Path, way: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(WAYS[way].encode())
    rows = list(read_pixel_csv(path, ("emotion", "Usage")))
    assert [row.cells for row in rows] == [("3", "Training")]
    np.testing.assert_array_equal(decode(rows[0].image)[:, :, 0], IMAGE)


def with_value(value: str, place: int = 7) -> str:
    words = CELL.split(" ")
    words[place] = value
    return " ".join(words)


WRONG = {
    "one value too few": (CELL.rpartition(" ")[0], "143 pixel values where 12 x 12 = 144 are needed"),
    "one value too many": (f"{CELL} 7", "145 pixel values where 12 x 12 = 144 are needed"),
    "256": (with_value("256"), "pixel 8 is 256, it must be from 0 to 255"),
    "300": (with_value("300"), "pixel 8 is 300, it must be from 0 to 255"),
    "999": (with_value("999"), "pixel 8 is 999, it must be from 0 to 255"),
    "1000": (with_value("1000"), "pixel 8 is 1000, it must be from 0 to 255"),
    "a number of 5,000 digits": (with_value("9" * 5000), "pixel 8 is 9999"),
    "minus one": (with_value("-1"), "pixel 8 is '-1', it must be a whole number from 0 to 255"),
    "a fraction": (with_value("12.0"), "pixel 8 is '12.0', it must be a whole number from 0 to 255"),
    "a word": (with_value("nan"), "pixel 8 is 'nan', it must be a whole number from 0 to 255"),
    "a digit of another script": (with_value("٣"), "pixel 8 is '٣', it must be a whole number from 0 to 255"),
    "no pixels": ("", "pixels is empty"),
    "a comma among them": (CELL.replace(" ", ",", 1), "4 cells where the header has 3 (emotion, pixels, Usage)"),
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("row", [0, 15, 99])
def test_a_faulty_cell_is_reported_with_its_line(tmp_path: Path, fault: str, row: int) -> None:
    cell, message = WRONG[fault]
    cells = [text(image) for image in images(100)]
    cells[row] = cell
    path = written(tmp_path / "fer2013.csv", cells)
    with pytest.raises(FerlineError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}, line {row + 2}: {message}")
    assert str(error.value).endswith("Nothing was added")


def test_counts_that_make_up_for_each_other_are_found() -> None:
    """143 and 145 values are 288 together."""
    first, second = CELL.encode().rsplit(b" ", 1)
    with pytest.raises(WrongPixels, match="143 pixel values"):
        pixel_values([first, CELL.encode() + b" " + second], SIDE * SIDE)


def test_the_first_of_several_faults_is_the_one_reported(tmp_path: Path) -> None:
    cells = [text(image) for image in images(30)]
    cells[7], cells[20] = with_value("256"), ""
    with pytest.raises(FerlineError, match="line 9: pixel 8 is 256"):
        read(written(tmp_path / "fer2013.csv", cells), block_bytes=2000)


def test_every_line_counts_for_the_number_of_a_later_one(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\r\n\r\n1,{CELL},Training\r\n\r\n1,{CELL} 1,Training\r\n")
    with pytest.raises(FerlineError, match=r"line \d+: 145 pixel values") as error:
        read(path, block_bytes=10)
    assert ", line 5: " in str(error.value)


HEADERS = {
    "no pixels": (
        "emotion,Usage\n1,Training\n",
        "line 1: no column 'pixels' in the header, which reads: emotion,Usage",
    ),
    "no Usage": (f"emotion,pixels\n1,{CELL}\n", "line 1: no column 'Usage' in the header"),
    "no header": (f"1,{CELL},Training\n", "line 1: no column 'pixels' in the header, which reads: 1,"),
    "nothing": ("", "the file is empty"),
    "only a byte order mark": ("\ufeff", "the file is empty"),
}


@pytest.mark.parametrize("fault", HEADERS)
def test_a_faulty_header_is_reported_before_any_row_is_asked_for(tmp_path: Path, fault: str) -> None:
    content, message = HEADERS[fault]
    path = tmp_path / "fer2013.csv"
    path.write_text(content)
    with pytest.raises(FerlineError) as error:
        read_pixel_csv(path, ("emotion", "Usage"))
    assert message in str(error.value)
    assert len(str(error.value)) < 400


def test_a_header_without_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FerlineError, match=r"a header and no rows\. Nothing was added"):
        read(written(tmp_path / "fer2013.csv", []))


def test_a_missing_cell_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n1,{CELL},Training\n1,{CELL},\n")
    with pytest.raises(FerlineError, match=r"line 3: Usage is empty\. Nothing was added"):
        read(path)
    path.write_text(f"emotion,pixels,Usage\n1,{CELL},Training\n1,{CELL}\n")
    with pytest.raises(FerlineError, match=r"line 3: 2 cells where the header has 3"):
        read(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FerlineError, match=r"gone\.csv: cannot be read \(No such file"):
        read_pixel_csv(tmp_path / "gone.csv", ())


def test_a_long_file_is_read_in_little_memory_and_only_as_far_as_asked(tmp_path: Path) -> None:
    path = written(tmp_path / "fer2013.csv", [text(images(1, 48)[0])] * 1500)
    assert path.stat().st_size > 11 << 20
    tracemalloc.start()
    rows = sum(1 for _ in read_pixel_csv(path, ("Usage",), block_bytes=1 << 16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 1500
    assert peak < 4 << 20


def test_rows_not_asked_for_are_not_read(tmp_path: Path) -> None:
    path = written(tmp_path / "fer2013.csv", [CELL] * 500 + ["no pixels"])
    rows = read_pixel_csv(path, (), block_bytes=1000)
    assert next(rows).line == 2
    rows.close()  # type: ignore[attr-defined]
    with pytest.raises(FerlineError, match="line 502"):
        list(read_pixel_csv(path, (), block_bytes=1000))


def test_random_files_read_as_the_plainest_reader_reads_them(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for trial in range(40):
        side = int(random.integers(1, 9))
        expected = random.choice([0, 9, 10, 99, 100, 199, 200, 249, 250, 255], (11, side, side)).astype(np.uint8)
        gaps = random.choice([" ", " ", " ", "  "], 11)
        cells = [text(image).replace(" ", gap) for image, gap in zip(expected, gaps, strict=True)]
        path = written(tmp_path / f"{trial}.csv", cells, random.choice(["\n", "\r\n"]))
        np.testing.assert_array_equal(read(path, block_bytes=int(random.integers(1, 300))), expected)


def test_who_stops_reading_waits_for_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector may be the one that stops, while another thread starts: waiting there never ends."""
    path = written(tmp_path / "a.csv", [text(image) for image in images(40)])
    let_go, parsed = threading.Event(), pixel_csv._images

    def parsing(path: Path, number: int, *rest: object) -> object:
        assert number < 20 or let_go.wait(60)
        return parsed(path, number, *rest)

    monkeypatch.setattr(pixel_csv, "_images", parsing)
    rows = read_pixel_csv(path, ("emotion",), block_bytes=path.stat().st_size // 10)
    next(rows)
    rows.close()
    assert not let_go.is_set()
    assert any(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate()), "they are at work yet"
    let_go.set()
