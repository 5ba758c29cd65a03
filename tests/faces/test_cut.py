"""cut: the right pixels, at the right place, level, and with nothing made up at the border."""

import cv2
import numpy as np
import pytest
from face_pictures import noise

from ferline.faces.cut import central_square, cut_face, cut_whole, scaled
from ferline.faces.detect import Face


def test_an_image_of_the_right_size_comes_back_bit_for_bit() -> None:
    image = noise(48, 48)
    np.testing.assert_array_equal(cut_whole(image, 48), image)


def test_the_largest_central_square_of_an_oblong_image_is_taken() -> None:
    image = noise(60, 100)
    assert central_square(image.shape) == (20, 0, 60)
    np.testing.assert_array_equal(cut_whole(image, 60), image[:, 20:80])
    tall = noise(101, 60)
    np.testing.assert_array_equal(cut_whole(tall, 60), tall[20:80])


def test_a_level_face_at_its_own_size_is_a_slice_of_the_image() -> None:
    image = noise(200, 300)
    cut = cut_face(image, Face(80, 40, 96, 96), 0, 96, 0)
    np.testing.assert_array_equal(cut, image[40:136, 80:176])


def test_the_margin_is_a_share_of_the_face_on_every_side() -> None:
    image = noise(200, 300)
    cut = cut_face(image, Face(100, 50, 80, 80), 0, 120, 0.25)
    np.testing.assert_array_equal(cut, image[30:150, 80:200])


@pytest.mark.parametrize("side", [32, 96, 224])
def test_a_leaning_face_is_cut_as_the_upright_one_is(side: int) -> None:
    image, face = noise(300, 300), Face(90, 90, 120, 120)
    turned = cv2.warpAffine(image, cv2.getRotationMatrix2D((149.5, 149.5), -17, 1), (300, 300), flags=cv2.INTER_CUBIC)
    upright, levelled = cut_face(image, face, 0, side, 0.1), cut_face(turned, face, 17, side, 0.1)
    assert np.abs(upright.astype(int) - levelled).mean() < 1.5
    assert np.abs(upright.astype(int) - cut_face(turned, face, -17, side, 0.1)).mean() > 15


def test_shrinking_averages_every_pixel() -> None:
    board = np.indices((400, 400)).sum(0)[:, :, None].repeat(3, 2) % 2 * 255
    cut = cut_face(board.astype(np.uint8), Face(50, 50, 300, 300), 0, 60, 0)
    assert np.abs(cut.astype(int) - 127.5).max() < 12  # picking pixels would leave black and white


def test_beyond_the_border_the_border_goes_on() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    for tilt in (0, 20):
        cut = cut_face(image, Face(60, 60, 80, 80), tilt, 64, 0.2)
        assert (cut == 200).all()


def test_what_is_cut_does_not_depend_on_what_lies_far_away() -> None:
    image = noise(600, 600)
    other = image.copy()
    other[:100] = 0
    face = Face(250, 300, 120, 120)
    np.testing.assert_array_equal(cut_face(image, face, 9, 96, 0.1), cut_face(other, face, 9, 96, 0.1))


def test_scaling_averages_down_and_is_cubic_up() -> None:
    image = noise(60, 60)
    np.testing.assert_array_equal(scaled(image, 24), cv2.resize(image, (24, 24), interpolation=cv2.INTER_AREA))
    np.testing.assert_array_equal(scaled(image, 96), cv2.resize(image, (96, 96), interpolation=cv2.INTER_CUBIC))
