"""From pixels to what a network takes."""

import pytest
import torch

from ferline.models.network import IMAGENET_NORMALISATION, normalise, to_input
from ferline.models.registry import build
from ferline.params import InputParams


def test_pixels_become_zero_to_one_and_channels_come_first():
    images = torch.zeros(1, 2, 3, 3, dtype=torch.uint8)
    images[0, 1, 2] = torch.tensor([51, 102, 255])
    x = to_input(images, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert x.shape == (1, 3, 2, 3)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(x[0, :, 1, 2], torch.tensor([0.2, 0.4, 1.0]))
    assert x[0, :, 0].abs().max() == 0


def test_mean_and_deviation_are_each_channels_own():
    images = torch.full((1, 1, 1, 3), 255, dtype=torch.uint8)
    x = to_input(images, (0.5, 0.25, 0.0), (0.5, 0.25, 2.0))
    assert x.flatten().tolist() == [1.0, 3.0, 0.5]


def test_normalise_is_the_second_half_of_to_input():
    images = torch.randint(0, 256, (4, 8, 8, 3), dtype=torch.uint8)
    pixels = to_input(images, (0.0,) * 3, (1.0,) * 3)
    assert torch.equal(normalise(pixels, *IMAGENET_NORMALISATION), to_input(images, *IMAGENET_NORMALISATION))


@pytest.mark.parametrize(
    ("weights", "expected"), [("none", ((0.0,) * 3, (1.0,) * 3)), ("imagenet", IMAGENET_NORMALISATION)]
)
def test_imagenet_weights_bring_their_own_normalisation(weights, expected):
    with torch.device("meta"):
        assert build("resnet50_gru", InputParams(48, 3), weights, {}).normalisation == expected
