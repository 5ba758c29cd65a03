"""The affine maps and the one sample, against kornia and against what can be said without any reference."""

import kornia.geometry.transform as kornia
import numpy as np
import pytest
import torch

from ferline.augment import geometry
from ferline.augment.batch import draw, to_float
from ferline.params import AugmentationParams

EVERYTHING = AugmentationParams(
    rotation=30, shear=15, zoom=0.2, shift=0.1, horizontal_flip=0.5, vertical_flip=0.3, crop=0.2
)


def back(params: AugmentationParams, count: int = 12) -> torch.Tensor:
    return draw(params, count, 48, (0, 0, 0)).back


def one_map(params: AugmentationParams, **ends: float) -> torch.Tensor:
    """The map of one image whose draws are in the middle but for those given, from 0 to 1."""
    uniform = np.full((1, len(geometry.COLUMNS)), 0.5)
    for name, value in ends.items():
        uniform[0, geometry.COLUMNS.index(name)] = value
    return torch.from_numpy(geometry.matrices(params, uniform)).float()


def from_source_pixels(maps: torch.Tensor, source: int, side: int) -> torch.Tensor:
    """Our maps as kornia wants them: from source pixel numbers to output pixel numbers."""

    def to_pixels(n: int) -> torch.Tensor:
        return torch.tensor([[n / 2, 0, (n - 1) / 2], [0, n / 2, (n - 1) / 2], [0, 0, 1]], dtype=torch.float64)

    whole = torch.cat([maps.double(), torch.tensor([[[0.0, 0.0, 1.0]]]).expand(len(maps), 1, 3)], dim=1)
    return (to_pixels(side) @ torch.linalg.inv(whole) @ torch.linalg.inv(to_pixels(source)))[:, :2].float()


@pytest.mark.parametrize("side", [48, 64, 224, 40])
@pytest.mark.parametrize(("fill", "padding"), [("edge", "border"), ("zero", "zeros")])
def test_warp_is_kornias_warp_affine(batch: torch.Tensor, side: int, fill: str, padding: str) -> None:
    maps, pixels = back(EVERYTHING), to_float(batch)
    ours = geometry.warp(pixels, maps, side, fill)
    # align_corners=True is kornia's convention of whole pixel numbers, which from_source_pixels speaks
    forward = from_source_pixels(maps, 48, side)
    theirs = kornia.warp_affine(pixels, forward, (side, side), "bilinear", padding, align_corners=True)
    assert (ours - theirs).abs().max() < 1e-4


def test_maps_are_the_composition_of_kornias_elementary_ones() -> None:
    uniform = np.random.default_rng(3).random((16, len(geometry.COLUMNS)))
    u = dict(zip(geometry.COLUMNS, torch.from_numpy(uniform).float().T, strict=True))
    spread = {name: 2 * u[name] - 1 for name in u}
    one, window = torch.ones(16), 1 - 0.2 * (1 - u["window"])
    cut = torch.eye(3).repeat(16, 1, 1) / window[:, None, None]
    cut[:, 0, 2] = -spread["window_x"] * (1 - window) / window
    cut[:, 1, 2] = -spread["window_y"] * (1 - window) / window
    cut[:, 2, 2] = 1
    signs = [torch.where(u["mirror"] < 0.5, -one, one), torch.where(u["upend"] < 0.3, -one, one), one]
    # kornia's get_affine_matrix2d shears by minus its argument, then zooms and turns, and shifts last
    rest = kornia.get_affine_matrix2d(
        translations=torch.stack([spread["right"], spread["down"]], dim=1) * 0.2,
        center=torch.zeros(16, 2),
        scale=(1 + 0.2 * spread["zoom"])[:, None].expand(-1, 2),
        angle=30 * spread["angle"],
        sx=-torch.deg2rad(15 * spread["shear"]),
        sy=torch.zeros(16),
    )
    forward = rest @ torch.diag_embed(torch.stack(signs, dim=1)) @ cut
    np.testing.assert_allclose(geometry.matrices(EVERYTHING, uniform), torch.linalg.inv(forward)[:, :2], atol=1e-5)


def test_no_parameters_give_the_identity_and_the_same_pixels(batch: torch.Tensor) -> None:
    maps = back(AugmentationParams())
    assert torch.equal(maps, torch.eye(2, 3).expand(12, 2, 3))
    pixels = to_float(batch)
    # grid_sample turns half-sides back into pixel numbers in float32, a millionth of a pixel away
    torch.testing.assert_close(geometry.warp(pixels, maps, 48, "zero"), pixels, atol=1e-5, rtol=0)


def test_a_quarter_turn_is_rot90(batch: torch.Tensor) -> None:
    turned = one_map(AugmentationParams(rotation=90), angle=1).expand(12, 2, 3)
    pixels = to_float(batch)
    expected = pixels.rot90(-1, dims=(2, 3))  # positive angles turn clockwise on the screen
    torch.testing.assert_close(geometry.warp(pixels, turned, 48, "edge"), expected, atol=1e-4, rtol=0)


def test_shift_moves_by_whole_pixels_and_fills_with_black_or_the_edge(batch: torch.Tensor) -> None:
    maps = one_map(AugmentationParams(shift=0.25), right=1).expand(12, 2, 3)
    pixels = to_float(batch)
    black, edge = (geometry.warp(pixels, maps, 48, fill) for fill in ("zero", "edge"))
    for moved in (black, edge):
        torch.testing.assert_close(moved[..., 12:], pixels[..., :36], atol=1e-4, rtol=0)
    assert not black[..., :12].any()
    torch.testing.assert_close(edge[..., :12], pixels[..., :1].expand(-1, -1, -1, 12), atol=1e-4, rtol=0)


def test_a_crop_is_its_window_resized(batch: torch.Tensor) -> None:
    maps = one_map(AugmentationParams(crop=0.5), window=0, window_x=1, window_y=0).expand(12, 2, 3)
    pixels = to_float(batch)
    window = pixels[:, :, :24, 24:]  # half the side, from the upper right corner
    torch.testing.assert_close(geometry.warp(pixels, maps, 24, "edge"), window, atol=1e-4, rtol=0)


def test_zoom_above_one_makes_the_face_larger() -> None:
    dot = torch.zeros(1, 1, 48, 48)
    dot[..., 20:28, 20:28] = 1
    larger = geometry.warp(dot, one_map(AugmentationParams(zoom=0.5), zoom=1), 48, "zero")
    assert larger.sum() == pytest.approx(64 * 1.5**2, rel=1e-3)


def test_maps_stay_within_the_stated_ranges_and_fill_them() -> None:
    turned = back(AugmentationParams(rotation=20), 4000)
    angles = torch.rad2deg(torch.atan2(-turned[:, 1, 0], turned[:, 1, 1]))
    assert angles.abs().max() <= 20
    assert angles.min() < -19
    assert angles.max() > 19
    assert angles.mean().abs() < 4 * 20 / np.sqrt(3 * 4000)

    zooms = 1 / back(AugmentationParams(zoom=0.2), 4000)[:, 0, 0]
    assert zooms.min() == pytest.approx(0.8, abs=0.01)
    assert zooms.max() == pytest.approx(1.2, abs=0.01)

    crops = back(AugmentationParams(crop=0.1), 4000)
    assert crops[:, 0, 0].min() >= 0.9
    assert (crops[:, 0, 0] + crops[:, 0, 2].abs()).max() <= 1 + 1e-6  # no window leaves the image
    assert crops[:, 0, 2].abs().max() > 0.08


@pytest.mark.parametrize("share", [0.5, 0.1, 1.0])
def test_flips_come_in_their_stated_share(share: float) -> None:
    maps = back(AugmentationParams(horizontal_flip=share, vertical_flip=0.25), 4000)
    assert float((maps[:, 0, 0] < 0).float().mean()) == pytest.approx(share, abs=4 * np.sqrt(0.25 / 4000))
    assert float((maps[:, 1, 1] < 0).float().mean()) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 / 4000))


def test_flip_changes_no_pixel(batch: torch.Tensor) -> None:
    maps = back(AugmentationParams(horizontal_flip=0.5, vertical_flip=0.5))
    images = batch.permute(0, 3, 1, 2)
    flipped = geometry.flip(images, maps)
    for image, result, map_ in zip(images, flipped, maps, strict=True):
        dims = [dim for dim, sign in ((2, map_[0, 0]), (1, map_[1, 1])) if sign < 0]
        assert torch.equal(result, image.flip(dims) if dims else image)
    assert not torch.equal(flipped, images)
