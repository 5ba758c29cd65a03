"""Contact sheets: pictures in a grid with titles, to look at what a step did to the faces."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 6
MARGIN = 12
TEXT_SIZE = 15
INK, PAPER = (38, 38, 38), (255, 255, 255)


def contact_sheet(
    cells: Sequence[Sequence[np.ndarray | None]],
    row_titles: Sequence[str],
    column_titles: Sequence[str],
    side: int = 96,
) -> np.ndarray:
    """uint8[height,width,3] RGB: each picture (grey or RGB, of any size) fitted whole into a square of `side` pixels.

    Titles stand to the left and above; a None leaves its place empty, and rows may differ in length.
    """
    columns = max([len(column_titles), *(len(row) for row in cells)])
    font = ImageFont.load_default(TEXT_SIZE)
    heads = [_wrapped(title, font, side) for title in column_titles]
    left = MARGIN + max((_width(title, font) + 2 * GAP for title in row_titles if title), default=0)
    top = MARGIN + max((_height(head, font) + GAP for head in heads if head), default=0)
    size = (left + columns * (side + GAP) - GAP + MARGIN, top + len(cells) * (side + GAP) - GAP + MARGIN)

    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, head in enumerate(heads):
        middle = left + i * (side + GAP) + side / 2
        pen.multiline_text((middle, top - GAP), head, INK, font, anchor="md", align="center")
    for i, title in enumerate(row_titles):
        pen.multiline_text((MARGIN, top + i * (side + GAP) + side / 2), title, INK, font, anchor="lm")
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            if cell is not None:
                picture = Image.fromarray(_fitted(cell, side))
                x, y = left + j * (side + GAP), top + i * (side + GAP)
                sheet.paste(picture, (x + (side - picture.width) // 2, y + (side - picture.height) // 2))
    return np.asarray(sheet)


def save_png(path: Path, rgb: np.ndarray) -> None:
    """uint8[H,W,3] RGB (or [H,W] grey) as a PNG without a date or a program's name: equal pixels, equal bytes."""
    ok, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) if rgb.ndim == 3 else rgb)
    if not ok:
        raise ValueError(f"{path}: no PNG can be made of {rgb.dtype}{list(rgb.shape)}")
    path.write_bytes(encoded.tobytes())


def _fitted(cell: np.ndarray, side: int) -> np.ndarray:
    if cell.dtype != np.uint8 or cell.ndim not in (2, 3) or (cell.ndim == 3 and cell.shape[2] not in (1, 3)):
        raise ValueError(f"a cell is uint8[H,W], [H,W,1] or [H,W,3], not {cell.dtype}{list(cell.shape)}")
    scale = side / max(cell.shape[:2])
    size = (max(1, round(cell.shape[1] * scale)), max(1, round(cell.shape[0] * scale)))
    picture = cv2.resize(cell, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)


def _wrapped(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """The text with line breaks between words where it is wider than a column."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def _width(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> int:
    return int(_box(text, font)[2])


def _height(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> int:
    return int(_box(text, font)[3])


def _box(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> tuple[float, float, float, float]:
    return ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font=font)
