"""Networks of other classes than the seven: as many logits, and a card that says which they are."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from ferline.emotions import EMOTIONS, KNOWN
from ferline.models.network import Network
from ferline.models.registry import build, create, names
from ferline.models.trained import TrainedModel, logits
from ferline.params import InputParams

INPUT = InputParams(48, 1)
OPTIONS = {"resnet50_transfer": {"frozen_layers": 0}}


def network_of(model: str, emotions: Sequence[str] | None = None) -> Network:
    torch.manual_seed(0)
    chosen = {"emotions": emotions} if emotions else {}
    return create(model, INPUT, "none", OPTIONS.get(model, {}), **chosen).eval()


@pytest.mark.parametrize("model", names())
def test_every_model_has_a_logit_for_each_emotion(model: str) -> None:
    for emotions in (KNOWN, ("happy", "sad")):
        with torch.device("meta"):
            network = build(model, INPUT, "none", OPTIONS.get(model, {}), emotions)
            assert network(torch.empty(2, 1, 48, 48)).shape == (2, len(emotions))
        assert network.emotions == emotions


@pytest.mark.parametrize("model", ["cnn_lstm", "cnn_lstm_svm"])
@pytest.mark.parametrize("emotions", [KNOWN, ("happy", "sad")])
def test_a_saved_model_keeps_its_emotions(model: str, emotions: tuple[str, ...], card, history, tmp_path) -> None:
    network = network_of(model, emotions)
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), dtype=np.uint8)
    TrainedModel.write(network, card, history, tmp_path / "model")
    again = TrainedModel(tmp_path / "model")
    assert (again.emotions, again.network().emotions) == (emotions, emotions)
    assert again.predict(images).shape == (3, len(emotions))
    assert np.array_equal(again.logits(images), logits(network, images))


def test_an_svm_of_eight_classes_is_fitted_and_comes_back(card, history, tmp_path) -> None:
    network = network_of("cnn_lstm_svm", KNOWN)
    features = np.random.default_rng(0).normal(size=(64, 128)).astype(np.float32)
    network.fit_head(features, np.arange(64) % 8, 0)
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1), dtype=np.uint8)
    trained = TrainedModel.write(network, card, history, tmp_path / "model")
    assert np.array_equal(trained.logits(images), logits(network, images))
    assert trained.predict(images).shape == (5, 8)


@pytest.mark.parametrize("model", ["cnn_lstm", "cnn_lstm_svm"])
def test_seven_classes_are_what_is_made_without_asking(model: str) -> None:
    asked, unasked = network_of(model, EMOTIONS), network_of(model)
    assert asked.emotions == unasked.emotions == EMOTIONS
    own, other = asked.state_dict(), unasked.state_dict()
    assert own.keys() == other.keys()
    assert all(torch.equal(own[name], other[name]) for name in own)
