"""clean: noise goes, edges and colours stay."""

import numpy as np
import pytest
from face_pictures import noise

from ferline.faces.clean import denoise, equalise


def edge() -> np.ndarray:
    image = np.full((48, 48, 3), 60, np.uint8)
    image[:, 24:] = 180
    return image


def roughness(image: np.ndarray) -> float:
    return float(np.abs(image.astype(float) - edge()).mean())


def test_median_removes_salt_and_pepper() -> None:
    rng = np.random.default_rng(0)
    image = edge()
    image[rng.random((48, 48)) < 0.03] = 255
    assert roughness(denoise(image, "median")) < 0.05 * roughness(image)


@pytest.mark.parametrize("method", ["bilateral", "gaussian", "median"])
def test_grain_is_reduced(method: str) -> None:
    grainy = np.clip(edge() + np.random.default_rng(0).normal(0, 8, (48, 48, 3)), 0, 255).astype(np.uint8)
    assert roughness(denoise(grainy, method)) < 0.75 * roughness(grainy)


def test_bilateral_keeps_the_edge_that_gaussian_smears() -> None:
    assert np.abs(denoise(edge(), "bilateral").astype(int) - edge()).max() <= 1
    assert np.abs(denoise(edge(), "gaussian").astype(int) - edge()).max() > 20


@pytest.mark.parametrize("method", ["global", "clahe"])
def test_a_dull_image_gains_contrast_and_grey_stays_grey(method: str) -> None:
    dull = (noise(48, 48)[:, :, :1] // 8 + 100).repeat(3, 2)
    bright = equalise(dull, method)
    assert bright.std() > 1.5 * dull.std()
    assert np.ptp(bright.astype(int), axis=2).max() <= 1


def test_global_equalisation_spreads_the_luma_evenly() -> None:
    dull = (np.random.default_rng(0).random((96, 96, 1)) ** 1.5 * 200).astype(np.uint8).repeat(3, 2)
    shares = np.histogram(equalise(dull, "global")[:, :, 0], bins=4, range=(0, 256))[0] / 96**2
    np.testing.assert_allclose(shares, 0.25, atol=0.05)


def test_none_changes_nothing() -> None:
    image = noise(48, 48)
    np.testing.assert_array_equal(equalise(denoise(image, "none"), "none"), image)
