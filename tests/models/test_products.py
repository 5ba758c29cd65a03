"""Convolutions as matrix products: the same numbers, and nothing else of a network changes."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from ferline.models.backbones import Trunk
from ferline.models.products import FEW, Product, with_products


def both(kernel: int, stride: int) -> tuple[nn.Conv2d, Product]:
    """A convolution in double precision, and the product that has the same weights."""
    torch.manual_seed(3)
    given = {"stride": stride, "padding": kernel // 2, "bias": False}
    plain, product = nn.Conv2d(24, 40, kernel, **given), Product(24, 40, kernel, **given)
    product.load_state_dict(plain.state_dict())
    return plain.double(), product.double()


def products(layer: nn.Module, images: torch.Tensor) -> list[str]:
    """The operations that do the arithmetic."""
    with torch.profiler.profile() as seen:
        layer(images)
    return [event.name for event in seen.events() if event.name in ("aten::linear", "aten::convolution")]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("count", "height", "width"), [(8, 2, 2), (8, 4, 4), (8, 3, 2), (8, 1, 1), (0, 2, 2)])
def test_values_and_gradients_are_those_of_the_convolution(kernel, stride, count, height, width):
    """Of no image, too: of several processes some have none of an epoch's last batch."""
    found = []
    for layer in both(kernel, stride):
        images = torch.randn(count, 24, height, width, generator=torch.Generator().manual_seed(1)).double()
        images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
        told = layer(images)
        told.square().sum().backward()
        found.append((told, images.grad, layer.weight.grad))
    for plain, product in zip(*found, strict=True):
        assert plain.shape == product.shape
        torch.testing.assert_close(product, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [1, 3])
def test_it_is_a_product_only_in_training_and_only_for_few_positions(kernel):
    _, layer = both(kernel, stride=1)
    few, many = torch.zeros(FEW // 4, 24, 2, 2).double(), torch.zeros(FEW // 4 + 1, 24, 2, 2).double()
    assert products(layer, few) == ["aten::linear"]
    assert products(layer, many) == ["aten::convolution"]
    assert products(layer.eval(), few) == ["aten::convolution"]


def test_a_larger_kernel_is_a_product_on_the_smallest_maps_only():
    """There laying out what each position sees costs less than it gains."""
    for stride, side in ((1, 2), (2, 4)):
        _, layer = both(3, stride)
        assert products(layer, torch.zeros(8, 24, side, side).double()) == ["aten::linear"]
        assert products(layer, torch.zeros(8, 24, side + 1, side + 1).double()) == ["aten::convolution"]


def test_its_weights_and_their_gradients_lie_channels_last():
    """As optimisers see them (`training/weights.py`): copied into another order they would cost half of an update."""
    layer = both(3, 1)[1].to(memory_format=torch.channels_last)
    layer(torch.randn(8, 24, 2, 2).double()).square().sum().backward()
    assert layer.weight.grad.stride() == layer.weight.stride()


def test_a_trunk_starts_from_the_weights_of_torchvision_and_its_own_random_numbers():
    torch.manual_seed(5)
    expected, following = resnet50(weights=None, zero_init_residual=True), torch.rand(3)
    torch.manual_seed(5)
    trunk = Trunk("resnet50", 3)
    assert torch.equal(torch.rand(3), following)
    state = expected.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in trunk.state_dict().items())
    layers = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    assert len(layers) == 1 + 36 + 16  # 7 x 7, 1 x 1 and 3 x 3
    assert [module for module in layers if not isinstance(module, Product)] == [trunk.conv1]


def test_any_other_convolution_stays_one():
    bias, groups = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1, groups=2, bias=False)
    larger, unpadded = nn.Conv2d(8, 8, 5, padding=2, bias=False), nn.Conv2d(8, 8, 3, bias=False)
    dilated = nn.Conv2d(8, 8, 3, padding=1, dilation=2, bias=False)
    mirrored = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect", bias=False)
    others = [bias, groups, larger, unpadded, dilated, mirrored]
    network = nn.Sequential(*others)
    with_products(network)
    assert list(network) == others


def test_a_resnet_trains_to_the_same_losses():
    """Against the same trunk with torch's own convolutions, on batches of which its last two stages are products."""
    curves = []
    for kind in (Product, nn.Conv2d):
        torch.manual_seed(0)
        trunk = Trunk("resnet50", 3)
        for module in trunk.modules():
            if isinstance(module, Product):
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
