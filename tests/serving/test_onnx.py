"""Every architecture as ONNX answers as it does in torch."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ferline.datasets.synthetic import scene
from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.models import registry
from ferline.models.named import shipped_model
from ferline.models.network import Network, to_input
from ferline.models.trained import TrainedModel
from ferline.params import InputParams
from ferline.serving import onnx as serving_onnx
from ferline.serving.onnx import export

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

OPTIONS: dict[str, list[dict]] = {
    "resnet50_transfer": [{"frozen_layers": 0}],
    "cnn_lstm_svm": [{}, {"svm_kernel": "rbf"}],
}
EVERY = [(name, options) for name in registry.names() for options in OPTIONS.get(name, [{}])]
FEW = ("angry", "happy", "sad")  # the rbf machine's graph has a part for every pair: of seven it takes 25 s to export


def pictures(count: int) -> np.ndarray:
    """uint8[N,48,48,3]: blocks, each picture darker than the next."""
    blocks = (
        np.random.default_rng(9).integers(0, 256, (count, 4, 4, 3)) * np.linspace(0.1, 1, count)[:, None, None, None]
    )
    return blocks.astype(np.uint8).repeat(12, axis=1).repeat(12, axis=2)


def stirred(network: Network) -> Network:
    """Away from where training starts: there a residual block adds nothing, and batch normalisation changes nothing."""
    random = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0, generator=random)
            torch.nn.init.normal_(module.bias, std=0.1, generator=random)
            torch.nn.init.normal_(module.running_mean, std=0.1, generator=random)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2, generator=random)
    transformer = getattr(network, "transformer", None)
    if transformer is not None:
        torch.nn.init.normal_(list(transformer.affine.parameters())[-1], std=0.3, generator=random)
    return network


@pytest.fixture
def sealed(tmp_path: Path) -> Callable[..., TrainedModel]:
    """A network of random weights, sure of itself so that differences show; an SVM is fitted on its features."""

    def make(name: str, options: dict) -> TrainedModel:
        torch.manual_seed(0)
        emotions = FEW if options.get("svm_kernel") == "rbf" else EMOTIONS
        network = stirred(registry.create(name, InputParams(48, 3), "none", options, emotions)).eval()
        network.normalisation = ((0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
        if network.needs_head_fit:
            images = to_input(torch.from_numpy(pictures(70)), *network.normalisation)
            features = network.features(images).detach().numpy()
            network.fit_head(features, np.arange(70) * len(emotions) // 70, 0)
        card = {"architecture": name, "preprocessing": {"side": 48}, "data_digest": "d" * 64, "seed": 0}
        card |= {"augmentation_digest": "a" * 64, "training": {}, "best_epoch": 1, "temperature": 0.1}
        return TrainedModel.write(network, card, [], tmp_path / name)

    return make


@pytest.mark.parametrize(
    ("name", "options"), EVERY, ids=[f"{name} {options.get('svm_kernel', '')}".strip() for name, options in EVERY]
)
def test_every_architecture_answers_as_in_torch(sealed, tmp_path, name, options):
    model = sealed(name, options)
    done = export(model, tmp_path / "model.onnx")
    assert done.difference <= 1e-4
    session = runtime.InferenceSession(done.path, providers=["CPUExecutionProvider"])
    shares = session.run(["shares"], {"faces": pictures(3)})[0]
    told = model.predict(pictures(3))
    assert np.ptp(told, axis=0).max() > 1e-3, "the faces are all told alike: nothing would show a difference"
    assert abs(shares - told).max() <= 1e-5
    assert shares.dtype == np.float32


@pytest.fixture(scope="module")
def exported(make_model: Callable[..., TrainedModel], tmp_path_factory: pytest.TempPathFactory):
    """A model and its file, which several tests look at."""
    model = make_model()
    return model, export(model, tmp_path_factory.mktemp("onnx") / "model.onnx").path


def test_the_file_says_what_a_stranger_needs(exported):
    model, path = exported
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    told = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    assert told["ferline.emotions"] == list(model.emotions)
    assert told["ferline.preprocessing"] == model.card["preprocessing"]
    assert told["ferline.input"] == {"side": 48, "channels": 1, "colour": "grey", "layout": "NHWC"}
    assert told["ferline.model_digest"] == model.digest
    (faces,), (shares,) = session.get_inputs(), session.get_outputs()
    assert (faces.name, faces.type, faces.shape) == ("faces", "tensor(uint8)", ["batch", 48, 48, 1])
    assert (shares.name, shares.type, shares.shape) == ("shares", "tensor(float)", ["batch", 7])


def test_equal_models_give_equal_bytes_that_name_no_path(exported, tmp_path):
    model, first = exported
    content = first.read_bytes()
    assert export(model, tmp_path / "again.onnx").path.read_bytes() == content
    assert str(Path(serving_onnx.__file__).parent).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_the_temperature_is_inside(exported, make_model, tmp_path):
    _, sharp = exported
    flat = export(make_model(temperature=8.0), tmp_path / "flat.onnx").path
    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), dtype=np.uint8)
    most = [
        runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"faces": faces})[0].max(axis=1)
        for path in (sharp, flat)
    ]
    assert (most[0] > most[1] + 0.01).all()


def test_one_that_answers_otherwise_is_not_written(make_model, tmp_path, monkeypatch):
    monkeypatch.setattr(serving_onnx, "TOLERANCE", -1.0)
    with pytest.raises(FerlineError, match=r"away from torch's, where .* is allowed. Nothing was written"):
        export(make_model(), tmp_path / "model.onnx")
    assert not list(tmp_path.glob("*.onnx*"))
    assert not list(tmp_path.glob(".*"))


def test_a_file_that_cannot_be_written_is_said(make_model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FerlineError, match=r"file/model.onnx: could not be written"):
        export(make_model(), tmp_path / "file" / "model.onnx")


def test_a_model_of_two_heads_has_two_outputs(two_heads, tmp_path):
    done = export(two_heads, tmp_path / "model.onnx")
    session = runtime.InferenceSession(done.path, providers=["CPUExecutionProvider"])
    faces = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 1), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    shares, votes = session.run(["shares", "votes"], {"faces": faces})
    assert abs(shares - two_heads.predict(faces)).max() <= 1e-5
    assert abs(votes - two_heads.voted().predict(faces)).max() <= 1e-5
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["ferline.votes_emotions"]) == list(KNOWN)


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """uint8[64,48,48,1] of drawn people, each with one of seven emotions."""
    scenes = [scene(7, person, EMOTIONS[person % 7], 0) for person in range(64)]
    return np.stack([cv2.resize(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), (48, 48))[:, :, None] for each in scenes])


def test_in_8_bits_it_is_smaller_and_faster_and_answers_nearly_as_the_network_does(drawn, tmp_path):
    model = shipped_model("ferline_small")
    whole, small = export(model, tmp_path / "whole.onnx"), export(model, tmp_path / "small.onnx", drawn)
    assert small.size_bytes < 0.4 * whole.size_bytes
    session = runtime.InferenceSession(small.path, providers=["CPUExecutionProvider"])
    for name, answering in (("shares", model), ("votes", model.voted())):
        shares, told = session.run([name], {"faces": drawn})[0], answering.predict(drawn)
        assert shares.sum(axis=1) == pytest.approx(1)
        assert (shares.argmax(1) == told.argmax(1)).mean() >= small.alike >= 0.9
        assert 0 < abs(shares - told).max() <= small.difference < 0.2
    assert session.get_modelmeta().custom_metadata_map.keys() >= {"ferline.emotions", "ferline.votes_emotions"}
    assert f"8 bits; tells {small.alike:.1%} of the faces as torch does" in small.text()
    assert {node.op_type for node in onnx.load(small.path).graph.node} >= {"QuantizeLinear", "DequantizeLinear"}


def test_the_same_faces_give_the_same_bytes_in_8_bits(two_heads, drawn, tmp_path):
    first, again = (export(two_heads, tmp_path / f"{n}.onnx", drawn).path.read_bytes() for n in range(2))
    assert first == again
    assert str(tmp_path).encode() not in first


def test_a_network_that_8_bits_change_too_much_is_not_written(two_heads, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(serving_onnx, "ALIKE", 1.01)
    with pytest.raises(FerlineError, match=r"in 8 bits it tells .* as torch does, and 101% is the least that is all"):
        export(two_heads, tmp_path / "model.onnx", drawn)
    assert not list(tmp_path.iterdir())


def test_too_few_faces_to_measure_on_are_told(two_heads, drawn, tmp_path):
    with pytest.raises(FerlineError, match=r"31 faces are too few to measure on .* give it at least 32"):
        export(two_heads, tmp_path / "model.onnx", drawn[:31])
    assert not list(tmp_path.iterdir())
