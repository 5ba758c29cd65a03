"""Our own network: sizes, stages, the two heads, and options that make no network."""

import pytest
import torch
from torch import nn

from ferline.emotions import KNOWN
from ferline.errors import FerlineError
from ferline.models.ferline_net import Block
from ferline.models.registry import build, check
from ferline.params import ArchitectureParams, InputParams, TrainingParams

AT_48 = InputParams(48, 1)


def architecture(
    model: str = "ferline_net", targets: str = "label", grow_from: int = 0, **options
) -> ArchitectureParams:
    training = TrainingParams(epochs=1, batch_size=2, targets=targets, grow_from=grow_from)
    return ArchitectureParams(model, AT_48, training, options=options)


def test_each_stage_is_half_as_large_and_twice_as_wide():
    network = build("ferline_net", AT_48, "none", {"width": 16, "blocks": "1-2-1"}).eval()
    seen = []
    for block in network.blocks:
        block.register_forward_hook(lambda module, given, told: seen.append(tuple(told.shape[1:])))
    network(torch.zeros(1, 1, 48, 48))
    assert seen == [(16, 24, 24), (32, 12, 12), (32, 12, 12), (64, 6, 6)]


def test_it_takes_faces_of_any_side():
    network = build("ferline_net", AT_48, "none", {"width": 8}).eval()
    assert [network(torch.zeros(2, 1, side, side)).shape for side in (24, 31, 48, 64)] == [(2, 7)] * 4


def test_a_block_starts_as_the_way_around_it():
    block, x = Block(8, 8, stride=1), torch.randn(2, 8, 6, 6)
    assert torch.equal(block(x), x.relu())


def test_both_heads_are_told_in_training_and_one_at_a_time_otherwise():
    network = build("ferline_net", AT_48, "none", {"width": 8, "votes_head": True})
    network.tells_both = True
    faces = torch.rand(3, 1, 48, 48)
    assert network.train()(faces).shape == (3, 7 + len(KNOWN))
    network.eval()
    assert network(faces).shape == (3, 7)
    assert network.as_voted(faces).shape == (3, len(KNOWN))
    assert torch.equal(network.as_voted(faces), network.votes_head(network.features(faces)))


def test_the_shipped_size_is_small():
    network = build("ferline_net", AT_48, "none", {"votes_head": True})
    assert sum(parameter.numel() for parameter in network.parameters()) < 1_000_000
    assert not any(isinstance(module, nn.MaxPool2d) for module in network.modules())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"width": 4}, "options.width: 4 is not allowed; write a whole number of at least 8"),
        ({"blocks": "1-x-2"}, "options.blocks: '1-x-2' is not allowed; write the number of blocks of each stage"),
        ({"blocks": ""}, "options.blocks: '' is not allowed"),
        ({"dropout": 1.0}, "options.dropout: 1.0 is not allowed"),
    ],
)
def test_options_that_make_no_network_are_refused(options: dict, told: str):
    with pytest.raises(FerlineError, match=f"architectures.ours.{told}"):
        check("ours", architecture(**options))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (architecture(targets="both"), "training.targets: both needs a model with a head for votes"),
        (architecture("cnn_lstm", targets="both"), "training.targets: both needs a model with a head for votes"),
        (architecture(votes_head=True), "options.votes_head: true would stay untrained"),
        (architecture("cnn_lstm", grow_from=32), "training.grow_from: 32 needs a model that takes faces of any side"),
    ],
)
def test_a_training_that_the_model_cannot_have_is_refused(given: ArchitectureParams, told: str):
    with pytest.raises(FerlineError, match=f"architectures.ours.{told}"):
        check("ours", given)
    check("ours", architecture(targets="both", votes_head=True, grow_from=32))
