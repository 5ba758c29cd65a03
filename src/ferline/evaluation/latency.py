"""How long one face takes: a measurement, so it differs from run to run and from machine to machine."""

import os
import platform
import time
from typing import Any

import numpy as np
import torch

from ferline.models.trained import TrainedModel

WARM_UP = 3
REPEATS = 20  # at least; fast models are repeated until SECONDS have passed, for a median that holds still
SECONDS = 0.5


def measure(model: TrainedModel, image: np.ndarray) -> dict[str, Any]:
    """Milliseconds from uint8[H,W,C] to probabilities, one face at a time on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = _times(model, image[None])
    finally:
        torch.set_num_threads(before)
    return {
        "median_ms": float(np.median(times)),
        "p90_ms": float(np.percentile(times, 90)),
        "repeats": len(times),
        "batch": 1,
        "threads": 1,
        "device": "cpu",
        "machine": {"processor": platform.machine(), "cpus": os.cpu_count()},
    }


def _times(model: TrainedModel, batch: np.ndarray) -> list[float]:
    for _ in range(WARM_UP):
        model.predict(batch, 1, "cpu")
    times: list[float] = []
    while len(times) < REPEATS or sum(times) < 1000 * SECONDS:
        start = time.perf_counter()
        model.predict(batch, 1, "cpu")
        times.append(1000 * (time.perf_counter() - start))
    return times
