"""Draws that NumPy's generator does not make by itself."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def one_of(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """One of the choices, of whatever type; `rng.choice` would make an array of them."""
    return choices[int(rng.integers(len(choices)))]
