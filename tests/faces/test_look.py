"""A face is known again in another file, and no other face is taken for it."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from ferline.datasets.synthetic import scene
from ferline.faces.look import NEAR, alike, looks, none


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """Drawn people, RGB, each of their own size of head, hair, light and background."""
    return np.stack([cv2.resize(scene(7, person, "happy", 0), (96, 96)) for person in range(24)])


def grey(face: np.ndarray, side: int = 48) -> np.ndarray:
    return cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)


def as_jpeg(face: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(
    "changed",
    [
        lambda face: as_jpeg(face, 85),
        lambda face: grey(face, 96),
        lambda face: grey(face)[:, :, None],
        lambda face: cv2.resize(face, (224, 224)),
        lambda face: cv2.convertScaleAbs(face, alpha=0.8, beta=20),
    ],
    ids=["JPEG", "grey", "grey with a channel, half the size", "enlarged", "another light"],
)
def test_a_picture_in_another_file_is_the_same_face(faces: np.ndarray, changed: Callable) -> None:
    assert alike(looks(map(changed, faces)), looks(faces)).mean() > 0.9


def test_no_other_face_is_taken_for_one(faces: np.ndarray) -> None:
    known, others = looks(faces[:12]), looks(faces[12:])
    assert not alike(others, known).any()
    apart = np.bitwise_count(others[:, None] ^ known[None]).sum(axis=2)
    assert apart.min() > 2 * NEAR
    assert alike(looks(faces), known).tolist() == [True] * 12 + [False] * 12


def test_more_faces_than_are_compared_at_a_time(faces: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 48, 48, 1), np.uint8)
    asked = looks([*noise, faces[3], *noise[:30]])
    assert np.flatnonzero(alike(asked, looks(faces))).tolist() == [150]


def test_an_even_picture_is_like_nothing_not_even_itself() -> None:
    even = looks([np.full((48, 48, 1), 90, np.uint8), np.full((48, 48, 1), 200, np.uint8)])
    assert not even.any()
    assert not alike(even, even).any()


def test_of_no_faces_there_are_no_looks(faces: np.ndarray) -> None:
    assert looks([]).shape == none().shape == (0, 4)
    assert not alike(looks(faces), none()).any()
    assert alike(none(), looks(faces)).tolist() == []
