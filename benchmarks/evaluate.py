"""Minutes that `evaluate` takes with everything on, for the quick profile's five architectures, and what takes them.

    python benchmarks/evaluate.py --json evaluate.json

The set is made, of FER2013's size: 3,589 validation and 3,589 test faces of 48 pixels; the weights are random, which
changes no time. The reference is what an evaluation cannot do without, the network's answers to both splits: each part
is given as a share of it, measured in the same run by timing the functions that `evaluate` calls. Time inside a part
that belongs to another one is counted once, for the inner one. Seconds are the clock's; the processors' beside them say
what a machine without other work would need.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import torch

import ferline.models  # noqa: F401 - registers the networks
from ferline.artifact import staging, write_json
from ferline.emotions import EMOTIONS
from ferline.evaluation import (
    evaluate,
    latency,
    occlusion,
    pictures,
    predictions,
    robustness,
    slices,
)
from ferline.faces.faceset import TABLE_COLUMNS, FaceSet, ImageWriter
from ferline.models.registry import create
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, InputParams, Params, load

ROOT = Path(__file__).resolve().parents[1]
BAR = 300  # seconds for all five on two cores
REFERENCE = "answers"
# Each as the module that `evaluate` reaches it through.
PARTS: dict[str, list[tuple[ModuleType, str]]] = {
    REFERENCE: [(predictions, "logits")],
    "scores and intervals": [(evaluate, "scores_of"), (evaluate, "calibration_of")],
    "slices": [(slices, "columns"), (slices, "slices_of")],
    "robustness": [(robustness, "probe"), (robustness, "summary")],
    "occlusion maps": [(occlusion, "maps_on_device")],
    "latency": [(latency, "measure")],
    "pictures": [(pictures, "draw"), (pictures, "draw_examples"), (evaluate, "_draw_occlusion")],
    "loading": [(TrainedModel, "network")],  # type: ignore[list-item]
}


class Clock:
    """Seconds by part; while an inner part runs, the outer one's stand still."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._charge()
        self._running.append(name)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        return call

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


@contextmanager
def watched(clock: Clock) -> Iterator[None]:
    """Every function of PARTS with the clock around it, for as long as this lasts."""
    found = [(owner, name, getattr(owner, name), part) for part, all_ in PARTS.items() for owner, name in all_]
    for owner, name, function, part in found:
        setattr(owner, name, clock.timed(part, function))
    try:
        yield
    finally:
        for owner, name, function, _ in found:
            setattr(owner, name, function)


def made_faces(folder: Path, input: InputParams, per_split: int, subjects: int) -> FaceSet:
    """Blurred noise, sealed; `subjects` 0: nobody is known by name, as in FER2013."""
    random = np.random.default_rng(0)
    count = 2 * per_split
    coarse = random.integers(0, 256, (count, 6, 6, input.channels), dtype=np.uint8)
    places = np.arange(input.side) * 6 // input.side
    table = pd.DataFrame({column: [None] * count for column in TABLE_COLUMNS})
    table["id"] = [f"face-{number:05}" for number in range(count)]
    table["label"] = random.integers(0, len(EMOTIONS), count)
    table["split"] = np.where(np.arange(count) < per_split, "validation", "test")
    table["box"] = [[0, 0, side, side] for side in random.integers(40, 400, count).tolist()]
    if subjects:
        table["subject"] = [f"person-{number}" for number in random.integers(0, subjects, count)]
    with staging(folder) as unsealed:
        with ImageWriter(unsealed, count, input.side, input.channels) as writer:
            writer.append(coarse[:, places][:, :, places])
        table.to_parquet(unsealed / "faces.parquet", index=False)
        write_json(unsealed / "origin.json", {"dataset": {"protocol": "official"}, "shareable": True})
    return FaceSet(folder)


def made_model(folder: Path, name: str, architecture: ArchitectureParams) -> TrainedModel:
    """Random weights, the card and the history of a training."""
    torch.manual_seed(0)
    network = create(architecture.model, architecture.input, architecture.weights, architecture.options)
    if network.needs_head_fit:
        random = np.random.default_rng(0)
        features = random.normal(size=(700, network.head.in_features))  # type: ignore[call-overload]
        network.fit_head(features, np.arange(700) % len(EMOTIONS), 0)
    card = {
        "architecture": name,
        "preprocessing": {},
        "data_digest": "d" * 64,
        "augmentation_digest": "a" * 64,
        "dataset": {"protocol": "official"},
        "training": {"epochs": 7},
        "seed": 0,
        "best_epoch": 7,
        "temperature": 1.3,
    }
    curves = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    history = [{"epoch": epoch} | dict.fromkeys(curves, 1 / epoch) for epoch in range(1, 8)]
    return TrainedModel.write(network, card, history, folder)


def measure(params: Params, folder: Path, names: list[str], per_split: int, subjects: int) -> list[dict[str, Any]]:
    sets: dict[InputParams, FaceSet] = {}
    results = []
    for name in names:
        architecture = params.architectures[name]
        if (wanted := architecture.input) not in sets:
            sets[wanted] = made_faces(folder / f"faces-{len(sets)}", wanted, per_split, subjects)
        model, clock = made_model(folder / name, name, architecture), Clock()
        before = time.process_time()
        with watched(clock), clock.part("everything else"):
            evaluate.evaluate(model, sets[wanted], folder / f"evaluation-{name}", "cpu", params.evaluation)
        worked, seconds = time.process_time() - before, dict(clock.seconds)
        results.append(
            {"architecture": name, "seconds": sum(seconds.values()), "processor_seconds": worked, "parts": seconds}
        )
        print(told(results[-1]), flush=True)
    return results


def told(result: dict[str, Any]) -> str:
    reference = result["parts"][REFERENCE]
    parts = sorted(result["parts"].items(), key=lambda part: -part[1])
    shares = ", ".join(f"{name} {seconds / reference:.2f}" for name, seconds in parts if name != REFERENCE)
    seconds = f"{result['seconds']:6.1f} s ({result['processor_seconds']:.1f} s of processors)"
    return f"{result['architecture']:18} {seconds}; {REFERENCE} {reference:.1f} s, x {shares}"


def together(results: list[dict[str, Any]]) -> dict[str, Any]:
    parts: dict[str, float] = defaultdict(float)
    for result in results:
        for name, seconds in result["parts"].items():
            parts[name] += seconds
    sums = {key: sum(result[key] for result in results) for key in ("seconds", "processor_seconds")}
    return {"architecture": "all", **sums, "parts": dict(parts)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=3589, help="of each split")
    parser.add_argument("--subjects", type=int, default=0, help="how many people they are; 0: not known")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="some of the architectures")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    params = load(ROOT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        results = measure(params, Path(folder), given.only or list(params.architectures), given.faces, given.subjects)
    total = together(results)
    print(told(total))
    print(f"{total['seconds'] / BAR:.2f} of the {BAR // 60} minutes that five models may take")
    if given.json:
        setting = {"faces": given.faces, "subjects": given.subjects, "threads": given.threads, "cpus": os.cpu_count()}
        versions = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()}
        content = {"setting": setting, "versions": versions, "results": [*results, total]}
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
