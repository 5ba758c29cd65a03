"""What changes the values of pixels: normalisation, brightness and contrast, noise, erasing."""

import numpy as np
import torch

from ferline.augment.geometry import between
from ferline.params import AugmentationParams

LIGHT_COLUMNS = ("brightness", "contrast")
HOLE_COLUMNS = ("whether", "area", "aspect", "left", "top")
GRAIN_COLUMNS = ("level", "row", "column")
GRAIN = 512  # pixels of the one field of noise that all images take their grain from, each from a place of its own
ASPECTS = (0.3, 1 / 0.3)  # height over width of an erased rectangle, as in Zhong et al., Random Erasing (AAAI 2020)
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as in OpenCV and Pillow


def normalise(pixels: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """float[N,C,H,W] of 0 to 1 to (pixels - mean) / std, one mean[C] and std[C] a channel; grey may become colour.

    Works in place where the number of channels stays: the tensor given is used up.
    """
    mean, std = mean[:, None, None], std[:, None, None]
    centred = pixels.sub_(mean) if pixels.shape[1] == len(mean) else pixels - mean
    return centred.div_(std)


def lights(params: AugmentationParams, uniform: np.ndarray) -> np.ndarray:
    """float64[N,2]: the brightness and the contrast factor of each image."""
    spans = np.array([params.brightness, params.contrast])
    return between(1 - spans, 1 + spans, uniform)


def light(pixels: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Pixels of 0 to 1, in place: brightened about black, spread about their own mean grey, cut to 0 to 1."""
    brightness, contrast = (factor[:, None, None, None] for factor in factors.unbind(1))
    mean = pixels.mean(dim=(2, 3), keepdim=True)
    if pixels.shape[1] == 3:
        red, green, blue = mean.split(1, dim=1)
        mean = GREY[0] * red + GREY[1] * green + GREY[2] * blue
    return pixels.mul_(brightness * contrast).add_(mean * brightness * (1 - contrast)).clamp_(0, 1)


def grains(params: AugmentationParams, uniform: np.ndarray) -> np.ndarray:
    """float64[N,3]: the standard deviation of each image's noise, and where in the field it is taken from."""
    return np.column_stack([params.noise * uniform[:, 0], np.floor(GRAIN * uniform[:, 1:])])


def grain_field() -> torch.Tensor:
    """float32[GRAIN,GRAIN] of standard deviation 1; it goes on at its edges where it began."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal((GRAIN, GRAIN), dtype=np.float32))


def grain(pixels: torch.Tensor, drawn: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """Pixels of 0 to 1, in place, with each image's own noise, cut to 0 to 1."""
    level, row, column = drawn.unbind(1)
    points = torch.arange(pixels.shape[-1], device=pixels.device)
    rows, columns = ((start.long()[:, None] + points) % GRAIN for start in (row, column))
    noise = field[rows[:, :, None], columns[:, None, :]]
    return pixels.add_(noise.mul_(level[:, None, None])[:, None]).clamp_(0, 1)


def holes(params: AugmentationParams, uniform: np.ndarray, side: int) -> np.ndarray:
    """float64[N,4]: left, top, right and bottom of each image's erased rectangle in whole pixels; all 0 for none."""
    u = dict(zip(HOLE_COLUMNS, uniform.T, strict=True))
    share = between(*params.erasing_area, u["area"])
    # A long thin hole of a large share would not fit: a share of 0.4 allows ratios of 0.4 to 2.5.
    low, high = np.log(np.maximum(ASPECTS[0], share)), np.log(np.minimum(ASPECTS[1], 1 / share))
    height = np.clip(np.round(side * np.sqrt(share * np.exp(between(low, high, u["aspect"])))), 1, side)
    width = np.clip(np.round(share * side**2 / height), 1, side)  # from the whole height, so the area stays true
    left, top = np.floor(u["left"] * (side - width + 1)), np.floor(u["top"] * (side - height + 1))
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    return boxes * (u["whether"] < params.erasing)[:, None]


def erase(pixels: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Normalised pixels (changed in place) with each image's box at 0: what the network's normalisation takes
    for the mean, ImageNet's or our own grey, and black where a paper only scales to 0 to 1."""
    points = torch.arange(pixels.shape[-1], device=pixels.device)
    left, top, right, bottom = (edge[:, None] for edge in boxes.unbind(1))
    columns = (points >= left) & (points < right)
    rows = (points >= top) & (points < bottom)
    # A product with 0 and 1: masked_fill with a mask broadcast over channels takes ten times as long on a CPU.
    keep = 1 - columns[:, None, :].float() * rows[:, :, None].float()
    return pixels.mul_(keep[:, None])
