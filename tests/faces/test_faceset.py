"""FaceSet: what cropping knows of the set's classes, votes and folds, and the views in which each fold tests."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from face_pictures import noise, png

from ferline.datasets.samples import Samples
from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.faces.crop import crop
from ferline.faces.faceset import FaceSet
from ferline.faces.resize import resize
from ferline.params import FaceParams, InputParams

Make = Callable[..., Samples]
PLAIN = FaceParams(detect=False, side=48)


def images(count: int) -> list[bytes]:
    return [png(noise(48, 48, seed)) for seed in range(count)]


@pytest.mark.parametrize(
    ("cropped", "detect", "looks"), [(True, "auto", False), (False, "auto", True), (True, True, True)]
)
def test_auto_looks_for_a_face_unless_the_set_is_cropped(
    make_samples: Make, scenes: list[np.ndarray], cropped: bool, detect: bool, looks: bool
) -> None:
    samples = make_samples([png(scene) for scene in scenes[:3]], cropped=cropped)
    faces = crop(samples, FaceParams(detect=detect))
    assert faces.table["found"].notna().all() == looks
    assert ("detection_rate" in faces.summary()) == looks
    whole = crop(samples, FaceParams(detect=False))
    assert np.array_equal(faces.images, whole.images) != looks


def test_a_set_that_does_not_say_whether_it_is_cropped_is_looked_through(
    make_samples: Make, scenes: list[np.ndarray]
) -> None:
    assert crop(make_samples([png(scenes[0])]), FaceParams()).table["found"].tolist() == [True]


def test_labels_are_places_among_the_sets_own_emotions(make_samples: Make) -> None:
    names = ["contempt", "angry", "neutral", "contempt"]
    faces = crop(make_samples(images(4), labels=names, dataset={"emotions": list(KNOWN)}), PLAIN)
    assert faces.emotions == KNOWN
    assert faces.labels.tolist() == [7, 0, 6, 7]
    two = crop(make_samples(images(2), labels=["sad", "angry"], dataset={"emotions": ["angry", "sad"]}), PLAIN)
    assert (two.emotions, two.labels.tolist()) == (("angry", "sad"), [1, 0])
    with pytest.raises(
        FerlineError, match=r"1 rows are labelled with none of dataset.emotions, the first is image-001"
    ):
        crop(make_samples(images(2), labels=["sad", "contempt"]), PLAIN)


def test_each_fold_tests_in_its_own_view_of_the_same_files(make_samples: Make) -> None:
    faces = crop(make_samples(images(12), folds=4), PLAIN)
    assert faces.folds == 4
    fold = faces.table["fold"].to_numpy()
    for tested in range(4):
        view = faces.fold(tested)
        assert view.folder == faces.folder
        assert (view.tested, view.digest) == (tested, faces.digest)
        assert view.rows("test").tolist() == np.flatnonzero(fold == tested).tolist()
        assert view.rows("validation").tolist() == np.flatnonzero(fold == (tested + 1) % 4).tolist()
        assert len(view.rows("train")) == 6
        assert view.images.shape == (12, 48, 48, 3)
    assert faces.table["split"].tolist() == ["train", "validation", "test"] * 4  # a view changes nothing in the set


def test_without_folds_the_only_view_is_the_set_itself(make_samples: Make) -> None:
    faces = crop(make_samples(images(6)), PLAIN)
    assert faces.folds == 0
    assert faces.fold(None) is faces


def test_resizing_keeps_classes_and_folds(make_samples: Make) -> None:
    labels = ["contempt", "sad"] * 4
    faces = crop(make_samples(images(8), labels, folds=4, dataset={"emotions": list(KNOWN)}), replace(PLAIN, side=64))
    small = resize(faces, InputParams(48, 1))
    assert (small.emotions, small.folds, small.labels.tolist()) == (KNOWN, 4, [7, 4] * 4)
    assert small.fold(3).rows("test").tolist() == [3, 7]
    assert small.fold(3).rows("validation").tolist() == [0, 4]


def test_vote_shares_are_the_votes_or_all_for_the_label(make_samples: Make) -> None:
    faces: FaceSet = crop(make_samples(images(6)), PLAIN)
    shares = faces.vote_shares(np.array([4, 1, 2]))
    assert shares.dtype == np.float32
    np.testing.assert_array_equal(shares[0], np.eye(7)[EMOTIONS.index("sad")])  # nobody voted
    np.testing.assert_array_equal(shares[1], [0.5, 0.5, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(shares[2], np.eye(7)[2])
