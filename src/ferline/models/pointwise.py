"""1 x 1 convolutions that train as the matrix products that they are, where a CPU is better at those.

For every step, oneDNN packs a convolution's weights anew: once forward, twice backward. Beside a batch of few positions
that is most of the work: 2048 to 512 channels on 32 maps of 2 x 2 took 7.3 ms in bfloat16, and 2.7 as a product, whose
weights are read as they lie; in float32 10.2 and 6.9. With 1,152 positions the two were even.
"""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

FEW = 512  # positions of a whole batch, that is images x height x width of what comes out


class Pointwise(nn.Conv2d):
    """Without padding, groups and bias. In evaluation it is a convolution as any, and so it is exported."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.device.type == "cpu":
            step_down, step_right = self.stride
            seen = x[:, :, ::step_down, ::step_right]
            images, channels, height, width = seen.shape
            if images * height * width <= FEW:
                rows = seen.permute(0, 2, 3, 1).reshape(-1, channels)
                products = F.linear(rows, self.weight.flatten(1))
                return products.view(images, height, width, self.out_channels).permute(0, 3, 1, 2)
        return super().forward(x)


def with_products(network: nn.Module) -> None:
    """Make its 1 x 1 convolutions such ones; names, weights and torch's random generator stay as they were."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d and child.kernel_size == (1, 1) and child.groups == 1 and child.bias is None:
                made = Pointwise(child.in_channels, child.out_channels, 1, bias=False, device="meta")
                made.stride = child.stride
                made.weight = child.weight
                setattr(parent, name, made)
