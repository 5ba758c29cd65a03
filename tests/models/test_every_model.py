"""What holds for each registered model: it learns, it is saved, and what comes back is what was saved."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ferline.models.network import to_input
from ferline.models.registry import create, names
from ferline.models.trained import TrainedModel, logits

MODELS = ["cnn_lstm", "cnn_lstm_svm", "ferline_net", "resnet50_gru", "resnet50_resnet34", "resnet50_transfer"]
every_model = pytest.mark.parametrize("model", MODELS)


def test_the_registered_models_are_the_five_papers_and_our_own():
    assert names() == MODELS


@every_model
def test_a_batch_goes_forward_and_every_weight_gets_a_gradient(model, fresh, faces):
    network = fresh(model).train()
    images, labels = faces(6)
    told = network(to_input(torch.from_numpy(images), *network.normalisation))
    assert told.shape == (6, 7)
    functional.cross_entropy(told, torch.from_numpy(labels)).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


@every_model
@pytest.mark.parametrize(("side", "channels"), [(24, 1), (224, 3)])
def test_other_sizes_than_48_work(model, side, channels, fresh, faces):
    network = fresh(model, side, channels)
    assert logits(network, faces(1, side, channels)[0]).shape == (1, 7)


@every_model
def test_the_head_classifies_the_features(model, fresh, faces):
    network = fresh(model)
    batch = to_input(torch.from_numpy(faces(3)[0]), *network.normalisation)
    with torch.inference_mode():
        features = network.features(batch)
        assert features.ndim == 2
        assert torch.equal(network.head(features), network(batch))


@every_model
def test_a_saved_network_predicts_the_same_bits(model, fresh, faces, card, history, tmp_path):
    network, (images, _) = fresh(model), faces(5)
    before = logits(network, images)
    trained = TrainedModel.write(network, card, history, tmp_path / "model")
    loaded = TrainedModel(tmp_path / "model")
    assert np.array_equal(loaded.logits(images), before)
    assert np.allclose(loaded.predict(images), torch.from_numpy(before).softmax(dim=1))
    state, kept = network.state_dict(), trained.network().state_dict()
    assert state.keys() == kept.keys()
    assert all(torch.equal(state[name], kept[name]) for name in state)


@every_model
def test_equal_content_gives_equal_digests(model, fresh, card, history, tmp_path):
    first = TrainedModel.write(fresh(model), card, history, tmp_path / "first")
    again = TrainedModel.write(first.network(), card, history, tmp_path / "again")
    assert first.digest == again.digest


@pytest.mark.parametrize("model", MODELS[:2])
def test_the_seed_decides_the_initial_weights(model, fresh):
    network = fresh(model)
    torch.manual_seed(0)
    same, other = (next(create(model, network.input, "none", {}).parameters()) for _ in range(2))
    first = next(network.parameters())
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("model", "side", "steps"),
    [
        ("cnn_lstm", 48, 60),
        ("cnn_lstm_svm", 24, 60),
        ("ferline_net", 32, 60),
        ("resnet50_gru", 32, 8),
        ("resnet50_resnet34", 32, 8),
        ("resnet50_transfer", 32, 8),
    ],
)
def test_it_can_learn_fourteen_images_by_heart(model, side, steps, fresh, faces):
    network = fresh(model, side, 1).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0  # it is there to prevent just this
    images, labels = faces(14, side, 1)
    batch, labels = to_input(torch.from_numpy(images), *network.normalisation), torch.from_numpy(labels)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    for _ in range(steps):
        loss = functional.cross_entropy(network(batch), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1
    assert torch.equal(network(batch).argmax(1), labels)
