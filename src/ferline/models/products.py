"""Convolutions that train as the matrix products that they are, where a CPU is better at those.

For every step, oneDNN packs a convolution's weights anew: once forward, twice backward. Beside a batch of few positions
that is most of the work. Forward and back, on 32 maps of 2 x 2: 2048 to 512 channels, 1 x 1, in bfloat16 take 7.3 ms,
and 2.7 as a product, whose weights are read as they lie; 512 to 512 channels, 3 x 3, in float32 with AVX2 240 and 58.
For a 3 x 3 kernel each position is laid out with its surroundings, which on maps of 3 x 3 and more costs what it gains.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

FEW = 512  # positions of a whole batch, that is images x height x width of what comes out
SMALL = 4  # positions of one map that comes out, for kernels that see more than one


class Product(nn.Conv2d):
    """Square, without groups, bias and dilation. In evaluation it is a convolution as any, and so it is exported."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.device.type == "cpu":
            kernel, stride, around = self.kernel_size[0], self.stride[0], self.padding[0]
            images, height, width = len(x), *((side + 2 * int(around) - kernel) // stride + 1 for side in x.shape[2:])
            if images * height * width <= FEW and (kernel == 1 or height * width <= SMALL):
                weights = self.weight.permute(0, 2, 3, 1).flatten(1)  # no copy: they lie channels-last
                rows = self._seen(x, height, width).reshape(-1, weights.shape[1])
                return F.linear(rows, weights).view(images, height, width, self.out_channels).permute(0, 3, 1, 2)
        return super().forward(x)

    def _seen(self, x: Tensor, height: int, width: int) -> Tensor:
        """[images, height, width, kernel x kernel x channels]: what each position sees."""
        kernel, stride, around = self.kernel_size[0], self.stride[0], int(self.padding[0])
        if kernel == 1:
            return x.permute(0, 2, 3, 1)[:, ::stride, ::stride]
        pixels = F.pad(x.permute(0, 2, 3, 1), (0, 0, around, around, around, around))
        down, right = (
            [slice(first, first + stride * (count - 1) + 1, stride) for first in range(kernel)]
            for count in (height, width)
        )
        return torch.cat([pixels[:, rows, columns] for rows in down for columns in right], 3)


def with_products(network: nn.Module) -> None:
    """Make its 1 x 1 and 3 x 3 convolutions such; names, weights and torch's random generator stay as they were."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d and _fits(child):
                made = Product(child.in_channels, child.out_channels, child.kernel_size[0], bias=False, device="meta")
                made.stride, made.padding = child.stride, child.padding
                made.weight = child.weight
                setattr(parent, name, made)


def _fits(layer: nn.Conv2d) -> bool:
    if layer.groups > 1 or layer.bias is not None or layer.padding_mode != "zeros":
        return False
    shape = layer.kernel_size, layer.padding, layer.dilation
    return len(set(layer.stride)) == 1 and shape in (((1, 1), (0, 0), (1, 1)), ((3, 3), (1, 1), (1, 1)))
