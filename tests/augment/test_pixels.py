"""Normalisation, light and erasing, with torchvision as the reference where it has one."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as torchvision

from ferline.augment import pixels
from ferline.augment.batch import to_float
from ferline.params import AugmentationParams


def factors(brightness: float, contrast: float) -> torch.Tensor:
    return torch.tensor([[brightness, contrast]]).expand(12, 2)


@pytest.mark.parametrize("brightness", [0.5, 0.8, 1.3, 1.9])
def test_brightness_is_torchvisions(batch: torch.Tensor, brightness: float) -> None:
    ours = pixels.light(to_float(batch), factors(brightness, 1))
    theirs = torchvision.adjust_brightness(to_float(batch), brightness)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("contrast", [0.2, 0.8, 1.3, 1.9])
def test_contrast_is_torchvisions(batch: torch.Tensor, contrast: float) -> None:
    ours = pixels.light(to_float(batch), factors(1, contrast))
    theirs = torchvision.adjust_contrast(to_float(batch), contrast)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)  # theirs rounds the grey weights to four digits


def test_brightness_comes_before_contrast(batch: torch.Tensor) -> None:
    ours = pixels.light(to_float(batch), factors(0.7, 0.8))
    theirs = torchvision.adjust_contrast(torchvision.adjust_brightness(to_float(batch), 0.7), 0.8)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)


def test_light_factors_stay_within_their_ranges() -> None:
    uniform = np.random.default_rng(0).random((4000, 2))
    drawn = pixels.lights(AugmentationParams(brightness=0.2, contrast=0.4), uniform)
    np.testing.assert_allclose(drawn.min(0), [0.8, 0.6], atol=0.01)
    np.testing.assert_allclose(drawn.max(0), [1.2, 1.4], atol=0.01)


def test_noise_has_the_drawn_deviation_no_mean_and_is_the_same_in_every_channel() -> None:
    drawn = pixels.grains(AugmentationParams(noise=0.2), np.random.default_rng(0).random((400, 3)))
    np.testing.assert_allclose([drawn[:, 0].min(), drawn[:, 0].max()], [0, 0.2], atol=0.002)
    grey = torch.full((400, 3, 48, 48), 0.5)
    noisy = pixels.grain(grey.clone(), torch.from_numpy(drawn).float(), pixels.grain_field())
    few = noisy[drawn[:, 0] < 0.1]  # of which nothing is cut off at black and white
    np.testing.assert_allclose(few.std(dim=(1, 2, 3)), drawn[drawn[:, 0] < 0.1, 0], rtol=0.06)
    assert (noisy - 0.5).mean().abs() < 1e-3
    assert torch.equal(noisy[:, 0], noisy[:, 2])
    assert (noisy.min(), noisy.max()) == (0, 1)


def test_no_two_images_have_the_same_grain_and_the_field_goes_on_at_its_edge() -> None:
    size = pixels.GRAIN
    drawn = torch.tensor([[0.1, 0, 0], [0.1, size - 1, 0], [0.1, 0, size - 10], [0.1, size - 1, size - 1]])
    field = pixels.grain_field()
    noise = pixels.grain(torch.full((4, 1, 48, 48), 0.5), drawn, field)[:, 0] - 0.5
    torch.testing.assert_close(noise[0], 0.1 * field[:48, :48], atol=1e-6, rtol=0)
    torch.testing.assert_close(noise[1][1:], noise[0][:-1], atol=1e-6, rtol=0)
    torch.testing.assert_close(noise[2][:, 10:], noise[0][:, :-10], atol=1e-6, rtol=0)
    assert len(torch.unique(noise.flatten(1), dim=0)) == 4
    assert noise.abs().max() < 0.5


def test_grey_faces_become_colour_by_each_channels_own_mean() -> None:
    grey = torch.full((2, 1, 4, 4), 0.2)
    out = pixels.normalise(grey, torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.1, 0.1, 0.2]))
    torch.testing.assert_close(out[0, :, 0, 0], torch.tensor([1.0, 0.0, -0.5]))
    assert out.shape == (2, 3, 4, 4)


@pytest.mark.parametrize("bounds", [(0.02, 0.15), (0.02, 0.4), (0.3, 0.5)])
@pytest.mark.parametrize("side", [48, 224])
def test_holes_have_the_stated_area_share_and_shape(bounds: tuple[float, float], side: int) -> None:
    params = AugmentationParams(erasing=0.4, erasing_area=bounds)
    boxes = pixels.holes(params, np.random.default_rng(0).random((4000, 5)), side)
    drawn = boxes[boxes[:, 2] > 0]
    assert len(drawn) / 4000 == pytest.approx(0.4, abs=0.04)

    width, height = drawn[:, 2] - drawn[:, 0], drawn[:, 3] - drawn[:, 1]
    pixel_rounding = height / 2 / side**2  # the width is rounded to whole pixels, half a column at most
    assert (width * height / side**2 >= bounds[0] - pixel_rounding).all()
    assert (width * height / side**2 <= bounds[1] + pixel_rounding).all()
    assert (height >= 0.3 * width - 1.2).all()  # rounding the height moves the width by up to 0.5 / 0.3, too
    assert (height <= width / 0.3 + 2.7).all()
    assert (drawn[:, :2] >= 0).all()
    assert drawn[:, 2:].max() <= side
    assert drawn[:, 0].min() == 0  # holes reach every edge
    assert drawn[:, 3].max() == side


def test_erase_clears_the_box_and_nothing_else(batch: torch.Tensor) -> None:
    faces = to_float(batch) + 1
    boxes = torch.zeros(12, 4)
    boxes[3] = torch.tensor([5.0, 10.0, 15.0, 30.0])
    expected = faces.clone()
    expected[3, :, 10:30, 5:15] = 0
    assert torch.equal(pixels.erase(faces.clone(), boxes), expected)
