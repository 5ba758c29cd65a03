"""Faces found by YuNet: squares as the cascade's, eyes levelled, and a clear word where a file is not its weights.

The weights are made here, in the form of OpenCV's file: they see a face around every red patch of 8 x 8 pixels. What
the real ones find of real faces is in docs/predict.md.
"""

import csv
import io
import math
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper

from ferline.cli import main
from ferline.errors import FerlineError
from ferline.faces.cropper import FaceCropper
from ferline.faces.cut import cut_face
from ferline.faces.detect import Face
from ferline.faces.yunet import BOX_SIDE, EYE_DISTANCE, EYE_MIDDLE, YuNet
from ferline.models.registry import create
from ferline.models.trained import TrainedModel
from ferline.params import FaceParams, InputParams

BOX = (60.0, 78.0)  # width and height that it says of each face, around the patch's middle
RIGHT, LEFT = (-14.0, -12.0), (12.0, -7.0)  # the eyes, from there; a person's right one is on the picture's left
TILT = math.degrees(math.atan2(LEFT[1] - RIGHT[1], LEFT[0] - RIGHT[0]))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve outputs, of cells of 8, 16 and 32 pixels each a score, a score, a box and five points."""
    nodes, constants = [], []

    def constant(name: str, values: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    def output(name: str, source: str, weight: np.ndarray, bias: list[float]) -> None:
        """A 1 x 1 convolution, a row a cell."""
        inputs = [source, constant(f"{name}_w", weight), constant(f"{name}_b", np.array(bias, np.float32))]
        nodes.append(helper.make_node("Conv", inputs, [f"{name}_map"], kernel_shape=[1, 1]))
        nodes.append(helper.make_node("Transpose", [f"{name}_map"], [f"{name}_last"], perm=[0, 2, 3, 1]))
        shape = constant(f"{name}_shape", np.array([1, -1, len(bias)], np.int64))
        nodes.append(helper.make_node("Reshape", [f"{name}_last", shape], [name]))

    for stride in (8, 16, 32):
        pool = f"pool_{stride}"
        size = [stride, stride]
        nodes.append(helper.make_node("AveragePool", ["input"], [pool], kernel_shape=size, strides=size))
        # Red alone, as OpenCV hands it over: blue, green, red, 0 to 255.
        red = np.array([[-1, -1, 1]], np.float32)[:, :, None, None] / 255 * (stride == 8)
        for kind in ("cls", "obj"):
            output(f"{kind}_{stride}", pool, red, [0.0])
        box = [0.5, 0.5, *(math.log(extent / stride) for extent in BOX)]
        points = [value / stride + 0.5 for point in (RIGHT, LEFT, (0, 0), (-9, 12), (9, 12)) for value in point]
        for kind, values in (("bbox", box), ("kps", points)):
            output(f"{kind}_{stride}", pool, np.zeros((len(values), 3, 1, 1), np.float32), values)
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    of = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    cells = {stride: (640 // stride) ** 2 for stride in (8, 16, 32)}
    graph = helper.make_graph(
        nodes,
        "yunet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, cells[int(stride)], of[kind]])
            for name in names
            for kind, stride in [name.split("_")]
        ],
        constants,
    )
    path = tmp_path_factory.mktemp("weights") / "yunet.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = create("cnn_lstm", InputParams(48, 1), "none", {"width": 4, "lstm_units": 8})
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(0))
    card = {"architecture": "small", "preprocessing": asdict(FaceParams(side=48, colour="grey")), "training": {}}
    card |= {"data_digest": "d" * 64, "augmentation_digest": "a" * 64, "best_epoch": 1, "seed": 0}
    return TrainedModel.write(network, card, [], tmp_path_factory.mktemp("models") / "small").folder


def scene(*cells: tuple[int, int], height: int = 240, width: int = 320) -> np.ndarray:
    """Grey noise with a red patch in these cells of 8 x 8."""
    rgb = np.random.default_rng(0).integers(60, 180, (height, width, 1), dtype=np.uint8).repeat(3, axis=2)
    for x, y in cells:
        rgb[8 * y : 8 * y + 8, 8 * x : 8 * x + 8] = (255, 0, 0)
    return rgb


def square(x: float, y: float, scale: float = 1.0) -> Face:
    """What is to be found around a patch whose middle is here."""
    eyes = [(x + scale * dx, y + scale * dy) for dx, dy in (RIGHT, LEFT)]
    side = (math.dist(*eyes) / EYE_DISTANCE + scale * math.sqrt(BOX[0] * BOX[1]) / BOX_SIDE) / 2
    middle = [(a + b) / 2 for a, b in zip(*eyes, strict=True)]
    return Face(middle[0] - EYE_MIDDLE[0] * side, middle[1] - EYE_MIDDLE[1] * side, side, side)


def test_each_face_is_the_square_that_the_cascade_would_have_put_around_it(weights):
    found = YuNet(weights, 240, 0.08).find(scene((10, 12), (28, 9)))
    assert len(found) == 2
    for face, (x, y) in zip(sorted(found), [(84, 100), (228, 76)], strict=True):
        assert face == pytest.approx(square(x, y), abs=0.01)


def test_a_picture_is_searched_at_the_frames_size_and_told_in_its_own_pixels(weights):
    large = cv2.resize(scene((10, 12)), (960, 720), interpolation=cv2.INTER_NEAREST)
    (face,) = YuNet(weights, 240, 0.08).find(large)
    assert face == pytest.approx(square(3 * 84, 3 * 100, scale=3), abs=0.1)


def test_faces_below_the_smallest_share_are_left_out(weights):
    rgb, share = scene((10, 12)), square(84, 100).width / 240
    assert len(YuNet(weights, 240, share - 0.001).find(rgb)) == 1
    assert YuNet(weights, 240, share + 0.001).find(rgb) == []


def test_its_eyes_level_the_face(weights):
    rgb = scene((18, 14))
    (crop,) = FaceCropper(FaceParams(side=64, margin=0.0), yunet=weights, smallest=0.1).every(rgb)
    assert (crop.found, crop.levelled, crop.faces) == (True, True, 1)
    assert 10 < TILT < 12
    levelled, as_it_is = (cut_face(rgb, square(148, 116), tilt, 64, 0.0) for tilt in (TILT, 0.0))
    assert np.abs(crop.image.astype(int) - levelled).mean() < 1 < np.abs(crop.image.astype(int) - as_it_is).mean()
    (crop,) = FaceCropper(FaceParams(side=64, level=False, margin=0.0), yunet=weights, smallest=0.1).every(rgb)
    assert np.abs(crop.image.astype(int) - as_it_is).mean() < 1
    assert not crop.levelled


def test_threads_share_one_and_find_what_one_alone_finds(weights):
    from concurrent.futures import ThreadPoolExecutor

    yunet = YuNet(weights, 240, 0.08)
    scenes = [scene((5 + i, 12), height=240 + 16 * i, width=320 + 32 * i) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(yunet.find, scenes)) == [yunet.find(each) for each in scenes]


def test_of_a_picture_without_a_face_none_is_told(weights):
    assert FaceCropper(FaceParams(), yunet=weights, smallest=0.1).every(scene()) == []


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)], catch_exceptions=False)


def test_predict_tells_and_draws_every_face_that_it_finds(weights, model, tmp_path):
    photo = tmp_path / "photo.png"
    rgb = scene((2, 3), (20, 14), height=300)  # as large as the frame; the first one's square reaches over the edge
    cv2.imwrite(str(photo), rgb[..., ::-1])
    done = predict(photo, "--model", model, "--yunet", weights, "--csv", "-", "--annotate", tmp_path / "drawn")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    boxes = sorted([float(row[key]) for key in ("x", "y", "width", "height")] for row in rows)
    assert boxes == sorted([round(value) for value in square(x, y)] for x, y in ((20, 28), (164, 116)))
    assert (tmp_path / "drawn" / "photo.png.jpg").is_file()


@pytest.mark.parametrize("content", [b"", b"hello", "another"])
def test_a_file_that_is_not_its_weights_is_refused_before_anything_is_read(content, weights, model, tmp_path):
    file = tmp_path / "face_detection_yunet_2023mar.onnx"
    if content == "another":  # a network, and none that says where faces are
        known = onnx.load(weights)
        del known.graph.output[3:]
        onnx.save(known, file)
    else:
        file.write_bytes(content)
    with pytest.raises(FerlineError, match="these are not YuNet's weights as OpenCV reads them"):
        YuNet(file, 240, 0.08)
    done = predict(tmp_path, "--model", model, "--yunet", file, "--json", tmp_path / "faces.json")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"Error: {file}: these are not YuNet's weights")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "faces.json").exists()


def test_a_file_that_is_not_there_is_said_with_where_it_is_to_be_had(tmp_path):
    with pytest.raises(FerlineError, match=r"no such file\. YuNet's weights are face_detection_yunet_2023mar"):
        YuNet(tmp_path / "gone.onnx", 240, 0.08)


def test_to_look_for_no_face_and_for_all_of_them_is_refused(weights, tmp_path):
    done = predict(tmp_path, "--yunet", weights, "--cropped")
    assert done.exit_code == 2
    assert "--cropped looks for no face, and --yunet for all of them: write one of the two." in done.output
