"""Checkpoints: the whole state of a training, within an epoch or between two, as a sealed folder of numbers."""

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ferline.artifact import Artifact, staging, write_json
from ferline.errors import FerlineError

FORMAT = 2  # of state.json and what lies beside it

Tensors = dict[str, torch.Tensor]


class Checkpoints:
    """`epoch-00007-step-000120/` folders of one training, each with the best weights so far; `folder` None: none.

    Two are kept: should the newest be damaged on its disk, its manifest does not fit, and the one before serves.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._last: Path | None = None  # the newest that is known to be whole

    def save(self, state: dict[str, Any], best: Tensors, random: list[Tensors], numbers: dict[str, Any]) -> None:
        """`state` is the engine's, `random` every process's generators, `numbers` the progress's."""
        if self.folder is None:
            return
        target = self.folder / f"epoch-{len(numbers['history']):05d}-step-{numbers['step']:06d}"
        if target == self._last:
            return
        for left in self.folder.glob(".epoch-*"):  # by a process that was killed over it
            shutil.rmtree(left, ignore_errors=True)
        with staging(target) as folder:
            tensors, scalars = _flatten(state["optimiser"])
            save_file(_plain(state["network"]), folder / "network.safetensors")
            save_file(_plain(state["average"]), folder / "average.safetensors")
            save_file(_plain(tensors), folder / "optimiser.safetensors")
            for rank, generators in enumerate(random):
                save_file(_plain(generators), folder / f"random-{rank}.safetensors")
            # From memory each time: a link to the last checkpoint's would be damaged with it, and sealed as if whole.
            save_file(_plain(best), folder / "best.safetensors")
            own = {"format": FORMAT, "optimiser": scalars, "scaler": state["scaler"], "at_once": state["at_once"]}
            write_json(folder / "state.json", own | numbers)
        for old in self._found():
            if old not in (target, self._last):
                shutil.rmtree(old, ignore_errors=True)
        self._last = target

    def latest(self) -> dict[str, Any] | None:
        """The newest checkpoint whose bytes are what was written."""
        for folder in self._found():
            try:
                state = _read(Artifact(folder).verify())
                self._last = folder
                return state
            except FerlineError as error:
                print(f"{error}. Going on without this checkpoint", file=sys.stderr)
        return None

    @property
    def last(self) -> str | None:
        """The name of the newest that is known to be whole."""
        return self._last.name if self._last else None

    def clear(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _found(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*"), reverse=True) if self.folder else []


def _read(checkpoint: Artifact) -> dict[str, Any]:
    state = checkpoint.read_json("state.json")
    if state.get("format") != FORMAT:
        raise FerlineError(f"{checkpoint.folder}: another version's checkpoint")
    tensors = {path.stem: load_file(path) for path in checkpoint.folder.glob("*.safetensors")}
    random = {name: tensors.pop(name) for name in sorted(tensors) if name.startswith("random-")}
    state["optimiser"] = _unflatten(tensors.pop("optimiser"), state["optimiser"])
    return {**state, **tensors, "random": [random[f"random-{rank}"] for rank in range(len(random))]}


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
