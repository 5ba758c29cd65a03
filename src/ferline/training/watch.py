"""A look up from the work every few steps: is the machine wanted back, was a loss no number, is a checkpoint due?"""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from ferline.errors import Preempted
from ferline.training.processes import Processes

EVERY = {"cpu": 1, "cuda": 20}  # steps; a look waits for a GPU, and for the other processes


class Seen(NamedTuple):
    bad: int  # the first step whose loss was no number; -1: none
    stop: bool
    save: bool


class Watch:
    """SIGTERM, which machines that are taken back send, is noted for as long as the block lasts."""

    def __init__(self, processes: Processes, device: torch.device, seconds: int) -> None:
        self._processes, self._device, self._seconds = processes, device, seconds
        self._stop, self._saved, self._before = False, time.monotonic(), signal.SIG_DFL

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._asked)  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)

    def due(self, step: int) -> bool:
        return (step + 1) % EVERY[self._device.type] == 0

    def look(self, bad: Tensor) -> Seen:
        """What any of the processes sees, so that all do the same."""
        save = self._processes.first and 0 < self._seconds <= time.monotonic() - self._saved
        first = -float(bad) if bad >= 0 else -math.inf  # the highest of these is of the process that saw it first
        first, stop, due = self._processes.highest([first, float(self._stop), float(save)], self._device)
        return Seen(-1 if first == -math.inf else int(-first), bool(stop), bool(due))

    def saved(self) -> None:
        self._saved = time.monotonic()

    def _asked(self, number: int, frame: FrameType | None) -> Any:
        self._stop = True


@contextmanager
def stopping_at_once(told: str) -> Iterator[None]:
    """SIGTERM ends the block with a Preempted that says this: for work that cannot be saved half done."""

    def stop(*_: object) -> None:
        raise Preempted(told)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
