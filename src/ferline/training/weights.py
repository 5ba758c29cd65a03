"""A network's weights and gradients as its optimiser sees them: in the order in which their numbers lie in memory.

Of a channels-last convolution that is not the order which its shape tells. torch's fused optimisers on a CPU copy such
a weight and its gradient into plain order in every step, which is half of their time; and moments that come back from a
checkpoint would be paired with the wrong weights.
"""

from collections.abc import Iterator

from torch import nn


class Weights:
    def __init__(self, network: nn.Module) -> None:
        """`network` stays on its device, and its weights where they are: they are changed in place alone."""
        self._network = network
        self._all: list[nn.Parameter] = []
        self._turned: list[tuple[nn.Parameter, list[int], nn.Parameter]] = []  # weight, order, and as it is seen
        for weight in network.parameters():
            if not weight.requires_grad:
                continue
            seen = weight
            if not weight.is_contiguous():
                order = sorted(range(weight.ndim), key=weight.stride, reverse=True)
                seen = nn.Parameter(weight.detach().permute(order))
                self._turned.append((weight, order, seen))
            self._all.append(seen)

    def __iter__(self) -> Iterator[nn.Parameter]:
        return iter(self._all)

    def take_gradients(self) -> None:
        """Before the optimiser looks: those that the last backward pass left, also as views of the same numbers."""
        for weight, order, seen in self._turned:
            seen.grad = None if weight.grad is None else weight.grad.permute(order)

    def clear_gradients(self, forget: bool = True) -> None:
        """Before a backward pass; `forget`: so that it makes them anew, else it finds zeros to add to."""
        self._network.zero_grad(set_to_none=forget)
        for *_, seen in self._turned:
            seen.grad = None
