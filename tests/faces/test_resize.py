"""resize: every face at a network's size and channels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from face_pictures import noise, png

from ferline.errors import FerlineError
from ferline.faces.crop import crop
from ferline.faces.faceset import FaceSet
from ferline.faces.resize import resize, resized
from ferline.params import FaceParams, InputParams


@pytest.fixture
def faces(make_samples) -> FaceSet:
    return crop(make_samples([png(noise(96, 96, seed)) for seed in range(5)]), FaceParams(detect=False))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [48, 96, 224])
def test_faces_take_the_size_and_channels_and_keep_their_table(faces: FaceSet, side: int, channels: int) -> None:
    small = resize(faces, InputParams(side, channels))
    assert small.images.shape == (5, side, side, channels)
    assert small.table.equals(faces.table)
    assert small.origin == faces.origin
    way = cv2.INTER_AREA if side < 96 else cv2.INTER_CUBIC
    for image, source in zip(small.images, faces.images, strict=True):
        source = cv2.cvtColor(source, cv2.COLOR_RGB2GRAY) if channels == 1 else source
        np.testing.assert_array_equal(image.squeeze(), cv2.resize(source, (side, side), interpolation=way))


def test_grey_faces_become_rgb_with_three_equal_channels(make_samples) -> None:
    params = FaceParams(detect=False, side=48, colour="grey")
    grey = crop(make_samples([png(noise(48, 48)[:, :, 0])]), params)
    colour = resize(grey, InputParams(48, 3))
    assert colour.images.shape == (1, 48, 48, 3)
    np.testing.assert_array_equal(colour.images, np.repeat(grey.images, 3, axis=3))


def test_faces_of_the_right_size_are_shared_not_copied(faces: FaceSet, tmp_path: Path) -> None:
    same = resize(faces, InputParams(96, 3), tmp_path / "same")
    np.testing.assert_array_equal(same.images, faces.images)
    assert (same.folder / "images.npy").stat().st_ino == (faces.folder / "images.npy").stat().st_ino


def test_equal_faces_have_an_equal_digest(faces: FaceSet) -> None:
    assert resize(faces, InputParams(48, 1)).digest == resize(faces, InputParams(48, 1)).digest


def test_one_image_is_resized_as_the_set_is(faces: FaceSet) -> None:
    for side, channels in ((48, 1), (112, 3)):
        wanted = InputParams(side, channels)
        np.testing.assert_array_equal(resized(faces.images[2], wanted), resize(faces, wanted).images[2])


def test_a_target_that_cannot_be_written_is_one_clear_error(faces: FaceSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FerlineError, match="could not be written"):
        resize(faces, InputParams(48, 1), tmp_path / "file" / "small")
