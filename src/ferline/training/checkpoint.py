"""Checkpoints: the whole state of a training after an epoch, as a sealed folder of numbers.

The state of every random generator is missing on purpose: the loop seeds them from (seed, epoch) at each epoch's start.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ferline.artifact import Artifact, staging, write_json
from ferline.errors import FerlineError

KEPT = 2  # a power cut can tear the newest one; its manifest then does not fit and the one before serves

Tensors = dict[str, torch.Tensor]


class Checkpoints:
    """`epoch-00007/` folders of one training; `folder` None keeps none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def save(
        self, epoch: int, network: Tensors, best: Tensors, optimiser: dict[str, Any], record: dict[str, Any]
    ) -> None:
        if self._folder is None:
            return
        target = self._folder / f"epoch-{epoch:05d}"
        if target.exists():  # an earlier try at this epoch that could not be read back
            shutil.rmtree(target)
        with staging(target) as folder:
            tensors, scalars = _flatten(optimiser)
            save_file(_plain(network), folder / "network.safetensors")
            save_file(_plain(best), folder / "best.safetensors")
            save_file(_plain(tensors), folder / "optimiser.safetensors")
            write_json(folder / "state.json", {"epoch": epoch, "optimiser": scalars, **record})
        for old in self._found()[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)

    def latest(self) -> dict[str, Any] | None:
        """The newest checkpoint whose bytes are what was written."""
        for folder in self._found():
            try:
                return _read(Artifact(folder).verify())
            except FerlineError:
                continue
        return None

    def clear(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _found(self) -> list[Path]:
        return sorted(self._folder.glob("epoch-*"), reverse=True) if self._folder else []


def _read(checkpoint: Artifact) -> dict[str, Any]:
    state = checkpoint.read_json("state.json")
    tensors = load_file(checkpoint.folder / "optimiser.safetensors")
    return {
        **state,
        "network": load_file(checkpoint.folder / "network.safetensors"),
        "best": load_file(checkpoint.folder / "best.safetensors"),
        "optimiser": _unflatten(tensors, state["optimiser"]),
    }


def _plain(tensors: Tensors) -> Tensors:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _flatten(state: dict[str, Any]) -> tuple[Tensors, dict[str, Any]]:
    """An optimiser's state as named tensors and the numbers that are none."""
    tensors = {
        f"{i}.{k}": v for i, slots in state["state"].items() for k, v in slots.items() if isinstance(v, torch.Tensor)
    }
    numbers = {
        str(i): {k: v for k, v in slots.items() if not isinstance(v, torch.Tensor)}
        for i, slots in state["state"].items()
    }
    return tensors, {"numbers": numbers, "groups": state["param_groups"]}


def _unflatten(tensors: Tensors, scalars: dict[str, Any]) -> dict[str, Any]:
    slots: dict[int, dict[str, Any]] = {int(i): dict(numbers) for i, numbers in scalars["numbers"].items()}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        slots.setdefault(int(index), {})[key] = tensor
    return {"state": slots, "param_groups": scalars["groups"]}
