"""Trained models whose answers a network learns from, beside what its set says (Hinton et al., 2015).

A teacher sees the very images that the network sees, moved and covered as they are (Beyer et al., 2022), at its own
side. Of several, the mean is taught: a network small enough to ship learns what many large ones agree on.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ferline.errors import FerlineError
from ferline.models.named import named
from ferline.models.network import Network
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, TrainingParams

KEY = "training.teachers"


def teachers_of(training: TrainingParams) -> tuple[TrainedModel, ...]:
    return tuple(named(name, KEY) for name in training.teachers)


class Teachers:
    def __init__(
        self, models: Sequence[TrainedModel], pupil: Network, device: torch.device, both: bool = False
    ) -> None:
        """`both`: they tell votes beside labels, as the pupil's two heads learn them."""
        self._teachers = [_Teacher(model, pupil, device, both) for model in models]
        self._mean, self._std = _normalisation(pupil, device)

    @torch.no_grad()
    def shares(self, inputs: Tensor) -> Tensor:
        """What they hold of the pupil's inputs: float32[N, emotions], beside it [N, KNOWN] where votes are told."""
        pixels = inputs * self._std + self._mean
        return torch.stack([teacher(pixels) for teacher in self._teachers]).mean(0)


class _Teacher:
    """One model's calibrated answers for pixels in [0, 1] of any side, in the pupil's emotions."""

    def __init__(self, model: TrainedModel, pupil: Network, device: torch.device, both: bool) -> None:
        network = model.network(device).to(memory_format=torch.channels_last).requires_grad_(False)
        self._network, self._side = network, network.input.side
        self._chosen = torch.tensor([network.emotions.index(emotion) for emotion in pupil.emotions], device=device)
        self._temperature = model.temperature
        self._mean, self._std = _normalisation(network, device)
        self._votes = model.voted().temperature if both else None

    def __call__(self, pixels: Tensor) -> Tensor:
        if pixels.shape[-1] != self._side:
            size = (self._side, self._side)
            shrinks = pixels.shape[-1] > self._side
            pixels = nn.functional.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=shrinks)
        features = self._network.features((pixels - self._mean) / self._std)
        logits = self._network.classify(features).float()[:, self._chosen]
        shares = (logits / self._temperature).softmax(1)
        if self._votes is None:
            return shares
        assert self._network.votes_head is not None
        votes = (self._network.votes_head(features).float() / self._votes).softmax(1)
        return torch.cat([shares, votes], dim=1)


def _normalisation(network: Network, device: torch.device) -> tuple[Tensor, Tensor]:
    """On the device once: made anew from numbers in every step, each would wait for the host."""
    mean, std = (torch.tensor(each, device=device).view(-1, 1, 1) for each in network.normalisation)
    return mean, std


def require_able(architecture: ArchitectureParams, emotions: Sequence[str]) -> None:
    """That each teacher knows what is to be learnt, by its card alone."""
    for teacher in teachers_of(architecture.training):
        if unknown := [emotion for emotion in emotions if emotion not in teacher.emotions]:
            raise FerlineError(f"{KEY}: {teacher.folder} cannot tell {', '.join(unknown)}; leave that out of "
                               "dataset.emotions, or name a teacher that can")  # fmt: skip
        if architecture.training.targets == "both" and not teacher.tells_votes:
            raise FerlineError(f"{KEY}: {teacher.folder} has no head for votes; write training.targets: label, or name "
                               "a teacher that was trained with targets: both")  # fmt: skip
        if (channels := teacher.card["input"]["channels"]) != architecture.input.channels:
            raise FerlineError(f"{KEY}: {teacher.folder} takes {channels} channels; write input.channels: {channels}")
