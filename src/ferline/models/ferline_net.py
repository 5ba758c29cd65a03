"""Ferline's own entry: a small residual network for faces of 48 pixels, made to be fast on one CPU core.

No paper fixes anything here. What it is, and why:
- basic blocks (two 3 x 3 convolutions) with squeeze-and-excitation. Trained on two CPU cores, bottlenecks did 0.8 as
  much arithmetic a second, and inverted bottlenecks with depthwise convolutions less than half;
- one 5 x 5 convolution of stride 2 at the start: a convolution at 48 x 48 costs as much as a block of two at 24 x 24;
- shortcuts that halve the map average it first (He et al., Bag of Tricks, 2019); every block starts as the identity;
- nothing depends on the side of the input, so that training may begin with smaller faces (`training.grow_from`);
- two heads where `votes_head` is true: one tells the set's own label, the other the share of FER+'s taggers for each of
  eight emotions. They learn from the same images (`training.targets: both`), and an answer is of one or the other.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ferline.emotions import KNOWN
from ferline.models.backbones import pooled
from ferline.models.network import Network, require, require_dropout
from ferline.models.registry import register_model
from ferline.params import InputParams

GREY = (0.5, 0.25)  # mean and standard deviation of a face's pixels, nearly: 0.508 and 0.255 in FER2013


@register_model("ferline_net")
class FerlineNet(Network):
    """`width` is the first stage's, doubled in each next one; `blocks` are those of each stage, such as 1-2-2."""

    any_side: ClassVar = True

    def __init__(
        self,
        input: InputParams,
        weights: str,
        emotions: Sequence[str],
        *,
        width: int = 32,
        blocks: str = "1-2-2",
        dropout: float = 0.2,
        votes_head: bool = False,
    ) -> None:
        super().__init__(input, weights, emotions)
        require(width >= 8, "width", width, "a whole number of at least 8")
        depths = [int(number) if number.isdigit() else 0 for number in blocks.split("-")]
        require(min(depths) >= 1, "blocks", blocks, "the number of blocks of each stage, such as 1-2-2")
        require_dropout(dropout)
        self.normalisation = ((GREY[0],) * input.channels, (GREY[1],) * input.channels)
        self.stem = nn.Sequential(*_convolution(input.channels, width, 5, stride=2), nn.ReLU(inplace=True))
        widths = [width * 2**stage for stage in range(len(depths))]
        inputs = [width, *(w for w, depth in zip(widths, depths, strict=True) for _ in range(depth))]
        firsts = {sum(depths[:stage]) for stage in range(1, len(depths))}
        self.blocks = nn.Sequential(
            *(Block(*pair, stride=2 if i in firsts else 1) for i, pair in enumerate(pairwise(inputs)))
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], len(self.emotions))
        if votes_head:
            self.votes_head = nn.Linear(widths[-1], len(KNOWN))

    def features(self, x: Tensor) -> Tensor:
        return self.dropout(pooled(self.blocks(self.stem(x))))


class Block(nn.Module):
    """Two convolutions and a gate a channel, added to the way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_convolution(inputs, outputs, 3, stride), nn.ReLU(inplace=True), *_convolution(outputs, outputs, 3)
        )
        nn.init.zeros_(self.convolutions[-1].weight)  # type: ignore[arg-type]
        self.gate = Gate(outputs)
        halved = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
        changed = [*halved, *_convolution(inputs, outputs, 1)] if stride == 2 or inputs != outputs else []
        self.around = nn.Sequential(*changed)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.around(x) + self.gate(self.convolutions(x)))


class Gate(nn.Module):
    """Squeeze and excitation (Hu et al., 2018): each channel times what the whole map says of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, max(channels // 4, 8))
        self.excite = nn.Linear(max(channels // 4, 8), channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.excite(self.squeeze(pooled(x)).relu()).sigmoid()[:, :, None, None]


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Without a bias: the batch normalisation behind it has one."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
