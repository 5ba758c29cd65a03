import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from drift_pictures import face, png

from ferline.artifact import seal, write_json
from ferline.datasets.audit.descriptor import describe
from ferline.datasets.synthetic import scene
from ferline.drift.batches import Batch, find
from ferline.drift.measure import FORWARD, Gauge, Measured, _looks, measure
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.faces.cropper import Crop
from ferline.faces.resize import resized
from ferline.images.decode import decode
from ferline.models.network import to_input
from ferline.models.registry import create
from ferline.models.trained import TrainedModel
from ferline.params import DatasetParams, FaceParams, InputParams
from ferline.serving.predictor import Predictor


@pytest.fixture
def batch_of(make_folder, tmp_path):
    def make(images: list[bytes]) -> Batch:
        return find(str(make_folder("images", images, people=1)), tmp_path, DatasetParams("none")).drawn(9999, 0)

    return make


def looks(batch: Batch, cropped: bool = True, **faces) -> Measured:
    return measure(batch, Gauge(None, FaceParams(**faces)), cropped)


def test_what_the_model_says_is_what_serving_says(batch_of, make_model):
    people = [png(scene(3, person, ("happy", "sad", "angry")[person % 3], 0)) for person in range(6)]
    model = make_model()
    found = measure(batch_of(people), Gauge(model, FaceParams()), cropped=False).table
    served = Predictor(model).predict(people)
    assert found["predicted"].tolist() == served["emotion"].tolist()
    assert found["confidence"].tolist() == pytest.approx(served["confidence"].tolist(), abs=1e-9)
    assert found["found"].tolist() == served["face_found"].tolist() == [True] * 6
    assert ((found["face_size"] > 0.3) & (found["face_size"] < 0.8)).all()


def fitted_svm(tmp_path) -> TrainedModel:
    """Its answers do not come from the head that the other networks have."""
    torch.manual_seed(0)
    network = create("cnn_lstm_svm", InputParams(48, 1), "none", {"width": 4, "lstm_units": 8}, EMOTIONS)
    random = np.random.default_rng(0)
    labels = np.arange(42) % 7
    network.fit_head(random.normal(size=(42, 8)) + labels[:, None], labels, seed=0)
    card = {"architecture": "svm", "preprocessing": {}, "data_digest": "", "augmentation_digest": "", "training": {}}
    return TrainedModel.write(network, card | {"seed": 0, "best_epoch": 1}, [], tmp_path / "svm")


@pytest.mark.parametrize("kind", ["softmax", "svm"])
def test_the_embedding_is_the_networks_features_and_the_network_is_left_as_it_was(batch_of, make_model, tmp_path, kind):
    images = [png(face(number)) for number in range(FORWARD + 20)]  # more than one pass
    model = make_model() if kind == "softmax" else fitted_svm(tmp_path)
    gauge = Gauge(model, FaceParams())
    found = measure(batch_of(images), gauge, cropped=True)
    served = Predictor(model, cropped=True)
    assert found.table["predicted"].tolist() == served.predict(images)["emotion"].tolist()
    faces = np.stack([resized(served.cropper.crop(decode(image)).image, served.input) for image in images])
    network = model.network()
    with torch.inference_mode():
        features = network.features(to_input(torch.from_numpy(faces), *network.normalisation))
    assert found.features == pytest.approx(features.numpy(), abs=1e-5)
    assert "features" not in vars(gauge.network)


def test_without_a_model_the_audits_descriptor_is_the_embedding(batch_of):
    found = looks(batch_of([png(face(number)) for number in range(5)]))
    grey = np.stack([cv2.cvtColor(scaled_up(face(number)), cv2.COLOR_RGB2GRAY) for number in range(5)])
    assert found.features == pytest.approx(describe(grey), abs=0.02)
    assert "predicted" not in found.table


def scaled_up(image: np.ndarray) -> np.ndarray:
    """There and back: 48 pixels, through a crop of 96."""
    large = cv2.resize(image, (96, 96), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(large, (48, 48), interpolation=cv2.INTER_AREA)


def test_how_an_image_looks():
    """By hand: light, spread, colour, and edges against the spread."""
    flat, halves = np.full((96, 96, 3), 80, np.uint8), np.zeros((96, 96, 3), np.uint8)
    halves[:, 48:] = 200
    red = np.zeros((96, 96, 3), np.uint8)
    red[..., 0] = 150
    rows = [_looks(image, Crop(image, None, None, False, (0, 0, 96, 96))) for image in (flat, halves, red)]
    assert [row["brightness"] for row in rows] == [80, 100, pytest.approx(45, abs=1)]
    assert [row["contrast"] for row in rows] == [0, 100, 0]
    assert [row["colour"] for row in rows] == [0, 0, 150]
    assert rows[0]["sharpness"] == 1.0  # a blank picture has no edges and no contrast
    laplacian = 200 * np.sqrt(2 / 96)  # two columns of 96, one of 200 and one of -200
    assert rows[1]["sharpness"] == pytest.approx((laplacian + 1) / 101, rel=1e-4)


def test_a_dimmer_picture_is_no_blurred_one(batch_of):
    random = np.random.default_rng(0)
    sharp = [np.clip(face(n, side=96) + random.normal(0, 12, (96, 96, 1)), 0, 255).astype(np.uint8) for n in range(8)]
    dim, soft = [(image * 0.6).astype(np.uint8) for image in sharp], [cv2.GaussianBlur(i, (0, 0), 3) for i in sharp]
    of = {
        name: looks(batch_of([png(image) for image in images])).table
        for name, images in (("sharp", sharp), ("dim", dim), ("soft", soft))
    }
    assert of["dim"]["sharpness"].median() == pytest.approx(of["sharp"]["sharpness"].median(), rel=0.1)
    assert of["soft"]["sharpness"].median() < 0.9 * of["sharp"]["sharpness"].median()
    assert of["dim"]["brightness"].median() == pytest.approx(0.6 * of["sharp"]["brightness"].median(), rel=0.05)


def test_size_and_shape_are_those_of_the_whole_image(batch_of):
    wide = cv2.resize(face(0), (120, 60))
    row = looks(batch_of([png(wide)])).table.iloc[0]
    assert (row["size"], row["aspect"]) == (60, 2)


def test_where_no_face_is_looked_for_none_is_said_to_be_missing(batch_of):
    images = [png(face(number)) for number in range(3)]
    assert looks(batch_of(images), cropped=True).table["found"].isna().all()
    not_found = looks(batch_of(images), cropped=False).table
    assert not not_found["found"].any()
    assert not_found["face_size"].isna().all()


def test_grey_crops_have_no_colour(batch_of):
    found = looks(batch_of([png(face(number)) for number in range(3)]), colour="grey").table
    assert (found["colour"] == 0).all()


def test_unreadable_images_are_listed_with_their_reason_and_the_others_keep_their_order(batch_of, tmp_path):
    images = [png(face(number)) for number in range(12)]
    images[3], images[7] = images[3][:60], b""
    batch = batch_of(images)
    (tmp_path / "images" / "p0" / "005.png").unlink()
    found = looks(batch)
    assert found.table["id"].tolist() == [f"p0/{number:03}.png" for number in range(12) if number not in (3, 5, 7)]
    assert len(found.features) == 9
    reasons = dict(zip(found.unreadable["id"], found.unreadable["reason"], strict=True))
    assert list(reasons) == ["p0/003.png", "p0/005.png", "p0/007.png"]
    assert "truncated" in reasons["p0/003.png"]
    assert reasons["p0/005.png"] == "cannot be read (No such file or directory)"
    assert "empty file" in reasons["p0/007.png"]


def test_only_unreadable_images_are_an_error_with_the_first_reason(batch_of):
    with pytest.raises(FerlineError, match=r"images: none of 2 images can be read; p0/000.png: not an image"):
        looks(batch_of([b"text", b"more"]))


def test_the_number_of_workers_changes_nothing(batch_of, make_model):
    batch, gauge = batch_of([png(face(number)) for number in range(40)]), Gauge(make_model(), FaceParams())
    one, three = (measure(batch, gauge, True, workers) for workers in (1, 3))
    pd.testing.assert_frame_equal(one.table, three.table)
    np.testing.assert_array_equal(one.features, three.features)


@pytest.mark.parametrize(
    "card", [{"preprocessing": {"detect": "auto", "zoom": 2}}, {"preprocessing": {"side": 8}}, {"preprocessing": None}]
)
def test_a_model_whose_preprocessing_cannot_be_used_is_named(make_model, card):
    with pytest.raises(
        FerlineError, match=r"its card's input or preprocessing cannot be used here \(.* Train it again"
    ):
        Gauge(make_model(**card), FaceParams())


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("input", {"side": 9000, "channels": 1}, "side: 9000 is not allowed"),
        ("emotions", ["happy", "bored", "sad"], "emotions .*bored.* and the order here is"),
    ],
)
def test_a_model_whose_size_or_emotions_cannot_be_used_is_named(make_model, tmp_path, key, value, said):
    shutil.copytree(make_model().folder, tmp_path / "model")
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    write_json(tmp_path / "model" / "model.json", card | {key: value})
    seal(tmp_path / "model")
    with pytest.raises(FerlineError, match=said):
        Gauge(TrainedModel(tmp_path / "model"), FaceParams())


def test_a_model_whose_answers_are_no_numbers_is_named(batch_of, make_model):
    with pytest.raises(FerlineError, match=r"its answers are no numbers\. Train it again"):
        measure(batch_of([png(face(0))]), Gauge(make_model(broken=True), FaceParams()), True)
