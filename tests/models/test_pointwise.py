"""1 x 1 convolutions as matrix products: the same numbers, and nothing else of a network changes."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from ferline.models.backbones import Trunk
from ferline.models.pointwise import FEW, Pointwise, with_products


def both(stride: int) -> tuple[nn.Conv2d, Pointwise]:
    """A convolution in double precision, and the product that has the same weights."""
    torch.manual_seed(3)
    plain = nn.Conv2d(24, 40, 1, stride, bias=False).double()
    product = Pointwise(24, 40, 1, stride, bias=False).double()
    product.load_state_dict(plain.state_dict())
    return plain, product


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("count", "height", "width"), [(8, 2, 2), (8, 3, 3), (8, 3, 2), (8, 1, 1), (0, 3, 3)])
def test_values_and_gradients_are_those_of_the_convolution(stride, count, height, width):
    """Of no image, too: of several processes some have none of an epoch's last batch."""
    found = []
    for layer in both(stride):
        images = torch.randn(count, 24, height, width, generator=torch.Generator().manual_seed(1)).double()
        images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
        told = layer(images)
        told.square().sum().backward()
        found.append((told, images.grad, layer.weight.grad))
    for plain, product in zip(*found, strict=True):
        assert plain.shape == product.shape
        torch.testing.assert_close(product, plain, rtol=1e-12, atol=1e-12)


def products(layer: nn.Module, images: torch.Tensor) -> list[str]:
    """The operations that do the arithmetic."""
    with torch.profiler.profile() as seen:
        layer(images)
    return [event.name for event in seen.events() if event.name in ("aten::linear", "aten::convolution")]


def test_it_is_a_product_only_in_training_and_only_for_few_positions():
    _, layer = both(stride=1)
    few, many = torch.zeros(FEW // 4, 24, 2, 2).double(), torch.zeros(FEW // 4 + 1, 24, 2, 2).double()
    assert products(layer, few) == ["aten::linear"]
    assert products(layer, many) == ["aten::convolution"]
    assert products(layer.eval(), few) == ["aten::convolution"]


def test_a_trunk_starts_from_the_weights_of_torchvision_and_its_own_random_numbers():
    torch.manual_seed(5)
    expected, following = resnet50(weights=None, zero_init_residual=True), torch.rand(3)
    torch.manual_seed(5)
    trunk = Trunk("resnet50", 3)
    assert torch.equal(torch.rand(3), following)
    state = expected.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in trunk.state_dict().items())
    ones = [module for module in trunk.modules() if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)]
    assert len(ones) == 36
    assert all(isinstance(module, Pointwise) for module in ones)


def test_a_bias_groups_and_larger_kernels_stay_convolutions():
    others = [nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1, groups=2, bias=False), nn.Conv2d(8, 8, 3, bias=False)]
    network = nn.Sequential(*others)
    with_products(network)
    assert list(network) == others


def test_a_resnet_trains_to_the_same_losses():
    """Against the same trunk with torch's own convolutions, on batches of which its last two stages are products."""
    curves = []
    for kind in (Pointwise, nn.Conv2d):
        torch.manual_seed(0)
        trunk = Trunk("resnet50", 3)
        for module in trunk.modules():
            if isinstance(module, Pointwise):
                module.__class__ = kind
        head = nn.Linear(2048, 7)
        optimiser = torch.optim.SGD([*trunk.parameters(), *head.parameters()], 0.01, 0.9)
        images, labels = torch.rand(16, 3, 48, 48), torch.arange(16) % 7
        losses = []
        for _ in range(6):
            loss = nn.functional.cross_entropy(head(trunk(images).mean((2, 3))), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        curves.append(losses)
    assert all(after < before for before, after in pairwise(curves[0]))
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)
