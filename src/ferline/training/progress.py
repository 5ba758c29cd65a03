"""What a training has to show so far, and how far into its epoch it is."""

from typing import Any

import torch
from torch import Tensor

from ferline.params import TrainingParams
from ferline.training import schedule

Record = dict[str, Any]
Tensors = dict[str, Tensor]


class Progress:
    def __init__(self, params: TrainingParams, device: torch.device) -> None:
        self._params, self._device = params, device
        self.history: list[Record] = []
        self.best: Tensors = {}
        self.best_epoch = -1
        self.left_out = 0  # batches
        self.begin(0, [0.0] * 3)

    def begin(self, step: int, sums: list[float]) -> None:
        """An epoch, from step `step` on; what was summed before it."""
        self.step = step
        self._sums = torch.tensor(sums, dtype=torch.float64, device=self._device)
        self.bad = torch.tensor(-1, device=self._device)

    def add(self, step: int, sums: Tensor) -> None:
        """A step was taken. Nothing is read from the device."""
        self.step = step + 1
        self._sums += sums
        self.bad = torch.where((self.bad < 0) & ~torch.isfinite(sums[0]), step, self.bad)

    def sums(self) -> Tensor:
        """This process's loss times images, right answers and images in this epoch."""
        return self._sums.clone()

    def finish(self, record: Record, weights: Tensors) -> None:
        """An epoch is over; `weights` are what it would be judged by."""
        self.history.append(record)
        if self.best_epoch < 0 or _better(record, self.history[self.best_epoch], self._params.monitor):
            self.best_epoch = len(self.history) - 1
            self.best = {name: tensor.detach().clone() for name, tensor in weights.items()}
        self.begin(0, [0.0] * 3)

    @property
    def over(self) -> bool:
        grown = schedule.grown(self._params)  # epochs of smaller faces are no time to give up
        waited = len(self.history) - max(self.best_epoch + 1, grown)
        tired = bool(self._params.early_stopping) and waited >= self._params.early_stopping
        return len(self.history) >= self._params.epochs or (bool(self.history) and tired)

    def numbers(self, sums: list[float]) -> Record:
        """What a checkpoint keeps beside the tensors; `sums` are all processes' together."""
        own = {"history": self.history, "best_epoch": self.best_epoch, "left_out": self.left_out}
        return own | {"step": self.step, "sums": sums}

    def load(self, found: dict[str, Any], first: bool) -> None:
        self.history, self.best_epoch, self.left_out = found["history"], found["best_epoch"], found["left_out"]
        self.best = {name: tensor.to(self._device) for name, tensor in found["best"].items()}
        self.begin(found["step"], found["sums"] if first else [0.0] * 3)


def _better(record: Record, than: Record, monitor: str) -> bool:
    value, reference = record[f"validation_{monitor}"], than[f"validation_{monitor}"]
    return value < reference if monitor == "loss" else value > reference
