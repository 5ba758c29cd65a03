"""Two trainings of what should be one model: equal bit for bit, or where they differ and by how much."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferline.models.predecessors import name_of
from ferline.models.trained import CARD, WEIGHTS, TrainedModel

# Measurements of the machine, and of the time it took: they differ between two runs of one and the same thing.
MEASURED = ("latency_ms", "system/")
# What the card of a seed that is trained alone says otherwise: nothing of the other seeds, and the digest of another
# contact sheet, which is drawn with the first seed. What was done to the images is on the card by itself.
ALONE = ("member_seed", "augmentation_digest")


@dataclass(frozen=True)
class Difference:
    """What `ferline reproduce` found. `files`: those of the model whose content differs."""

    original: str
    again: str
    files: tuple[str, ...]
    card: dict[str, tuple[Any, Any]]
    weights: dict[str, float]  # tensor to the largest absolute difference, of those that differ
    metrics: dict[str, tuple[float, float]]

    @property
    def equal(self) -> bool:
        return not self.files

    def text(self) -> str:
        if self.equal:
            but = f" (but for {' and '.join(ALONE)} on its card: it was trained alone)"
            alone = "" if self.original == self.again else but
            return f"Reproduced: the model is the same bit for bit, {self.original}{alone}"
        lines = [f"Not the same: {', '.join(self.files)} differ", f"  was {self.original}", f"  is  {self.again}"]
        lines += [f"  card: {key} was {was!r}, is {now!r}" for key, (was, now) in self.card.items()]
        if self.weights:
            name, worst = max(self.weights.items(), key=lambda each: each[1])
            lines.append(f"  weights: {len(self.weights)} tensors differ, by at most {worst:.3g} ({name})")
        if self.metrics:
            lines += ["", f"  {'metric':34} {'was':>12} {'is':>12} {'difference':>12}"]
            told = (
                f"  {key:34} {was:12.6g} {now:12.6g} {now - was:+12.3g}" for key, (was, now) in self.metrics.items()
            )
            lines += told
        elif self.files:
            lines.append("  no metric differs")
        return "\n".join(lines)


def difference(
    story: dict[str, Any],
    original: TrainedModel,
    again: TrainedModel,
    was: dict[str, float],
    now: dict[str, float],
) -> Difference:
    """`was` and `now`: the metrics of the two rows."""
    alone = story["member_seed"] is not None
    card = _card_difference(original, again, alone)
    files = [name for name in sorted(original.manifest.keys() | again.manifest.keys()) if name != CARD]
    differing = [name for name in files if original.manifest.get(name) != again.manifest.get(name)]
    if card:
        differing.insert(0, CARD)
    weights = _weight_difference(original.folder / WEIGHTS, again.folder / WEIGHTS) if WEIGHTS in differing else {}
    metrics = {
        key: (was[key], now[key])
        for key in sorted(was.keys() & now.keys())
        if was[key] != now[key] and not key.startswith(MEASURED)
    }
    return Difference(original.digest, again.digest, tuple(differing), card, weights, metrics)


def _card_difference(original: TrainedModel, again: TrainedModel, alone: bool) -> dict[str, tuple[Any, Any]]:
    """Key by key; what stands in the digests of the weights and the history is not repeated."""
    first, second = ({**model.card, "weights": name_of(model.card["weights"])} for model in (original, again))
    keys = sorted((first.keys() | second.keys()) - (set(ALONE) if alone else set()))
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}


def _weight_difference(original: Path, again: Path) -> dict[str, float]:
    from safetensors.numpy import load_file

    first, second = load_file(original), load_file(again)
    found = {}
    for name in sorted(first.keys() | second.keys()):
        if name not in first or name not in second or first[name].shape != second[name].shape:
            found[name] = float("inf")
        elif not np.array_equal(first[name], second[name], equal_nan=True):
            found[name] = float(np.abs(first[name].astype(np.float64) - second[name].astype(np.float64)).max())
    return found
