"""One network of each registered model, drawn once; a test that changes one takes a copy."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch

from ferline.emotions import EMOTIONS
from ferline.models.network import Network
from ferline.models.registry import create
from ferline.params import InputParams

OPTIONS = {"resnet50_transfer": {"frozen_layers": 0}}  # without ImageNet's weights nothing is worth freezing
CARD = {
    "architecture": "a_row",
    "preprocessing": {"side": 96, "colour": "rgb"},
    "data_digest": "d" * 64,
    "augmentation_digest": "a" * 64,
    "training": {"epochs": 2, "batch_size": 32},
    "seed": 0,
    "best_epoch": 1,
}
HISTORY = [{"epoch": 1, "train_loss": 1.9}, {"epoch": 2, "train_loss": 1.2}]


@cache
def _drawn(model: str, side: int, channels: int) -> Network:
    torch.manual_seed(0)
    return create(model, InputParams(side, channels), "none", OPTIONS.get(model, {})).eval()


@pytest.fixture
def fresh() -> Callable[..., Network]:
    """A copy of a model's network at 48 pixels, or another size."""

    def copy(model: str, side: int = 48, channels: int = 3) -> Network:
        return deepcopy(_drawn(model, side, channels))

    return copy


@pytest.fixture
def faces() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """uint8[N,H,W,C] noise, and labels that name each emotion in turn."""

    def make(count: int, side: int = 48, channels: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        images = np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
        return images, np.arange(count) % len(EMOTIONS)

    return make


@pytest.fixture
def card() -> dict:
    return deepcopy(CARD)


@pytest.fixture
def history() -> list[dict]:
    return deepcopy(HISTORY)
