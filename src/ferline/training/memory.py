"""Memory between steps, and when it runs out: what the error is known by, and the state a step is taken again from."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ferline.training import randomness

TOLD = (
    "can't allocate memory",
    "could not create a memory",
    "could not create a primitive",  # this and the next: oneDNN, where what it writes or works in finds no room
    "could not execute a primitive",
    "ALLOC_FAILED",
    "CUDA error: out of memory",
    "unable to find an engine",  # cuDNN, where no way to convolve has the room that it works in
)

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # mallopt's names for what it sets
_NO_LIMIT = 2**30  # bytes; of an int
_USUAL = 32 * 2**20  # as far as glibc itself raises the first of the two; the second follows at twice that


class SmallerError(Exception):
    """Memory ran out in one of several processes; `at_once` images should fit after a restart of all."""

    def __init__(self, at_once: int) -> None:
        super().__init__(f"out of memory; starting again with {at_once} images at a time, in batches as before")
        self.at_once = at_once


def ran_out(error: BaseException) -> bool:
    """A GPU's own error, or what torch and oneDNN raise on a CPU."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or (isinstance(error, RuntimeError) and any(words in str(error) for words in TOLD))


def release(device: torch.device) -> None:
    """Give back what is free again, of a failed attempt for example, and only held for the next one."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif trim := _of_libc("malloc_trim"):
        trim(0)


@contextmanager
def held(device: torch.device) -> Iterator[None]:
    """On a CPU, what a step has freed stays the process's, as on a GPU torch's own pool has it.

    Else glibc hands large tensors back to the kernel and asks for them again in the next step, which fills every page
    with zeros first: 13,000 pages in each step of a ResNet50, 7 % of its time. At the end all of it is handed back.
    """
    setting = _of_libc("mallopt") if device.type == "cpu" else None
    if setting is None:
        yield
        return
    setting(_MMAP_THRESHOLD, _NO_LIMIT)
    setting(_TRIM_THRESHOLD, _NO_LIMIT)
    try:
        yield
    finally:
        setting(_MMAP_THRESHOLD, _USUAL)
        setting(_TRIM_THRESHOLD, 2 * _USUAL)
        release(device)


def _of_libc(name: str) -> Callable[..., int] | None:
    """glibc's own; None where the C library is another."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


class Before:
    """What a forward pass changes besides gradients, as it was before: batch norms' statistics, random generators."""

    def __init__(self, network: torch.nn.Module) -> None:
        self._buffers = [(buffer, buffer.detach().clone()) for buffer in network.buffers()]
        self._random = randomness.state()

    @torch.no_grad()
    def restore(self) -> None:
        for buffer, before in self._buffers:
            buffer.copy_(before)
        randomness.restore(self._random)
