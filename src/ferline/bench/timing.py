"""What every measurement here gives, and how a device is waited for."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """Training steps that were measured, warm-up left out."""

    images: int
    seconds: float
    steps: int
    peak_bytes: int | None = None  # of the GPU's memory; None on a CPU
    workers: int | None = None  # of the DataLoader, where there is one

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds

    @property
    def step_seconds(self) -> float:
        return self.seconds / self.steps


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(device: torch.device) -> int | None:
    """The most memory that torch took since `torch.cuda.reset_peak_memory_stats`, what a CUDA graph keeps included."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None


def fastest(run: Callable[[], object], device: torch.device, repeats: int, rounds: int = 3) -> float:
    """Seconds of one `run`, warm: of several rounds the quickest, since other work on the machine only ever adds."""
    run()
    run()
    times = []
    for _ in range(rounds):
        wait(device)
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        wait(device)
        times.append((time.perf_counter() - start) / repeats)
    return min(times)
