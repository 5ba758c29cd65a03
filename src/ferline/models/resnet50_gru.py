"""ResNet50 and GRU: A Synergistic Model for Accurate Facial Emotion Recognition (Shanimol and Charles).

The paper fixes: ImageNet ResNet50 without its top; global average pooling, Dense + ReLU; beside it GRU(128),
Dense(256) + ReLU; the two concatenated, Dense(7) softmax; 224 x 224 x 3.
We chose:
- the map is the GRU's sequence, read row by row: 7 x 7 = 49 steps at 224, 2 x 2 = 4 steps at 48;
- the GRU's last state goes on: a Dense layer of 256 follows it in the paper, and takes one vector;
- Dense(256) for the pooled branch, which the paper leaves open, as wide as its twin;
- every layer trains: the paper says "pre-trained" and never "frozen".
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ferline.models.backbones import FEATURES, Trunk, pooled
from ferline.models.network import Network, read_through, require
from ferline.models.registry import register_model
from ferline.params import InputParams

GRU_DENSE_UNITS = 256


@register_model("resnet50_gru")
class ResNet50Gru(Network):
    """`gru_units` is the paper's 128; `dense_units` is the width of the pooled branch."""

    pretrained: ClassVar = {"trunk": "resnet50"}

    def __init__(
        self, input: InputParams, weights: str, emotions: Sequence[str], *, gru_units: int = 128, dense_units: int = 256
    ) -> None:
        super().__init__(input, weights, emotions)
        require(gru_units >= 1, "gru_units", gru_units, "a whole number of at least 1")
        require(dense_units >= 1, "dense_units", dense_units, "a whole number of at least 1")
        self.trunk = Trunk("resnet50", input.channels)
        self.dense = nn.Linear(FEATURES["resnet50"], dense_units)
        self.gru = nn.GRU(FEATURES["resnet50"], gru_units, batch_first=True)
        self.gru_dense = nn.Linear(gru_units, GRU_DENSE_UNITS)
        self.head = nn.Linear(dense_units + GRU_DENSE_UNITS, len(self.emotions))

    def features(self, x: Tensor) -> Tensor:
        feature_map = self.trunk(x)
        appearance = self.dense(pooled(feature_map)).relu()
        order = self.gru_dense(read_through(self.gru, self.sequence(feature_map))).relu()
        return torch.cat([appearance, order], dim=1)

    @staticmethod
    def sequence(feature_map: Tensor) -> Tensor:
        """[N,F,h,w] to [N,h*w,F], row by row."""
        return feature_map.flatten(2).transpose(1, 2)
