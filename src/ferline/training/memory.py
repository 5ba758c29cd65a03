"""When memory runs out: what the error is known by, and the state from which a step is taken again."""

import torch

from ferline.training import randomness

TOLD = ("can't allocate memory", "could not create a memory", "ALLOC_FAILED", "CUDA error: out of memory")


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
    """Give back what the failed attempt left in torch's own pool."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


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
