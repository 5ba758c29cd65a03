"""Performance Facial Expression Recognition Using Hybrid of ResNet50 and ResNet34 (Sharma and Tiwari).

The paper fixes: both networks from ImageNet, fine-tuned together; softmax over seven emotions; 224 x 224 x 3. Its three
optimisers are three runs of this one model.
We chose:
- "hybrid" is the concatenation of the two pooled vectors, 2048 + 512, which the paper draws and never writes down;
- one Dense(7) upon it, without a hidden layer or dropout: the paper names neither.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ferline.models.backbones import FEATURES, Trunk, pooled
from ferline.models.network import Network
from ferline.models.registry import register_model
from ferline.params import InputParams


@register_model("resnet50_resnet34")
class ResNet50ResNet34(Network):
    pretrained: ClassVar = {"resnet50": "resnet50", "resnet34": "resnet34"}

    def __init__(self, input: InputParams, weights: str, emotions: Sequence[str]) -> None:
        super().__init__(input, weights, emotions)
        self.resnet50 = Trunk("resnet50", input.channels)
        self.resnet34 = Trunk("resnet34", input.channels)
        self.head = nn.Linear(FEATURES["resnet50"] + FEATURES["resnet34"], len(self.emotions))

    def features(self, x: Tensor) -> Tensor:
        return torch.cat([pooled(self.resnet50(x)), pooled(self.resnet34(x))], dim=1)
