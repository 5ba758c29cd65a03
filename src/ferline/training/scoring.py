"""A network over a whole split, and the scores by which epochs are compared."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ferline.models.network import Network, to_input
from ferline.training import memory
from ferline.training.batches import Batches
from ferline.training.placement import Placement
from ferline.training.processes import Processes

AT_ONCE = {"cpu": 64, "cuda": 1024}  # faces, without gradients; a CPU's caches hold no more


def over(
    network: Network,
    function: Callable[[Tensor], Tensor],
    batches: Batches,
    placement: Placement | None = None,
    processes: Processes | None = None,
) -> Tensor:
    """`function` of every face of a split, in order: in a training's own numbers, or without a placement in float32,
    as a saved model answers; each process taking its share where some are given."""
    network.eval()
    processes = processes or Processes()
    own, device = processes.share(range(len(batches))), batches.labels.device
    size = AT_ONCE[device.type]
    while (rows := _tried(network, function, batches, own, size, placement)) is None:
        memory.release(device)
        size //= 2
    return processes.together(rows, len(batches))


@torch.inference_mode()
def _tried(
    network: Network,
    function: Callable[[Tensor], Tensor],
    batches: Batches,
    own: range,
    size: int,
    placement: Placement | None,
) -> Tensor | None:
    """The rows of one share, or None where so many faces at once are too many for the memory."""
    parts = [batches.labels.new_zeros(0, len(network.emotions), dtype=torch.float32)] if not own else []
    try:
        for images, _ in batches.drawn(np.arange(len(batches)), [own[i : i + size] for i in range(0, len(own), size)]):
            with placement.autocast() if placement else nullcontext():
                parts.append(function(to_input(images, *network.normalisation)).float())
    except (RuntimeError, MemoryError) as error:
        if size == 1 or not memory.ran_out(error):
            raise
        return None
    return torch.cat(parts)


def scores(logits: Tensor, labels: Tensor) -> dict[str, Any]:
    """Loss without smoothing or weights, accuracy and macro F1 of a whole split."""
    predicted = logits.argmax(1)
    return {
        "loss": functional.cross_entropy(logits, labels).item(),
        "accuracy": (predicted == labels).float().mean().item(),
        "macro_f1": _macro_f1(predicted, labels, logits.shape[1]),
    }


def _macro_f1(predicted: Tensor, labels: Tensor, classes: int) -> float:
    """scikit-learn's over the classes that are there; to import that would take every process of a job two seconds."""
    there, told = (torch.bincount(each, minlength=classes) for each in (labels, predicted))
    right = torch.bincount(labels[predicted == labels], minlength=classes)
    return (2 * right.double() / (there + told))[there > 0].mean().item()
