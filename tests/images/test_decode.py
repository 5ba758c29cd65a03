"""decode: what people's image files hold, and what is refused in which words."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from ferline.images.decode import UnreadableImage, decode, size_of

HEIGHT, WIDTH = 120, 90


def picture() -> Image.Image:
    small = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def half_transparent() -> Image.Image:
    pixels = np.array(picture().convert("RGBA"))
    pixels[:, :45, 3], pixels[:, 45:60, 3] = 0, 128
    return Image.fromarray(pixels)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    return exif


FILES = {
    "jpeg": lambda: encoded(picture(), "JPEG"),
    "progressive jpeg": lambda: encoded(picture(), "JPEG", progressive=True),
    "grey jpeg": lambda: encoded(picture().convert("L"), "JPEG"),
    "cmyk jpeg": lambda: encoded(picture().convert("CMYK"), "JPEG"),
    "png": lambda: encoded(picture(), "PNG"),
    "grey png": lambda: encoded(picture().convert("L"), "PNG"),
    "1-bit png": lambda: encoded(picture().convert("1"), "PNG"),
    "palette png": lambda: encoded(picture().quantize(16), "PNG"),
    "bmp": lambda: encoded(picture(), "BMP"),
    "gif": lambda: encoded(picture(), "GIF"),
    "webp": lambda: encoded(picture(), "WEBP"),
    "lossless webp": lambda: encoded(picture(), "WEBP", lossless=True),
    "tiff": lambda: encoded(picture(), "TIFF"),
    "lzw tiff": lambda: encoded(picture(), "TIFF", compression="tiff_lzw"),
    "pgm": lambda: encoded(picture().convert("L"), "PPM"),
}


@pytest.mark.parametrize("form", FILES)
def test_every_common_form_gives_the_pixels_that_pillow_gives(form: str) -> None:
    data = FILES[form]()
    expected = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
    assert size_of(data) == (WIDTH, HEIGHT)
    assert np.abs(decode(data).astype(int) - expected).max() <= 1  # CMYK is rounded differently


@pytest.mark.parametrize("form", FILES)
def test_a_truncated_file_is_refused_wherever_it_is_cut(form: str) -> None:
    data = FILES[form]()
    for length in range(0, len(data) - 1, max(1, len(data) // 60)):
        with pytest.raises(UnreadableImage, match=r"truncated|empty|not an image"):
            decode(data[:length])


def test_the_end_of_an_embedded_thumbnail_is_not_taken_for_the_end_of_the_jpeg() -> None:
    thumbnail = encoded(picture().resize((16, 16)), "JPEG")
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0" + thumbnail)
    assert thumbnail in data
    assert decode(data).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(UnreadableImage, match="truncated"):
        decode(data[: len(data) - 200])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_exif_orientation_is_applied(form: str) -> None:
    data = encoded(picture(), form, exif=turned(), **({"lossless": True} if form == "WEBP" else {}))
    assert decode(data).shape == (WIDTH, HEIGHT, 3)
    if form != "JPEG":
        np.testing.assert_array_equal(decode(data), np.rot90(np.array(picture()), -1))


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_transparency_is_laid_on_white(form: str) -> None:
    image = decode(encoded(half_transparent(), form, **({"lossless": True} if form == "WEBP" else {})))
    pixels = np.array(picture()).astype(float)
    assert (image[:, :45] == 255).all()
    np.testing.assert_allclose(image[:, 45:60], pixels[:, 45:60] * 128 / 255 + 127, atol=1)
    np.testing.assert_array_equal(image[:, 60:], pixels[:, 60:])


def test_a_transparent_palette_colour_is_white() -> None:
    palette = picture().quantize(16)
    image = decode(encoded(palette, "PNG", transparency=3))
    hidden = np.array(palette) == 3
    assert hidden.any()
    assert (image[hidden] == 255).all()


def test_sixteen_bits_are_cut_to_eight() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
    for suffix in (".png", ".tiff"):
        image = decode(cv2.imencode(suffix, deep)[1].tobytes())
        np.testing.assert_allclose(image[:, :, 0], deep / 257, atol=1)
    clear = np.dstack([deep] * 3 + [np.full_like(deep, 65535)])
    np.testing.assert_allclose(decode(cv2.imencode(".png", clear)[1].tobytes())[:, :, 0], deep / 257, atol=1)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IEND", b"")


def test_a_header_of_20000_x_20000_is_refused_before_anything_is_decoded() -> None:
    assert size_of(png_header(20_000, 20_000)) == (20_000, 20_000)
    with pytest.raises(UnreadableImage, match=r"20000 x 20000 is more than the 64,000,000 pixels allowed"):
        decode(png_header(20_000, 20_000))  # there are no pixels in it: whoever decoded first would say so
    with pytest.raises(UnreadableImage, match="cannot be decoded"):
        decode(png_header(200, 200))


def test_the_pixel_limit_can_be_set() -> None:
    data = FILES["png"]()
    assert decode(data, max_pixels=HEIGHT * WIDTH).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(UnreadableImage, match="90 x 120 is more than the 10,799 pixels"):
        decode(data, max_pixels=HEIGHT * WIDTH - 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"empty file \(0 bytes\)"),
        (b"angry,0.3\nhappy,0.7\n", "not an image: the bytes begin with b'angry,0.', not as PNG, JPEG"),
        (bytes(1000), "not an image"),
        (b"\x89PNG\r\n\x1a\n\0\0", "truncated: 10 bytes end inside the header"),
        (png_header(0, 50), "impossible size of 0 x 50"),
        (b"\xff\xd8" + b"\xff" * 100_000, "no frame header"),
        (b"BM" + bytes(100), "impossible size"),
    ],
    ids=["0 bytes", "a text file", "zeros", "a cut header", "no width", "only fill bytes", "an empty bitmap"],
)
def test_what_is_no_image_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImage, match=reason):
        decode(data)


def test_a_flipped_byte_in_a_png_is_noticed() -> None:
    data = bytearray(FILES["png"]())
    data[len(data) // 2] ^= 0x10
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(bytes(data))


def test_opencv_prints_nothing_of_its_own_about_a_truncated_file(capfd: pytest.CaptureFixture[str]) -> None:
    for form in ("jpeg", "png", "tiff", "gif"):
        data = FILES[form]()
        with pytest.raises(UnreadableImage):
            decode(data[: len(data) // 2])
    assert capfd.readouterr().err == ""


def pgm(header: bytes, pixels: np.ndarray) -> bytes:
    return header + pixels.tobytes()


def test_a_pgm_gives_back_its_very_pixels_with_a_comment_in_its_header_too() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 40), dtype=np.uint8)
    for header in (b"P5\n40 48\n255\n", b"P5\n# made by hand\n40 48\n255\n", b"P5 40 48 255\n"):
        assert size_of(pgm(header, pixels)) == (40, 48)
        np.testing.assert_array_equal(decode(pgm(header, pixels)), np.repeat(pixels[:, :, None], 3, axis=2))


def test_a_pgm_that_ends_too_soon_is_refused() -> None:
    data = pgm(b"P5\n40 48\n255\n", np.zeros((48, 40), np.uint8))
    with pytest.raises(UnreadableImage, match="truncated or damaged: the header reads 40 x 48"):
        decode(data[:-1])
    with pytest.raises(UnreadableImage, match="PGM: no width and height"):
        size_of(data[:5])


def test_a_pgm_header_of_blanks_is_refused_without_trying_every_way_to_read_them() -> None:
    with pytest.raises(UnreadableImage, match="PGM: no width and height"):
        size_of(b"P5" + b" " * 200_000)
