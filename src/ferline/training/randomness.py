"""The state of every random generator that a network may draw from, as tensors that a checkpoint can hold."""

import random
from typing import cast

import numpy as np
import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def seed(number: int) -> None:
    """Every generator, from one number."""
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.manual_seed(number)  # the GPUs' too


def state() -> Tensors:
    _, keys, place, has_gauss, gauss = cast(tuple[str, np.ndarray, int, int, float], np.random.get_state())
    found = {
        "torch": torch.get_rng_state(),
        "python": torch.tensor(random.getstate()[1], dtype=torch.int64),
        "numpy": torch.from_numpy(np.concatenate([keys.astype(np.int64), [place, has_gauss]])),
        "numpy_gauss": torch.tensor([gauss], dtype=torch.float64),
    }
    return found | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_initialized() else {})


def restore(state: Tensors) -> None:
    torch.set_rng_state(state["torch"].cpu())
    random.setstate((3, tuple(state["python"].tolist()), None))
    *keys, place, has_gauss = state["numpy"].tolist()
    np.random.set_state(("MT19937", np.array(keys, np.uint32), place, has_gauss, state["numpy_gauss"].item()))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
