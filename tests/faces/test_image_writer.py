"""ImageWriter: an array on disk that NumPy maps, however many images come."""

from pathlib import Path

import numpy as np
import pytest

from ferline.faces.faceset import ImageWriter


@pytest.mark.parametrize("count", [1, 9, 1234])
def test_the_count_need_not_be_known_beforehand(tmp_path: Path, count: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    for folder, announced in ((tmp_path / "known", count), (tmp_path / "unknown", None)):
        folder.mkdir()
        with ImageWriter(folder, announced, 4, 3) as writer:
            for first in range(0, count, 100):
                writer.append(images[first : first + 100])
    np.testing.assert_array_equal(np.load(tmp_path / "unknown" / "images.npy", mmap_mode="r"), images)
    assert (tmp_path / "unknown" / "images.npy").read_bytes() == (tmp_path / "known" / "images.npy").read_bytes()


def test_too_few_images_are_noticed(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="1 images written where 2 were announced"),
        ImageWriter(tmp_path, 2, 4, 3) as writer,
    ):
        writer.append(np.zeros((1, 4, 4, 3), np.uint8))


@pytest.mark.parametrize("images", [np.zeros((1, 4, 4, 1), np.uint8), np.zeros((1, 4, 4, 3), np.float32)])
def test_images_of_another_kind_are_refused(tmp_path: Path, images: np.ndarray) -> None:
    with ImageWriter(tmp_path, None, 4, 3) as writer, pytest.raises(ValueError, match=r"expected uint8\[n,4,4,3\]"):
        writer.append(images)
