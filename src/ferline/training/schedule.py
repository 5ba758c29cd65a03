"""Optimisers and learning rates. The rate is a function of the epoch and of what came before it, so a resumed run
needs no scheduler state: it reads its own history."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from ferline.params import TrainingParams


def optimiser(
    weights: Iterable[torch.nn.Parameter], params: TrainingParams, scaled: bool = False
) -> torch.optim.Optimizer:
    """`scaled`: its gradients are those of a scaled loss, and a step whose gradients are no numbers is left out."""
    trained = [weight for weight in weights if weight.requires_grad]
    rate, decay = params.learning_rate, params.weight_decay
    match params.optimiser:
        # fused: one kernel over all parameters instead of several passes; 25 M weights make that visible on a CPU too
        case "adam":
            return torch.optim.Adam(trained, lr=rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(trained, lr=rate, weight_decay=decay, fused=True)
        case "sgd":
            # Fused SGD that leaves out its first step keeps a momentum that nobody ever wrote.
            fused = not scaled
            return torch.optim.SGD(trained, lr=rate, momentum=params.momentum, weight_decay=decay, fused=fused)
        case "rmsprop":
            return torch.optim.RMSprop(trained, lr=rate, momentum=params.momentum, weight_decay=decay)


def sides(params: TrainingParams, side: int) -> tuple[int, ...]:
    """The sides of the faces that a training sees, in turn: small ones first where it grows, `side` at last."""
    return (params.grow_from, side) if params.grow_from else (side,)


def side(params: TrainingParams, sides: Sequence[int], epoch: int) -> int:
    """The one of epoch `epoch` (from 0)."""
    return sides[0] if epoch < grown(params) else sides[-1]


def grown(params: TrainingParams) -> int:
    """The first epoch (from 0) of faces of the network's own side."""
    return math.ceil(params.grow_for * params.epochs) if params.grow_from else 0


def learning_rate(params: TrainingParams, epoch: int, history: list[dict[str, Any]]) -> float:
    """The rate of epoch `epoch` (from 0) after the epochs in `history`."""
    if epoch < params.warmup_epochs:
        return params.learning_rate * (epoch + 1) / (params.warmup_epochs + 1)
    match params.schedule:
        case "constant":
            return params.learning_rate
        case "step":
            return params.learning_rate * params.schedule_factor ** (epoch // params.schedule_step)
        case "cosine":
            done = (epoch - params.warmup_epochs) / max(params.epochs - params.warmup_epochs, 1)
            return params.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        case "plateau":
            drops = _plateaus([record["validation_loss"] for record in history], params.schedule_patience)
            return params.learning_rate * params.schedule_factor**drops


def _plateaus(losses: list[float], patience: int) -> int:
    """How often the loss has gone more than `patience` epochs without a new low (to 1e-4 of it, as torch counts)."""
    best, waited, drops = math.inf, 0, 0
    for loss in losses:
        if loss < best * (1 - 1e-4):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience:
            drops, waited = drops + 1, 0
    return drops
