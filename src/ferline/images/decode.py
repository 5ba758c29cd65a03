"""Image bytes to pixels, or the reason why not, in words a person can act on."""

import re
import struct
from collections.abc import Iterator

import cv2
import numpy as np

from ferline.errors import FerlineError

# What is refused here is reported in one line by whoever asked; OpenCV would print up to five of its own beside it.
getattr(cv2.utils, "logging", cv2).setLogLevel(0)  # 4.13 moved it

FORMATS = "PNG, JPEG, BMP, GIF, WebP, TIFF or binary PGM"

# The JPEG markers that open a frame and carry its size; C4, C8 and CC are tables and reserved.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_MARKER = re.compile(rb"\xff([^\x00\xff])")  # fill bytes, FF too, may stand before one
_PHONES = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"})
_PGM = re.compile(rb"P5(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s")  # comments may stand between


class UnreadableImage(FerlineError):  # noqa: N818 (it reads as what it is)
    """These bytes are no image that can be used; the text says why."""


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height as stored, from the header alone: 572 KB of PNG can unpack into 1.2 GB, so look first."""
    if not data:
        raise UnreadableImage("empty file (0 bytes)")
    try:
        width, height = _header(data)
    except (struct.error, IndexError):
        raise UnreadableImage(f"truncated: {len(data)} bytes end inside the header") from None
    if width < 1 or height < 1:
        raise UnreadableImage(f"the header states an impossible size of {width} x {height}")
    return width, height


def decode(data: bytes, max_pixels: int = 64_000_000) -> np.ndarray:
    """RGB, uint8[H,W,3], turned as its EXIF says; 16 bits cut to 8, CMYK converted, transparency laid on white."""
    width, height = require_whole(data)
    if width * height > max_pixels:
        raise UnreadableImage(f"{width} x {height} is more than the {max_pixels:,} pixels allowed")
    # UNCHANGED keeps the transparency but ignores EXIF; an image with both, which no camera writes, stays as stored.
    flags = cv2.IMREAD_UNCHANGED if _has_alpha(data) else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise UnreadableImage(f"cannot be decoded: {error.err}") from None
    if image is None:
        raise UnreadableImage(
            f"truncated or damaged: the header reads {width} x {height}, the pixels cannot be decoded"
        )
    if image.dtype != np.uint8:  # with transparency it comes as it is stored
        image = (image // 257).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 4:
        image = _on_white(image)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB)


def require_whole(data: bytes) -> tuple[int, int]:
    """Width and height of an image that has a header and an end: all that can be told without decoding it."""
    size = size_of(data)
    if not _ends(data):
        raise UnreadableImage(f"truncated: {len(data)} bytes, and the mark that ends an image is not among them")
    return size


def _header(data: bytes) -> tuple[int, int]:
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return struct.unpack_from(">II", data, 16)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return struct.unpack_from("<HH", data, 6)
    if data.startswith(b"BM"):
        return _bmp_size(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp_size(data)
    if data.startswith((b"II*\0", b"MM\0*")):
        return _tiff_size(data)
    if data.startswith(b"P5"):
        return _pgm_size(data)
    if data[4:8] == b"ftyp" and data[8:12] in _PHONES:
        raise UnreadableImage("HEIC, HEIF or AVIF, as phones write them, is not read here: convert it to JPEG or PNG")
    raise UnreadableImage(f"not an image: the bytes begin with {data[:8]!r}, not as {FORMATS}")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker and where its content begins, up to the first scan or the end of the bytes."""
    position = 2
    while (found := _MARKER.search(data, position)) and found.end() + 2 <= len(data):
        marker = found[1][0]
        yield marker, found.end() + 2
        if marker == _START_OF_SCAN:
            return
        position = found.end() + struct.unpack_from(">H", data, found.end())[0]


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, content in _jpeg_segments(data):
        if marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, content + 1)
            return width, height
    raise UnreadableImage("truncated or damaged JPEG: no frame header")


def _ends(data: bytes) -> bool:
    """Whether the end of a JPEG or PNG is there. OpenCV 4.10 fills what a cut JPEG lacks with grey and says nothing."""
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND") > 0
    if not data.startswith(b"\xff\xd8"):
        return True  # the other formats' decoders refuse a short file themselves
    scan = next((content for marker, content in _jpeg_segments(data) if marker == _START_OF_SCAN), None)
    # Inside a scan FF is followed by 00 or a restart marker, so FF D9 there is the end and no chance.
    return scan is not None and data.find(b"\xff\xd9", scan) >= 0


def _bmp_size(data: bytes) -> tuple[int, int]:
    core = struct.unpack_from("<I", data, 14)[0] == 12  # the header of OS/2, with 16-bit sizes
    width, height = struct.unpack_from("<HH" if core else "<ii", data, 18)
    return width, abs(height)  # negative: stored top to bottom


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff_size(data: bytes) -> tuple[int, int]:
    order = "<" if data.startswith(b"II") else ">"
    directory = struct.unpack_from(order + "I", data, 4)[0]
    size = {}
    for entry in range(struct.unpack_from(order + "H", data, directory)[0]):
        at = directory + 2 + 12 * entry
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag in (256, 257):  # ImageWidth and ImageLength, a SHORT (3) or a LONG
            size[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0]
    return size.get(256, 0), size.get(257, 0)


def _pgm_size(data: bytes) -> tuple[int, int]:
    header = _PGM.match(data)
    if not header:
        raise UnreadableImage("truncated or damaged PGM: no width and height after P5")
    return int(header[1]), int(header[2])


def _has_alpha(data: bytes) -> bool:
    if data.startswith(b"\x89PNG"):
        return data[25:26] in (b"\x04", b"\x06") or b"tRNS" in data[: max(data.find(b"IDAT"), 0)]
    if data.startswith(b"RIFF"):
        flags = {b"VP8X": data[20:21], b"VP8L": data[24:25]}.get(data[12:16], b"")
        return bool(flags) and bool(flags[0] & 0x10)
    return data.startswith(b"GIF")  # not stated before the frame itself


def _on_white(image: np.ndarray) -> np.ndarray:
    alpha = image[:, :, 3:].astype(np.uint16)
    return ((image[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
