"""Emotion Detection from Facial Expressions (Alsagheer, Shah and Patel).

The paper fixes: ImageNet ResNet50, its first 40 layers frozen and the last 10 trained; global average pooling;
Dense(128) + ReLU, L2 0.01; dropout 0.5; Dense(7) softmax; 224 x 224 x 3.
We chose:
- its 50 layers are those that ResNet is named after: conv1, 3 in each of 16 blocks, and the classifier, which makes way
  for the new top. The first 40 are conv1, layer1, layer2 and layer3 exactly; layer4's 9 train;
- a frozen layer's batch norm is frozen with it, running statistics too, and a block's shortcut with its last layer;
- L2 acts on the Dense(128) kernel alone, as Keras' kernel_regularizer there does (`training.l2: 0.01`).
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from torch import Tensor, nn

from ferline.errors import FerlineError
from ferline.models.backbones import FEATURES, Trunk, pooled
from ferline.models.network import Network, require, require_dropout
from ferline.models.registry import register_model
from ferline.params import InputParams

DENSE_UNITS = 128


@register_model("resnet50_transfer")
class ResNet50Transfer(Network):
    """`frozen_layers` counts from the image, 0 to 49; `dropout` stands between the two dense layers."""

    pretrained: ClassVar = {"trunk": "resnet50"}

    def __init__(
        self,
        input: InputParams,
        weights: str,
        emotions: Sequence[str],
        *,
        frozen_layers: int = 40,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(input, weights, emotions)
        require(0 <= frozen_layers <= 49, "frozen_layers", frozen_layers, "a whole number from 0 to 49")
        require_dropout(dropout)
        if frozen_layers and weights == "none":
            raise FerlineError(
                f"options.frozen_layers: {frozen_layers} would freeze random layers for good, as weights is none; "
                f"write frozen_layers: 0, or weights: imagenet"
            )
        self.trunk = Trunk("resnet50", input.channels)
        self.dense = nn.Linear(FEATURES["resnet50"], DENSE_UNITS)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(DENSE_UNITS, len(self.emotions)))
        self._frozen = [module for layer in list(layers(self.trunk))[:frozen_layers] for module in layer]
        for module in self._frozen:
            module.requires_grad_(False)

    def features(self, x: Tensor) -> Tensor:
        return self.dense(pooled(self.trunk(x))).relu()

    def regularised(self) -> Iterator[nn.Parameter]:
        yield next(self.dense.parameters())

    def train(self, mode: bool = True) -> Self:
        """As ever, but frozen batch norms keep to their running statistics."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self


def layers(trunk: Trunk) -> Iterator[list[nn.Module]]:
    """ResNet50's 49 layers below the classifier in order: each a convolution with what belongs to it."""
    from torchvision.models.resnet import Bottleneck

    yield [trunk.conv1, trunk.bn1]
    for module in trunk.modules():
        if isinstance(module, Bottleneck):
            yield [module.conv1, module.bn1]
            yield [module.conv2, module.bn2]
            yield [module.conv3, module.bn3] + ([module.downsample] if module.downsample is not None else [])
