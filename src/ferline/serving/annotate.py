"""A copy of each picture with a frame around every face, its emotion and how sure the model is of it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ferline.errors import FerlineError
from ferline.serving.files import Asked, Picture
from ferline.serving.recognise import UNSURE, Told

# Okabe and Ito's colours, which people who confuse red and green tell apart too; unsure is grey.
COLOURS = {
    "angry": (213, 94, 0),
    "disgust": (0, 158, 115),
    "fear": (204, 121, 167),
    "happy": (230, 159, 0),
    "sad": (0, 114, 178),
    "surprise": (86, 180, 233),
    "neutral": (240, 228, 66),
    "contempt": (255, 255, 255),
    UNSURE: (190, 190, 190),
}
DARK, LIGHT = (20, 20, 20), (255, 255, 255)
# Of the picture's short side, so that a photo scaled to a screen can be read; in a crowd of the face's width, of which
# the longest text takes seven heights.
TEXT_SHARE, TEXT_OF_FACE, SMALLEST_TEXT = 1 / 26, 1 / 7, 11
JPEG_QUALITY = 92


class Annotator:
    """Writes OUT/NAME.jpg for a photo and OUT/NAME/frame-000012.jpg for a video's frame."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._taken: dict[str, str] = {}

    def __call__(self, picture: Picture, rgb: np.ndarray, told: Sequence[Told]) -> None:
        target = self.target(picture.asked, picture.frame)
        done, data = cv2.imencode(".jpg", drawn(rgb, told)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise ValueError(f"{target}: no JPEG can be made of {rgb.dtype}{list(rgb.shape)}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data.tobytes())
        except OSError as error:
            raise FerlineError(f"{target}: could not be written ({error.strerror})") from None

    def target(self, asked: Asked, frame: int | None = None) -> Path:
        """photo.png gives photo.png.jpg, so that it does not meet photo.jpg's; two of one name are told apart."""
        as_it_is = asked.video or Path(asked.name).suffix.lower() in (".jpg", ".jpeg")
        place = asked.name if as_it_is else f"{asked.name}.jpg"
        while self._taken.setdefault(place, asked.file) != asked.file:
            place = f"_{place}"
        return self.folder / place if frame is None else self.folder / place / f"frame-{frame:06}.jpg"

    def require_apart(self, asked: Sequence[Asked]) -> None:
        """Nothing that was asked about is drawn over."""
        files = {Path(each.file).resolve() for each in asked}
        for each in asked:
            if (target := self.target(each)).resolve() in files:
                raise FerlineError(
                    f"--annotate: {target} is one of the files asked about, and would be drawn over. Name another "
                    "folder"
                )


def drawn(rgb: np.ndarray, told: Sequence[Told]) -> np.ndarray:
    """A copy of uint8[H,W,3] with the faces framed and named; the largest is drawn last, on top."""
    image = Image.fromarray(rgb)
    pen = ImageDraw.Draw(image)
    short = min(image.size)
    for each in reversed(told):
        text = max(SMALLEST_TEXT, round(min(short * TEXT_SHARE, each.box[2] * TEXT_OF_FACE)))
        _draw_face(pen, each, ImageFont.load_default(text), max(2, round(short / 220)), image.size)
    return np.asarray(image)


def _draw_face(
    pen: ImageDraw.ImageDraw,
    told: Told,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    line: int,
    size: tuple[int, int],
) -> None:
    x, y, width, height = told.box
    colour = COLOURS[told.emotion]
    pen.rectangle((x - 1, y - 1, x + width, y + height), outline=DARK, width=line + 2)  # seen on any ground
    pen.rectangle((x, y, x + width - 1, y + height - 1), outline=colour, width=line)
    text = f"{told.emotion} {told.confidence:.0%}"
    left, top, right, bottom = pen.textbbox((0, 0), text, font)
    pad = line + 1
    wide, high = round(right - left) + 2 * pad, round(bottom - top) + 2 * pad
    at_x = min(max(0, x), max(0, size[0] - wide))
    at_y = y - high if y >= high else min(y + height, size[1] - high)
    pen.rectangle((at_x, at_y, at_x + wide, at_y + high), fill=colour)
    dark = sum(np.multiply(colour, (0.299, 0.587, 0.114))) > 120
    pen.text((at_x + pad - left, at_y + pad - top), text, DARK if dark else LIGHT, font)
