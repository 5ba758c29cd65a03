"""Rotation, shear, zoom, shift, flips and random crops as one affine map per image, and one sample per batch.

Coordinates are in half-sides from the centre of the image, x to the right and y down, so that a map fits every size:
faces of 48 pixels are turned and brought to 224 by the same single sample.
"""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch user knows

from ferline.params import AugmentationParams

# One uniform draw an image for each of these, whether the policy uses it or not: switching one on moves no other.
COLUMNS = ("angle", "shear", "zoom", "right", "down", "mirror", "upend", "window", "window_x", "window_y")


def bends(params: AugmentationParams) -> bool:
    """Whether pixels come to lie between pixels, so that they must be interpolated. Flips alone do not."""
    return any((params.rotation, params.shear, params.zoom, params.shift, params.crop))


def flips(params: AugmentationParams) -> bool:
    return bool(params.horizontal_flip or params.vertical_flip)


def matrices(params: AugmentationParams, uniform: np.ndarray) -> np.ndarray:
    """float64[N,2,3]: where in the source each output point comes from, from uniform[N,len(COLUMNS)] in 0 to 1.

    A face is cropped, flipped, zoomed, sheared, turned and shifted, in this order. What grid_sample needs is the way
    back, so the inverse of each is composed here from the last to the first; no matrix is inverted numerically.
    """
    u = dict(zip(COLUMNS, uniform.T, strict=True))
    angle = np.deg2rad(between(-params.rotation, params.rotation, u["angle"]))
    lean = np.tan(np.deg2rad(between(-params.shear, params.shear, u["shear"])))
    window = between(1 - params.crop, 1, u["window"])
    scale = window / between(1 - params.zoom, 1 + params.zoom, u["zoom"])
    across = scale * np.where(u["mirror"] < params.horizontal_flip, -1, 1)
    along = scale * np.where(u["upend"] < params.vertical_flip, -1, 1)

    back = np.empty((len(uniform), 2, 3))
    cos, sin = np.cos(angle), np.sin(angle)
    back[:, 0, 0], back[:, 0, 1] = across * (cos + lean * sin), across * (sin - lean * cos)
    back[:, 1, 0], back[:, 1, 1] = along * -sin, along * cos
    centre = np.stack([between(-1, 1, u["window_x"]), between(-1, 1, u["window_y"])], axis=1) * (1 - window)[:, None]
    shift = np.stack([between(-1, 1, u["right"]), between(-1, 1, u["down"])], axis=1) * 2 * params.shift
    back[:, :, 2] = centre - np.einsum("nij,nj->ni", back[:, :, :2], shift)
    return back


def between(low: float | np.ndarray, high: float | np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Uniform draws in 0 to 1, stretched to lie from low to high."""
    return low + (high - low) * uniform


def warp(pixels: torch.Tensor, back: torch.Tensor, side: int, fill: str) -> torch.Tensor:
    """float[N,C,side,side] sampled bilinearly from float[N,C,H,W] by the maps back[N,2,3]; outside is edge or black."""
    points = centres(side, pixels.device)
    # x and y are kept as two planes and only viewed as pairs: a tenth of affine_grid's time on a CPU (it multiplies
    # every point by a 3 x 2 matrix), and grid_sample reads planes without a shuffle.
    columns = back[:, :, 0, None] * points
    rows = back[:, :, 1, None] * points + back[:, :, 2, None]
    grid = (columns[:, :, None, :] + rows[:, :, :, None]).permute(0, 2, 3, 1)
    return F.grid_sample(pixels, grid, padding_mode="border" if fill == "edge" else "zeros", align_corners=False)


def centres(side: int, device: torch.device) -> torch.Tensor:
    """Where the pixel centres of a row lie, in half-sides from its middle."""
    return (torch.arange(side, device=device) * 2 + 1) / side - 1


def flip(images: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """images[N,C,H,W] of any type, those mirrored or upended whose map says so; no pixel is changed."""
    mirrored = (back[:, 0, 0] < 0)[:, None, None, None]
    upended = (back[:, 1, 1] < 0)[:, None, None, None]
    images = torch.where(mirrored, images.flip(3), images)
    return torch.where(upended, images.flip(2), images)
