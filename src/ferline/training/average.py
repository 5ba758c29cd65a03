"""A moving average of the weights: steadier than the newest ones, and often better on faces that are new."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class Average:
    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self._network, self._decay = network, decay
        self._newest = network.state_dict()  # the network's own tensors, which change in place
        self.tensors = {name: tensor.detach().clone() for name, tensor in self._newest.items()}
        self._moving = [name for name, tensor in self._newest.items() if tensor.is_floating_point()]
        self._counted = [name for name in self._newest if name not in self._moving]

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """After the training's update number `updates`. Early ones count more: the random start is soon forgotten."""
        share = 1 - min(self._decay, (1 + updates) / (10 + updates))
        own, newest = ([of[name] for name in self._moving] for of in (self.tensors, self._newest))
        torch._foreach_lerp_(own, newest, share)
        if self._counted:
            own, newest = ([of[name] for name in self._counted] for of in (self.tensors, self._newest))
            torch._foreach_copy_(own, newest)

    def load(self, tensors: dict[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network with the averaged weights, for as long as the block lasts."""
        newest = {name: tensor.clone() for name, tensor in self._network.state_dict().items()}
        self._network.load_state_dict(self.tensors)
        try:
            yield
        finally:
            self._network.load_state_dict(newest)
