"""What is kept of an image: the same digest for the same pixels, whatever file they came in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ferline.datasets.audit.picture import SIDE, Pictures, picture_of, pictures_of, together
from ferline.datasets.ingest import ingest
from ferline.datasets.raw import RawSet
from ferline.images.decode import decode
from ferline.params import DatasetParams

Make = Callable[..., Any]


def through(form: str, pixels: np.ndarray) -> np.ndarray:
    return decode(cv2.imencode(form, pixels)[1].tobytes())


def test_grey_pixels_have_one_digest_whatever_the_file_and_the_channels(make_photographs: Make) -> None:
    (picture,) = make_photographs(1)
    colour = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    found = [picture_of(pixels) for pixels in (picture, through(".png", picture), through(".bmp", colour))]
    assert len({digest for _, digest in found}) == 1
    assert all((thumb == picture).all() for thumb, _ in found)


def test_one_grey_level_in_one_pixel_is_another_image(make_photographs: Make) -> None:
    (picture,) = make_photographs(1)
    other = picture.copy()
    other[5, 7] += 1
    assert picture_of(picture)[1] != picture_of(other)[1]
    assert picture_of(picture)[1] != picture_of(through(".jpg", picture))[1]


def test_colours_of_one_luma_and_one_row_for_one_column_are_different_images() -> None:
    red, grey = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE), 76, np.uint8)
    red[:, :, 0] = 255
    assert (picture_of(red)[0] == picture_of(grey)[0]).all()
    assert picture_of(red)[1] != picture_of(grey)[1]
    assert picture_of(np.zeros((2, 8), np.uint8))[1] != picture_of(np.zeros((8, 2), np.uint8))[1]


@pytest.mark.parametrize("shape", [(1, 1), (48, 48, 3), (20, 90), (300, 200, 3)])
def test_every_size_becomes_a_small_grey_square(shape: tuple[int, ...]) -> None:
    thumb, _ = picture_of(np.full(shape, 90, np.uint8))
    assert thumb.shape == (SIDE, SIDE)
    assert (thumb == 90).all()


def test_pictures_of_samples_are_in_the_order_of_the_table_and_unreadable_ones_have_none(tmp_path: Path) -> None:
    grey = [np.full((40, 40), level, np.uint8) for level in range(200)]
    images = [cv2.imencode(".png", each)[1].tobytes() for each in grey]
    images[17], images[150] = b"no image", b""
    rows = [{"id": f"i{n}", "image": image, "label": "sad", "split": "train"} for n, image in enumerate(images)]
    rows = [row | {"split": "validation" if n % 2 else "train"} for n, row in enumerate(rows)]
    RawSet(tmp_path / "data" / "raw" / "tiny").append(rows, shard_rows=70)
    samples = ingest(tmp_path, DatasetParams("tiny"))
    pictures = pictures_of(samples, workers=2)
    assert np.flatnonzero(~pictures.readable).tolist() == [17, 150]
    expected = np.where(pictures.readable, [int(name[1:]) for name in samples.table["id"]], 0)
    assert (pictures.thumbs[:, 0, 0] == expected).all()
    assert pictures.take(np.array([3, 5])).thumbs[:, 0, 0].tolist() == [3, 5]


def test_collect_wants_a_picture_or_none_for_every_row(make_photographs: Make) -> None:
    found = [picture_of(image) for image in make_photographs(3)]
    pictures = Pictures.collect([found[0], None, found[2]], 3)
    assert pictures.readable.tolist() == [True, False, True]
    with pytest.raises(ValueError, match="2 pictures for 3 rows"):
        Pictures.collect(found[:2], 3)


def test_sets_put_together_know_whose_each_row_is(make_photographs: Make, make_table: Make) -> None:
    one, other = make_table(make_photographs(3)), make_table(make_photographs(2, seed=1))
    table, pictures = together({"one": one, "other": other})
    assert table["dataset"].tolist() == ["one"] * 3 + ["other"] * 2
    assert (pictures.thumbs[3] == other[1].thumbs[0]).all()
