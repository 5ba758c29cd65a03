"""Faces found by YuNet: squares as the cascade's, also where a head leans; and which models' faces it looks for."""

import csv
import importlib.util
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from face_pictures import noise, png
from onnx import numpy_helper

from ferline.cli import main
from ferline.errors import FerlineError
from ferline.faces.crop import crop
from ferline.faces.cropper import FaceCropper, overlap
from ferline.faces.detect import FaceDetector
from ferline.faces.yunet import WEIGHTS, YuNet
from ferline.models.registry import create
from ferline.models.trained import TrainedModel
from ferline.params import FaceParams, InputParams
from ferline.serving.predictor import Predictor

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "yunet_weights.py"
PARAMS = FaceParams(detector="yunet")


def leaning(rgb: np.ndarray, degrees: float) -> np.ndarray:
    """The picture, clockwise."""
    height, width = rgb.shape[:2]
    turned = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    return cv2.warpAffine(rgb, turned, (width, height), borderMode=cv2.BORDER_REPLICATE)


def test_it_puts_the_cascades_square_around_everybody_whom_the_cascade_finds(scenes):
    for rgb in scenes:
        (seen,), (usual,) = YuNet(PARAMS).find(rgb), FaceDetector(FaceParams()).find(rgb)
        assert seen.width == seen.height
        assert overlap(seen, usual) > 0.7


@pytest.mark.parametrize("degrees", [-35, 35])
def test_a_head_that_leans_too_far_for_the_cascade_is_found_and_levelled(scenes, degrees):
    """It sees a drawn face lean less than it does: the half of it at least is taken back."""
    upright, rgb = scenes[1], leaning(scenes[1], degrees)
    assert FaceDetector(FaceParams()).find(rgb) == []
    yunet = YuNet(PARAMS)
    (face,) = yunet.find(rgb)
    assert 0.4 < yunet.eyes(rgb, face).tilt / degrees < 1.1
    as_it_leans, levelled, expected = (
        FaceCropper(FaceParams(detector="yunet", level=level)).crop(picture)
        for picture, level in ((rgb, False), (rgb, True), (upright, True))
    )
    assert (as_it_leans.levelled, levelled.levelled) == (False, True)
    far, near = (np.abs(each.image.astype(int) - expected.image).mean() for each in (as_it_leans, levelled))
    assert near < 0.85 * far


def test_a_picture_is_searched_at_the_frames_size_and_told_in_its_own_pixels(scenes):
    (face,) = YuNet(PARAMS).find(scenes[0])
    (larger,) = YuNet(PARAMS).find(cv2.resize(scenes[0], None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST))
    assert np.array(larger) == pytest.approx(3 * np.array(face), abs=0.06 * larger.width)


def test_faces_below_the_smallest_share_are_left_out(scenes):
    (face,) = YuNet(PARAMS).find(scenes[0])
    share = face.width / min(scenes[0].shape[:2])
    assert len(YuNet(FaceParams(min_face_share=share - 0.001)).find(scenes[0])) == 1
    assert YuNet(FaceParams(min_face_share=share + 0.001)).find(scenes[0]) == []


def test_no_face_is_seen_where_there_is_none():
    assert YuNet(PARAMS).find(noise(240, 320)) == []
    assert FaceCropper(PARAMS, smallest=0.1).every(noise(240, 320)) == []
    for height, width in ((4, 6000), (6000, 4), (1, 1), (17, 900)):  # where its boxes may have any size
        assert FaceCropper(PARAMS).crop(noise(height, width)).found is False


def test_threads_share_one_and_find_what_one_alone_finds(scenes):
    yunet = YuNet(PARAMS)
    pictures = [cv2.resize(rgb, (200 + 24 * number, 180)) for number, rgb in enumerate(scenes)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(yunet.find, pictures)) == [yunet.find(each) for each in pictures]


def test_the_face_that_training_cuts_by_it_is_the_largest_that_serving_finds_bit_for_bit(scenes):
    for rgb in scenes:
        trained, served = FaceCropper(PARAMS).crop(rgb), FaceCropper(PARAMS, smallest=0.05).every(rgb)
        assert trained.found
        assert served[0].box == trained.box
        assert np.array_equal(served[0].image, trained.image)


def test_training_cuts_by_it_what_the_cascade_would_have_missed(scenes, make_samples):
    samples = make_samples([png(leaning(rgb, 35)) for rgb in scenes])
    by_cascade, by_yunet = (crop(samples, FaceParams(detector=detector)) for detector in ("haar", "yunet"))
    assert not by_cascade.table["found"].any()
    assert by_yunet.table["found"].all()
    assert by_yunet.origin["preprocessing"]["detector"] == "yunet"


@pytest.mark.parametrize("content", [None, b"", b"hello", "another"])
def test_weights_that_cannot_be_read_are_one_clear_error(content, tmp_path):
    file = tmp_path / "yunet.onnx"
    if content == "another":  # a network, and none that says where faces are
        known = onnx.load(WEIGHTS)
        del known.graph.output[3:]
        onnx.save(known, file)
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(
        FerlineError, match=r"yunet\.onnx: YuNet's weights cannot be read \(.+\)\. Install Ferline again"
    ):
        YuNet(PARAMS, file)


def test_the_file_is_what_its_script_makes_of_these_weights():
    """Laid out as in the library: channels last, and five weights of nothing after each first filter."""
    held = {each.name: numpy_helper.to_array(each) for each in onnx.load(WEIGHTS).graph.initializer}
    weights = {}
    for name, values in held.items():
        if name.endswith("_dw_weight"):
            weights[name] = values[:, 0].transpose(1, 2, 0)
        elif name == "backbone__model0_pw_weight":
            weights[name] = np.pad(values.transpose(0, 2, 3, 1).reshape(16, 27), ((0, 0), (0, 5)))
        elif name.endswith(("_weight", "_bias")):
            weights[name] = values
    spec = importlib.util.spec_from_file_location("yunet_weights", SCRIPT)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = script.network({name: np.ascontiguousarray(values).ravel() for name, values in weights.items()})
    assert made.SerializeToString(deterministic=True) == WEIGHTS.read_bytes()


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainedModel]:
    def make(**known: Any) -> TrainedModel:
        network = create("cnn_lstm", InputParams(48, 1), "none", {"width": 4, "lstm_units": 8})
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(0))
        card = {"architecture": "small", "preprocessing": asdict(FaceParams(side=48, colour="grey")), "training": {}}
        card |= {"data_digest": "d" * 64, "augmentation_digest": "a" * 64, "best_epoch": 1, "seed": 0}
        return TrainedModel.write(network, card | known, [], tmp_path_factory.mktemp("models") / "small")

    return make


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)], catch_exceptions=False)


def test_a_model_keeps_to_the_detector_it_has_learnt_with_and_one_that_had_none_gets_yunet(make_model):
    photographs, cut_out = make_model(), make_model(cropped=True)
    by_yunet = make_model(preprocessing=asdict(FaceParams(side=48, detector="yunet")))
    found = [Predictor(model).cropper.params.detector for model in (photographs, cut_out, by_yunet)]
    assert found == ["haar", "yunet", "yunet"]
    sought = asdict(FaceParams(side=48, detect=True))  # in faces cut out already, too
    assert Predictor(make_model(cropped=True, preprocessing=sought)).cropper.params.detector == "haar"
    assert Predictor(cut_out, detector="haar").cropper.params.detector == "haar"


def test_predict_tells_and_draws_a_face_that_leans(make_model, scenes, tmp_path):
    photo, model = tmp_path / "photo.png", make_model().folder
    photo.write_bytes(png(leaning(scenes[0], 35)))
    asked = [photo, "--model", model, "--csv", "-", "--json", tmp_path / "faces.json", "--annotate", tmp_path / "drawn"]
    done = predict(*asked, "--detector", "yunet")
    assert done.exit_code == 0, done.output
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    (face,) = YuNet(PARAMS).find(leaning(scenes[0], 35))
    assert [float(row[key]) for key in ("x", "y", "width", "height")] == [round(value) for value in face]
    assert (tmp_path / "drawn" / "photo.png.jpg").is_file()
    assert json.loads((tmp_path / "faces.json").read_text())["model"]["detector"] == "yunet"
    assert (
        list(csv.DictReader(io.StringIO(predict(*asked).stdout))) == []
    )  # by the cascade, which this model learnt with
    assert json.loads((tmp_path / "faces.json").read_text())["model"]["detector"] == "haar"


def test_to_look_for_no_face_and_for_all_of_them_is_refused(tmp_path):
    done = predict(tmp_path, "--detector", "haar", "--cropped")
    assert done.exit_code == 2
    assert "--cropped looks for no face, and --detector for all of them: write one of the two." in done.output
