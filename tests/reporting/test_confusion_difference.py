"""One confusion matrix minus another: in points, by row, coloured by what is better."""

import io

import cv2
import numpy as np
import pytest

from ferline.evaluation import figures
from ferline.reporting.difference import figure, points

FIRST = np.array([[8, 2, 0], [1, 18, 1], [0, 0, 5]])
SECOND = np.array([[5, 5, 0], [1, 19, 0], [1, 1, 3]])


def test_the_difference_is_in_points_of_each_true_emotion():
    expected = [[30, -30, 0], [0, -5, 5], [-20, -20, 40]]
    np.testing.assert_allclose(points(FIRST, SECOND), expected, atol=1e-12)


def test_rows_of_other_numbers_of_faces_are_compared_by_their_shares():
    np.testing.assert_allclose(points(10 * FIRST, SECOND), points(FIRST, SECOND), atol=1e-12)


def test_an_emotion_without_faces_in_one_of_them_has_no_difference():
    found = points(np.array([[3, 1], [0, 0]]), np.array([[2, 2], [1, 3]]))
    np.testing.assert_allclose(found[0], [25, -25])
    assert np.isnan(found[1]).all()


def test_swapping_the_two_swaps_the_signs():
    np.testing.assert_allclose(points(FIRST, SECOND), -points(SECOND, FIRST))


@pytest.fixture
def pixels() -> np.ndarray:
    file = io.BytesIO()
    drawn = figure(points(FIRST, SECOND), FIRST.sum(axis=1), ["angry", "happy", "neutral"], "one minus other")
    figures.save(drawn, file)
    return cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)


def test_better_is_blue_and_worse_is_orange_on_the_diagonal_and_beside_it(pixels):
    """More on the diagonal is better, and so is less beside it: only happy's row has anything worse."""
    blue, _, red = (pixels[:, :, channel].astype(int) for channel in range(3))
    orange_rows = np.flatnonzero((red - blue > 8).sum(axis=1) > 50)
    blue_rows = np.flatnonzero((blue - red > 60).sum(axis=1) > 50)
    thirds = pixels.shape[0] / 3
    assert len(orange_rows)
    assert len(blue_rows)
    assert blue_rows.min() < thirds < orange_rows.min()
    assert orange_rows.max() < 2 * thirds < blue_rows.max()


def test_the_same_numbers_give_the_same_picture(pixels, tmp_path):
    again = figure(points(FIRST, SECOND), FIRST.sum(axis=1), ["angry", "happy", "neutral"], "one minus other")
    figures.save(again, tmp_path / "again.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "again.png")), pixels)
