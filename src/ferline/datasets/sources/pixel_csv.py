"""CSV files with an image a row, its pixels written as numbers in one cell: fer2013.csv, icml_face_data.csv and kin.

    emotion,pixels,Usage
    0,70 80 82 72 ... 106 109 82,Training

The columns come in any order and their names in any case, with spaces around them or not; cells may be quoted; lines
end as on Unix or Windows; a byte order mark is passed over. The images are square and all of one size.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ferline.datasets.sources.pixel_text import WrongPixels, count_of, pixel_values
from ferline.errors import FerlineError
from ferline.images.parallel import threads

PIXELS = "pixels"
BLOCK_BYTES = 512 << 10  # 61 lines of FER2013: with all that is made of them, they stay in a core's cache
_WORKERS = 1  # NumPy works without the interpreter's lock, so reading goes on beside packing, which takes as long
_AHEAD = 4  # blocks read and not yet asked for
_HEADER_BYTES = 1 << 16  # a file that is no CSV may begin with one line of gigabytes
_KEPT = 60  # characters of a cell or a header, in a message


class PixelRow(NamedTuple):
    """One image: the line it stands on, its cells of the columns asked for, and its pixels as a binary PGM file:
    a header and the pixels themselves, so nothing is lost and nothing has to be encoded."""

    line: int
    cells: tuple[str, ...]
    image: bytes


def read_pixel_csv(path: Path, columns: Sequence[str], block_bytes: int = BLOCK_BYTES) -> Iterator[PixelRow]:
    """The rows of `path` in its order, read as they are asked for; `columns` names the cells wanted beside the pixels.

    The header is checked at once. FerlineError says in which line something is missing, or is no image.
    """
    layout = _layout(path, columns)
    return _rows(path, layout, block_bytes)


def wrong(path: Path, line: int, what: str) -> FerlineError:
    return FerlineError(f"{path}, line {line}: {what}. Nothing was added")


@dataclass(frozen=True)
class _Layout:
    """Where the cells are in a line."""

    names: tuple[str, ...]
    pixels: int
    wanted: tuple[int, ...]


class _Line(NamedTuple):
    number: int
    cells: tuple[str, ...]
    pixels: bytes


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise FerlineError(f"{path}: cannot be read ({error.strerror}). Nothing was added") from None


def _names(line: bytes) -> list[str]:
    text = line.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip()
    return [name.strip(" \t\"'") for name in text.split(",")] if text else []


def _layout(path: Path, columns: Sequence[str]) -> _Layout:
    with _opened(path) as file:
        names = _names(file.readline(_HEADER_BYTES))
    if not names:
        raise FerlineError(f"{path}: the file is empty. Nothing was added")
    here = [name.lower() for name in names]
    for column in (PIXELS, *columns):
        if column.lower() not in here:
            text = ",".join(names)
            shown = f"{text[:_KEPT]} ..." if len(text) > _KEPT else text
            raise wrong(path, 1, f"no column {column!r} in the header, which reads: {shown}")
    return _Layout(tuple(names), here.index(PIXELS), tuple(here.index(column.lower()) for column in columns))


def _rows(path: Path, layout: _Layout, block_bytes: int) -> Iterator[PixelRow]:
    side = 0
    with _opened(path) as file, threads(_WORKERS) as pool:
        waiting: deque[Future[list[PixelRow]]] = deque()
        for number, text in _blocks(file, block_bytes):
            side = side or _side(path, number, text, layout)
            waiting.append(pool.submit(_images, path, number, text, layout, side))
            if len(waiting) >= _AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    if not side:
        raise FerlineError(f"{path}: a header and no rows. Nothing was added")


def _blocks(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines below the header, about `size` bytes at a time, with the number of the first."""
    file.readline()
    number = 2
    while text := file.read(size):
        text += file.readline()
        yield number, text
        number += int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))  # four times as fast as text.count


def _side(path: Path, number: int, text: bytes, layout: _Layout) -> int:
    """The side of the square that the first image has or nearly has; 0 where there are only empty lines."""
    first = next(_lines(path, number, text, layout), None)
    return max(1, round(count_of(first.pixels) ** 0.5)) if first else 0


def _lines(path: Path, number: int, text: bytes, layout: _Layout) -> Iterator[_Line]:
    for place, line in enumerate(_split(text), start=number):
        if line and not line.isspace():
            yield _line(path, place, line, layout)


def _split(text: bytes) -> Iterator[bytes]:
    """The lines of `text`; find() looks at 32 bytes at a time where split() takes them one by one."""
    start = 0
    while (end := text.find(b"\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    if start < len(text):
        yield text[start:]


def _line(path: Path, number: int, line: bytes, layout: _Layout) -> _Line:
    after = len(layout.names) - 1 - layout.pixels
    before = line.split(b",", layout.pixels)  # from both ends, so that nobody looks for commas among the pixels
    cells = [*before[:-1], *before[-1].rsplit(b",", after)]
    pixels = cells[layout.pixels] if len(cells) == len(layout.names) else b","
    if b"," in pixels:
        names, found = ", ".join(layout.names), line.count(b",") + 1
        raise wrong(path, number, f"{found} cells where the header has {len(layout.names)} ({names})")
    pixels = pixels.strip(b' "\r')
    wanted = tuple([cells[place].strip(b' \t"\r').decode(errors="replace") for place in layout.wanted])
    if not pixels or "" in wanted:
        empty = layout.pixels if not pixels else layout.wanted[wanted.index("")]
        raise wrong(path, number, f"{layout.names[empty]} is empty")
    return _Line(number, wanted, pixels)


def _images(path: Path, number: int, text: bytes, layout: _Layout, side: int) -> list[PixelRow]:
    lines = list(_lines(path, number, text, layout))
    try:
        pixels = pixel_values([line.pixels for line in lines], side * side)
    except WrongPixels as error:
        raise wrong(path, lines[error.index].number, str(error)) from None
    header = b"P5\n%d %d\n255\n" % (side, side)
    return [
        PixelRow(line.number, line.cells, header + image.tobytes()) for line, image in zip(lines, pixels, strict=True)
    ]
