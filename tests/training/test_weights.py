"""Optimisers on a network whose weights lie channels-last, and memory that stays between two steps."""

import resource
from pathlib import Path

import pytest
import torch
from torch import nn

from ferline.params import TrainingParams
from ferline.training import memory
from ferline.training.schedule import optimiser
from ferline.training.weights import Weights

CPU = torch.device("cpu")
OPTIMISERS = ["adam", "adamw", "sgd", "rmsprop"]


def network(memory_format: torch.memory_format) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(4 * 36, 7))
    layers[1].requires_grad_(False)
    return layers.to(memory_format=memory_format)  # type: ignore[call-overload]


def params(name: str) -> TrainingParams:
    return TrainingParams(1, 4, name, learning_rate=0.01, momentum=0.5, weight_decay=0.01)


def backward(of: nn.Module, seed: int) -> None:
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    (of(images).square().sum() / 100).backward()


def stepped(of: nn.Module, weights: Weights, steps: torch.optim.Optimizer, seeds: range) -> None:
    for seed in seeds:
        weights.clear_gradients()
        backward(of, seed)
        weights.take_gradients()
        steps.step()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_weights_that_lie_channels_last_are_learnt_as_plain_ones(name: str) -> None:
    turned, plain = network(torch.channels_last), network(torch.contiguous_format)
    before = [weight.detach().clone() for weight in plain.parameters()]
    weights = Weights(turned)
    theirs = optimiser(plain.parameters(), params(name))
    stepped(turned, weights, optimiser(weights, params(name)), range(3))
    for seed in range(3):
        theirs.zero_grad()
        backward(plain, seed)
        theirs.step()
    for own, other, was in zip(turned.parameters(), plain.parameters(), before, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-6)
        assert torch.equal(own, was) is not own.requires_grad
    assert turned[0].weight.stride() == (27, 1, 9, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_read_back_goes_on_as_the_one_that_was_kept(name: str) -> None:
    """From the plain order, in which a checkpoint's file holds all that it keeps."""
    kept, read = network(torch.channels_last), network(torch.channels_last)
    weights = Weights(kept)
    going_on = optimiser(weights, params(name))
    stepped(kept, weights, going_on, range(2))
    state = going_on.state_dict()
    plain = {i: {key: _plain(value) for key, value in slots.items()} for i, slots in state["state"].items()}
    read.load_state_dict(kept.state_dict())
    others = Weights(read)
    again = optimiser(others, params(name))
    again.load_state_dict({**state, "state": plain})
    stepped(kept, weights, going_on, range(2, 4))
    stepped(read, others, again, range(2, 4))
    for own, other in zip(kept.parameters(), read.parameters(), strict=True):
        assert torch.equal(own, other)


def test_gradients_are_the_networks_own_and_go_with_them() -> None:
    own = network(torch.channels_last)
    weights = Weights(own)
    backward(own, 0)
    weights.take_gradients()
    given = [weight.grad for weight in weights]
    assert all(each is not None and each.is_contiguous() for each in given)
    nn.utils.clip_grad_norm_(own.parameters(), 1e-6)
    assert max(each.abs().max().item() for each in given if each is not None) < 1e-6  # the same numbers, clipped
    weights.clear_gradients(forget=False)
    assert all(weight.grad is not None and not weight.grad.any() for weight in own.parameters() if weight.requires_grad)
    weights.clear_gradients()
    assert not [weight for weight in (*own.parameters(), *weights) if weight.grad is not None]


def test_memory_that_a_step_has_freed_is_there_for_the_next_and_handed_back_at_the_end() -> None:
    with memory.held(CPU):
        _tensors()
        before = _faults()
        for _ in range(5):
            _tensors()
        assert _faults() - before < 10_000  # of the 200,000 pages that are written
        held = _resident()
    assert held - _resident() > 100 * 2**20


def _tensors() -> None:
    """160 MB, at once."""
    kept = [torch.ones(1_000_000) for _ in range(40)]
    assert len(kept) == 40


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _plain(value: object) -> object:
    return value.clone(memory_format=torch.contiguous_format) if isinstance(value, torch.Tensor) else value
