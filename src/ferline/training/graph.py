"""Forward and backward of a full batch as one CUDA graph: of small batches, launching kernels is what takes time.

The optimiser stays outside, so every optimiser, clipping and rate works as it does without.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

WARM_UP = 3  # steps taken as they are before one is recorded: libraries choose their kernels in them

Backward = Callable[..., Tensor]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Old engines, which hold graphs and are freed by Python's collector alone, are freed before and not within: a
    graph that is destroyed breaks the recording of another."""
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Recorded:
    """`backward(*tensors)` that fills the parameters' gradients, recorded once and then replayed on new values."""

    def __init__(self, backward: Backward) -> None:
        self._backward, self._calls = backward, 0
        self._side = torch.cuda.Stream()  # warm-ups run on it, as recordings do: the default stream cannot be recorded
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Gradients must be None until the recording; from then on they are the graph's own, and must be left alone."""
        self._calls += 1
        if self._calls <= WARM_UP:
            return self._on_the_side(*inputs)
        if self._graph is None:
            self._record(inputs)
        assert self._graph is not None
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given, non_blocking=True)
        self._graph.replay()
        return self._output.clone()

    @property
    def recorded(self) -> bool:
        return self._graph is not None

    def _record(self, inputs: tuple[Tensor, ...]) -> None:
        self._inputs = [tensor.clone() for tensor in inputs]
        graph = torch.cuda.CUDAGraph()
        # thread_local: the thread that streams faces may ask for memory meanwhile
        with _uncollected(), torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._output = self._backward(*self._inputs)
        self._graph = graph

    def _on_the_side(self, *inputs: Tensor) -> Tensor:
        main = torch.cuda.current_stream()
        self._side.wait_stream(main)
        try:
            with torch.cuda.stream(self._side):
                return self._backward(*inputs)
        finally:  # also when memory ran out: what is put back then must not overtake what the side still does
            main.wait_stream(self._side)
