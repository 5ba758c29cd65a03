import numpy as np
import pytest

from ferline.evaluation.significance import accuracy_interval, mcnemar


def test_wilson_interval_against_its_closed_form():
    z, right, faces = 1.959963984540054, 8, 10
    share = right / faces
    centre = (share + z**2 / (2 * faces)) / (1 + z**2 / faces)
    half = z / (1 + z**2 / faces) * np.sqrt(share * (1 - share) / faces + z**2 / (4 * faces**2))
    assert accuracy_interval(right, faces) == pytest.approx((centre - half, centre + half), abs=1e-12)


@pytest.mark.parametrize("right", [0, 50])
def test_wilson_interval_at_the_ends_has_width_and_stays_a_share(right):
    low, high = accuracy_interval(right, 50)
    assert 0 <= low < high <= 1
    assert low <= right / 50 <= high


def test_mcnemar_by_hand():
    # 20 faces both get right, 9 only the first, 1 only the second: 2 * (C(10,0) + C(10,1)) / 2^10
    first = np.array([True] * 20 + [True] * 9 + [False])
    second = np.array([True] * 20 + [False] * 9 + [True])
    assert mcnemar(first, second) == pytest.approx(22 / 1024)
    assert mcnemar(second, first) == pytest.approx(22 / 1024)


def test_models_that_agree_on_every_face_are_not_told_apart():
    same = np.array([True, False, True])
    assert mcnemar(same, same) == 1.0


def test_mcnemar_needs_the_same_faces():
    with pytest.raises(ValueError, match="same faces"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))
