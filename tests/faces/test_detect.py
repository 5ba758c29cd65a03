"""Haar detection: which face, where, and how it leans."""

import math
import threading
import time

import cv2
import numpy as np
import pytest
from face_pictures import noise

from ferline.datasets.synthetic import scene_with_box
from ferline.faces.detect import Face, FaceDetector, choose
from ferline.params import FaceParams


def leaning(scene: np.ndarray, degrees: float) -> np.ndarray:
    """The picture turned clockwise about its middle, its border repeated."""
    height, width = scene.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return cv2.warpAffine(scene, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


def test_the_face_is_found_where_it_was_drawn() -> None:
    detector = FaceDetector(FaceParams())
    for person in range(4):
        scene, box = scene_with_box(1, person, "neutral", 0)
        faces = detector.find(scene)
        assert len(faces) == 1
        x, y, width, height = box
        assert math.dist(faces[0].centre, (x + width / 2, y + height / 2)) < 0.25 * width
        assert 0.5 * width < faces[0].width < 1.5 * width


def test_boxes_are_in_pixels_of_the_image_whatever_its_size(scenes: list[np.ndarray]) -> None:
    detector = FaceDetector(FaceParams())
    small, large = scenes[0], cv2.resize(scenes[0], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(detector.find(large)[0], np.multiply(detector.find(small)[0], 4), rtol=0.1, atol=20)


def test_no_face_is_found_where_there_is_none() -> None:
    assert FaceDetector(FaceParams()).find(noise(240, 320)) == []


def test_a_face_below_the_smallest_share_is_not_looked_for(scenes: list[np.ndarray]) -> None:
    picture = noise(480, 480)
    height, width = scenes[0].shape[:2]
    small = cv2.resize(scenes[0], (160, round(160 * height / width)), interpolation=cv2.INTER_AREA)
    picture[100 : 100 + len(small), 100:260] = small
    found = FaceDetector(FaceParams(min_face_share=0.1)).find(picture)
    assert len(found) == 1
    share = found[0].width / 480
    assert FaceDetector(FaceParams(min_face_share=share * 1.3)).find(picture) == []


@pytest.mark.parametrize("degrees", [-12, 0, 12])
def test_the_eyes_lean_as_the_face_does(scenes: list[np.ndarray], degrees: float) -> None:
    detector = FaceDetector(FaceParams())
    tilts = []
    for scene in scenes:
        picture = leaning(scene, degrees)
        if faces := detector.find(picture):
            eyes = detector.eyes(picture, choose(faces, "largest", picture.shape))
            upright = detector.eyes(scene, choose(detector.find(scene), "largest", scene.shape))
            if eyes and upright:
                tilts.append(eyes.tilt - upright.tilt)
    assert len(tilts) >= 5
    assert np.median(tilts) == pytest.approx(degrees, abs=2.5)


def test_no_eyes_are_invented() -> None:
    assert FaceDetector(FaceParams()).eyes(noise(240, 320), Face(80, 40, 160, 160)) is None


def test_a_face_that_reaches_beyond_the_image_is_no_error(scenes: list[np.ndarray]) -> None:
    assert FaceDetector(FaceParams()).eyes(scenes[0], Face(-500, -500, 200, 200)) is None


LARGE, MIDDLE, SAME_AS_LARGE = Face(0, 0, 60, 60), Face(80, 30, 40, 40), Face(120, 20, 60, 60)


def test_the_largest_face_is_chosen_and_of_equal_ones_the_nearer_to_the_centre() -> None:
    assert choose([MIDDLE, LARGE], "largest", (100, 200, 3)) == LARGE
    assert choose([LARGE, MIDDLE, SAME_AS_LARGE], "largest", (100, 200, 3)) == SAME_AS_LARGE


def test_the_most_central_face_is_chosen_and_of_equally_near_ones_the_larger() -> None:
    assert choose([LARGE, MIDDLE, SAME_AS_LARGE], "central", (100, 200, 3)) == MIDDLE
    around = Face(70, 20, 60, 60)
    assert choose([MIDDLE, around], "central", (100, 200, 3)) == around


def test_the_choice_does_not_depend_on_the_order_in_which_faces_are_found() -> None:
    mirrored = [Face(0, 20, 50, 50), Face(150, 20, 50, 50)]
    for rule in ("largest", "central"):
        assert choose(mirrored, rule, (100, 200, 3)) == choose(mirrored[::-1], rule, (100, 200, 3))


def test_a_long_strip_is_not_blown_up() -> None:
    started = time.perf_counter()
    assert FaceDetector(FaceParams()).find(noise(4, 60_000)) == []
    assert time.perf_counter() - started < 5  # at a short side of 240 it would be 3,600,000 pixels long


def test_threads_share_a_detector_and_find_the_same(scenes: list[np.ndarray]) -> None:
    detector = FaceDetector(FaceParams())
    expected = [detector.find(scene) for scene in scenes]
    found: dict[int, list[list[Face]]] = {}

    def look(number: int) -> None:
        found[number] = [detector.find(scene) for scene in scenes]

    threads = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(4)] == [expected] * 4
