"""What every architecture is: a batch of normalised faces in, one score an emotion out."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.params import InputParams

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]

# Of the pixels in [0, 1] that torchvision's published weights were trained on.
IMAGENET_NORMALISATION: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Network(nn.Module):
    """Base of the registered models. A subclass sets `head` and says what its `features` are.

    `normalisation` is the mean and standard deviation of each channel that the caller takes from pixels in [0, 1]. All
    five papers feed [0, 1] itself, so it changes nothing, except that ImageNet's weights need ImageNet's own.
    """

    pretrained: ClassVar[
        dict[str, str]
    ] = {}  # the attributes that have ImageNet weights, and torchvision's name of each
    needs_head_fit: ClassVar[bool] = False  # True: after training, `fit_head` on the training split finishes the model

    any_side: ClassVar[bool] = False  # True: faces smaller than `input.side` go through it too, as `grow_from` asks

    head: nn.Module
    votes_head: nn.Module | None  # tells what share of people would say what; the other head tells the set's own label
    tells_both: bool = False  # in training, `forward` gives the logits of both heads side by side
    model: str  # the name in the registry; set there, as the options are
    options: dict[str, bool | int | float | str]

    def __init__(self, input: InputParams, weights: str, emotions: Sequence[str] = EMOTIONS) -> None:
        super().__init__()
        self.input = input
        self.weights = weights
        self.emotions = tuple(emotions)
        self.votes_head = None
        self.normalisation: Normalisation = ((0.0,) * input.channels, (1.0,) * input.channels)
        if weights == "imagenet":
            self._require_imagenet()
            self.normalisation = IMAGENET_NORMALISATION

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, emotions] of a normalised float batch [N,C,S,S]."""
        features = self.features(x)
        if self.training and self.tells_both and self.votes_head:
            return torch.cat([self.classify(features), self.votes_head(features)], dim=1)
        return self.classify(features)

    def as_voted(self, x: Tensor) -> Tensor:
        """Logits [N, KNOWN] of what people would say; only of a network with a head for it."""
        assert self.votes_head is not None
        return self.votes_head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """What the head classifies, one row an image."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """The logits that follow from `features`."""
        return self.head(features)

    def regularised(self) -> Iterator[nn.Parameter]:
        """The weights that the L2 penalty acts on: matrices and kernels that train, never a bias or a norm."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.RNNBase):
                for name, parameter in module.named_parameters(recurse=False):
                    if name.startswith("weight") and parameter.requires_grad:
                        yield parameter

    def fit_head(self, features: np.ndarray, labels: np.ndarray, seed: int) -> None:
        """The second stage of a model with `needs_head_fit`, on the training split's features; others have none."""

    def _require_imagenet(self) -> None:
        if not self.pretrained:
            raise FerlineError("weights: imagenet has no counterpart for this model; write none")
        if self.input.channels != 3:
            raise FerlineError("input.channels: 1 is not allowed with weights: imagenet; write 3, or weights: none")


def read_through(recurrent: nn.LSTM | nn.GRU, steps: Tensor) -> Tensor:
    """[N,T,F] to the last state [N,U]. In float32 on a GPU: autocast has cuDNN compute these two in float16, whatever
    it was asked for, and nothing would scale the gradients."""
    if not steps.is_cuda:
        _, last = recurrent(steps)
    else:
        with torch.autocast("cuda", enabled=False):
            _, last = recurrent(steps.float())
    return last[0][0] if isinstance(recurrent, nn.LSTM) else last[0]


def require(ok: bool, option: str, value: object, allowed: str) -> None:
    """Refuse an option's value that a constructor cannot use."""
    if not ok:
        raise FerlineError(f"options.{option}: {value!r} is not allowed; write {allowed}")


def require_dropout(value: float) -> None:
    require(0 <= value < 1, "dropout", value, "a share from 0 to below 1")


def to_input(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """uint8[N,H,W,C] to the float[N,C,H,W] that a network takes; training and prediction both come through here."""
    # Channels last, as networks are placed: twice as fast for the small ones on a CPU, and what tensor cores take.
    pixels = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
    return normalise(pixels.div_(255), mean, std)


def normalise(pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Pixels in [0, 1], [N,C,H,W], on a network's own scale."""
    if not any(mean) and all(s == 1 for s in std):
        return pixels
    return (pixels - pixels.new_tensor(mean).view(-1, 1, 1)) / pixels.new_tensor(std).view(-1, 1, 1)
