"""A TrainedModel that was damaged, or made by another version, is refused by name; a good one needs only itself."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from ferline.artifact import seal
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.faces.look import looks
from ferline.models.network import IMAGENET_NORMALISATION, to_input
from ferline.models.registry import build
from ferline.models.trained import TrainedModel, fingerprints, logits
from ferline.params import InputParams


@pytest.fixture
def trained(fresh, card, history, tmp_path) -> TrainedModel:
    return TrainedModel.write(fresh("cnn_lstm"), card, history, tmp_path / "model")


def edit_card(folder: Path, **changes) -> None:
    """Seal the model anew with another card, as another version of the library would have."""
    content = json.loads((folder / "model.json").read_text()) | changes
    (folder / "model.json").write_text(json.dumps(content))
    seal(folder)


def test_the_folder_holds_numbers_and_json_only(trained):
    assert sorted(trained.manifest) == ["history.json", "looks.npy", "model.json", "model.safetensors", "seen.npy"]
    assert (
        safetensors.torch.load_file(trained.folder / "model.safetensors").keys()
        == trained.network().state_dict().keys()
    )


def test_the_card_says_all_that_use_needs(trained, card, history):
    network = trained.network()
    expected = {
        "format": 1,
        "model": "cnn_lstm",
        "input": {"side": 48, "channels": 3},
        "weights": "none",
        "options": {"width": 32, "lstm_units": 128, "dropout": 0.0},
        "emotions": list(EMOTIONS),
        "normalisation": {"mean": [0.0] * 3, "std": [1.0] * 3},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "torch": torch.__version__,
    }
    assert trained.card == expected | card
    assert trained.history == history


def test_a_network_from_imagenet_comes_back_without_the_published_file(card, history, faces, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    torch.manual_seed(0)
    network = build("resnet50_transfer", InputParams(48, 3), "imagenet", {}).eval()
    images, _ = faces(2)
    trained = TrainedModel.write(network, card, history, tmp_path / "model")
    loaded = trained.network()
    assert loaded.normalisation == IMAGENET_NORMALISATION
    assert loaded.weights == "imagenet"
    assert np.array_equal(trained.logits(images), logits(network, images))
    with torch.inference_mode():
        by_hand = network(to_input(torch.from_numpy(images), *IMAGENET_NORMALISATION)).softmax(dim=1)
    np.testing.assert_allclose(trained.predict(images), by_hand.numpy(), rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in loaded.trunk.layer1.parameters())


def test_shared_and_non_contiguous_tensors_are_saved(fresh, card, history, faces, tmp_path):
    network = fresh("cnn_lstm")
    network.blocks[1][0].weight.data = network.blocks[1][0].weight.data.permute(0, 1, 3, 2)
    network.lstm.bias_hh_l0 = network.lstm.bias_ih_l0
    trained = TrainedModel.write(network, card, history, tmp_path / "model")
    images, _ = faces(3)
    assert np.array_equal(trained.logits(images), logits(network, images))


def test_the_cards_temperature_calibrates_and_changes_no_answer(fresh, card, history, faces, tmp_path):
    network, (images, _) = fresh("cnn_lstm"), faces(9)
    with torch.no_grad():
        network.head[-1].weight.mul_(30)  # a network that is sure of itself
    plain = TrainedModel.write(network, card, history, tmp_path / "plain")
    cooled = TrainedModel.write(network, card | {"temperature": 3.0}, history, tmp_path / "cooled")
    assert (plain.temperature, cooled.temperature) == (1.0, 3.0)
    assert np.array_equal(plain.logits(images), cooled.logits(images))
    expected = torch.from_numpy(plain.logits(images) / 3).softmax(dim=1)
    np.testing.assert_allclose(cooled.predict(images), expected, rtol=0, atol=1e-12)
    assert (cooled.predict(images).argmax(1) == plain.predict(images).argmax(1)).all()
    assert (cooled.predict(images).max(1) < plain.predict(images).max(1)).all()


def test_prediction_is_the_same_from_a_read_only_map_and_in_one_batch_or_none(trained, faces, tmp_path):
    images, _ = faces(9)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    np.testing.assert_allclose(trained.predict(mapped, batch_size=4), trained.predict(images), rtol=1e-5)
    assert trained.predict(images[:0]).shape == (0, 7)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 96, 96, 3), np.uint8),
        np.zeros((2, 48, 48, 1), np.uint8),
        np.zeros((2, 48, 48, 3), np.float32),
        np.zeros((48, 48, 3), np.uint8),
    ],
    ids=["size", "channels", "type", "one image"],
)
def test_faces_of_another_form_are_refused(trained, images):
    with pytest.raises(FerlineError, match=r"takes faces as uint8\[N,48,48,3\], and was given .* Crop and resize"):
        trained.predict(images)


def test_a_flipped_bit_is_refused(trained):
    path = trained.folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(FerlineError, match=r"model.safetensors: corrupt"):
        TrainedModel(trained.folder).network()


def test_a_missing_file_is_refused(trained):
    (trained.folder / "model.safetensors").unlink()
    with pytest.raises(FerlineError, match=r"model.safetensors: missing"):
        TrainedModel(trained.folder).predict(np.zeros((1, 48, 48, 3), np.uint8))


def test_a_missing_tensor_is_refused(trained):
    path = trained.folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    del tensors["lstm.weight_hh_l0"]
    path.write_bytes(safetensors.torch.save(tensors))
    seal(trained.folder)
    with pytest.raises(FerlineError, match=r"make no network: .*lstm.weight_hh_l0"):
        TrainedModel(trained.folder).network()


def test_a_file_that_is_no_safetensors_is_refused(trained):
    (trained.folder / "model.safetensors").write_bytes(b"no tensors here")
    seal(trained.folder)
    with pytest.raises(FerlineError, match=r"make no network"):
        TrainedModel(trained.folder).network()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, r"model.json: format 2, and this version reads 1"),
        ({"emotions": sorted(EMOTIONS)}, r"emotions \['angry', .*and the order here is angry, disgust, fear, happy"),
        ({"model": "resnet51"}, r"make no network: model: 'resnet51' is unknown"),
        ({"options": {"depth": 4}}, r"make no network: options.depth: cnn_lstm does not know this option"),
        ({"options": {"width": 16}}, r"make no network: .*size mismatch"),
        ({"input": {"side": 48}}, r"make no network: .*channels"),
    ],
    ids=["format", "emotions", "model", "option", "width", "input"],
)
def test_a_card_of_another_make_is_refused(trained, changes, message):
    edit_card(trained.folder, **changes)
    with pytest.raises(FerlineError, match=f"(?s){message}"):
        TrainedModel(trained.folder).network()


def test_a_card_that_is_no_json_is_refused(trained):
    (trained.folder / "model.json").write_text("{")
    seal(trained.folder)
    with pytest.raises(FerlineError, match=r"model.json: no readable card"):
        TrainedModel(trained.folder).network()


def test_a_card_must_be_complete_and_leave_the_network_its_own(fresh, card, history, tmp_path):
    with pytest.raises(ValueError, match="lacks data_digest, seed"):
        TrainedModel.write(
            fresh("cnn_lstm"), {k: v for k, v in card.items() if k not in ("data_digest", "seed")}, history
        )
    with pytest.raises(ValueError, match="leave emotions to the network"):
        TrainedModel.write(fresh("cnn_lstm"), card | {"emotions": []}, history, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_summary_is_what_a_dashboard_shows(trained):
    summary = trained.summary()
    assert summary["input"] == "48x48x3"
    assert summary["epochs"] == 2
    assert summary["architecture"] == "a_row"


def test_it_knows_what_it_must_not_be_tested_on(fresh, card, history, tmp_path):
    digests = [hashlib.sha256(bytes([n])).hexdigest() for n in range(6)]
    model = TrainedModel.write(fresh("cnn_lstm"), card, history, tmp_path / "model", fingerprints(digests[:4]))
    assert TrainedModel(model.folder).verify().has_seen(digests[2:]).tolist() == [True, True, False, False]
    blank = TrainedModel.write(fresh("cnn_lstm"), card, history, tmp_path / "blank")
    assert not blank.has_seen(digests).any()


def test_it_knows_faces_again_by_their_looks(fresh, card, history, tmp_path):
    faces = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 1), np.uint8)
    found = looks(faces)
    model = TrainedModel.write(fresh("cnn_lstm"), card, history, tmp_path / "model", looked=found[[3, 1, 3]])
    assert len(TrainedModel(model.folder).verify().looks) == 2
    assert model.has_seen_alike(found).tolist() == [False, True, False, True, False, False]
    (model.folder / "looks.npy").unlink()  # as in a model of before there were any
    assert not TrainedModel(model.folder).has_seen_alike(found).any()
