"""A face is cut in serving as in training, and all faces of a picture are found."""

import cv2
import numpy as np
import pytest

from ferline.faces.cropper import FaceCropper, overlap
from ferline.faces.detect import Face
from ferline.params import FaceParams
from ferline.serving.predictor import Predictor


def test_the_face_that_training_would_cut_is_the_largest_found_bit_for_bit(photo):
    params = FaceParams(side=48)
    for person in range(6):
        rgb = photo(person)
        trained, served = FaceCropper(params).crop(rgb), FaceCropper(params, smallest=0.05).every(rgb)
        assert trained.found
        assert served[0].box == trained.box
        assert np.array_equal(served[0].image, trained.image)


def test_all_faces_of_a_group_are_found_each_in_its_place(group):
    faces = FaceCropper(FaceParams(), smallest=0.08).every(group)
    middles = {((x + w // 2) // 160, (y + h // 2) // 160) for x, y, w, h in (face.box for face in faces)}
    assert middles == {(column, row) for column in range(4) for row in range(3)}
    assert len(faces) == 12
    areas = [face.box[2] * face.box[3] for face in faces]
    assert areas == sorted(areas, reverse=True)


def test_smaller_faces_than_trainings_are_looked_for_only_when_asked(group):
    """In training a face is at least a fifth of the short side, here 96 pixels; the cascade's steps are of a fifth."""
    found = FaceCropper(FaceParams()).every(group)
    assert 0 < len(found) < 12
    assert min(face.box[2] for face in found) > 96 / 1.2
    assert min(face.box[2] for face in FaceCropper(FaceParams(), smallest=0.08).every(group)) < 96 / 1.2


def test_a_picture_without_a_face_has_none_where_training_takes_the_middle(photo):
    blank = np.full((120, 160, 3), 90, np.uint8)
    assert FaceCropper(FaceParams(), smallest=0.1).every(blank) == []
    assert FaceCropper(FaceParams()).crop(blank).found is False


def test_faces_cut_out_already_are_taken_whole(make_model):
    face = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8), (48, 48))
    ((crop, sized),) = Predictor(make_model(), cropped=True, smallest=0.05).faces(face)
    assert crop.box == (0, 0, 48, 48)
    assert crop.found is None
    assert np.array_equal(sized[:, :, 0], cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))


def test_one_face_and_all_faces_get_the_same_shares(make_model, photo):
    rgb = photo(4)
    predictor = Predictor(make_model(), smallest=0.05)
    encoded = cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()
    one = predictor.predict([encoded]).iloc[0]
    shares = predictor.shares(predictor.faces(rgb)[0][1][None])[0]
    assert [one[emotion] for emotion in predictor.model.emotions] == shares.tolist()


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Face(0, 0, 10, 10), 1.0),
        (Face(5, 0, 10, 10), 50 / 150),
        (Face(20, 0, 10, 10), 0.0),
        (Face(10, 0, 10, 10), 0.0),
        (Face(2, 2, 4, 4), 1.0),  # within: a false find
    ],
)
def test_how_far_two_boxes_are_the_same_face(other, expected):
    assert overlap(Face(0, 0, 10, 10), other) == pytest.approx(expected)
    assert overlap(other, Face(0, 0, 10, 10)) == pytest.approx(expected)
