"""What a training minimises: cross-entropy of labels or of vote shares, summed, and what the sum is divided by.

Sum and divisor apart, so that a batch may be taken through the network in pieces and by several processes: the divisor
is the whole batch's, and the pieces' gradients add up to the whole's.
"""

import torch
from torch import Tensor
from torch.nn import functional


def summed(logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float, emotions: int) -> Tensor:
    """Of labels [N], or of shares [N, emotions] that sum to 1. Columns beyond the emotions are a second opinion: as
    people voted, told by a second head; they count as much as the first, and are neither weighed nor smoothed."""
    own = targets if targets.ndim == 1 else targets[:, :emotions]
    loss = functional.cross_entropy(logits[:, :emotions], own, weights, reduction="sum", label_smoothing=smoothing)
    if targets.ndim == 1 or targets.shape[1] == emotions:
        return loss
    return loss + functional.cross_entropy(logits[:, emotions:], targets[:, emotions:], reduction="sum")


def divisors(targets: Tensor, weights: Tensor | None, batch_size: int) -> Tensor:
    """Of each batch of an epoch its images, counted by their class's weight where classes have some."""
    counts = torch.ones(len(targets), device=targets.device) if weights is None else _weighed(targets, weights)
    return functional.pad(counts, (0, -len(counts) % batch_size)).view(-1, batch_size).sum(1)


def _weighed(targets: Tensor, weights: Tensor) -> Tensor:
    return weights[targets] if targets.ndim == 1 else targets[:, : len(weights)] @ weights


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Inverse to a class's share, 1 on average over the images; a class with no image has nothing to weigh."""
    counts = torch.bincount(labels, minlength=classes).float()
    present = counts > 0
    return torch.where(present, counts.sum() / (present.sum() * counts.clamp(min=1)), torch.zeros_like(counts))
