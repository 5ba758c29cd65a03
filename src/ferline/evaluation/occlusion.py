"""Occlusion maps, the explanation of the ResNet50 + ResNet34 paper (Sharma and Tiwari): a square of N x N zeroed pixels
moves over a face with stride s, and where it takes the answer away lies what the answer was made from.

The paper marks the places where the answer turns wrong. Here each place holds what the true emotion's probability
loses there, which is large in these places and also tells how much the others matter; below 0, the square helped.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ferline.models.network import Network, to_input
from ferline.params import OcclusionParams

BATCH = 64


def maps(
    predict: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    window: int,
    stride: int,
    batch: int = BATCH,
) -> np.ndarray:
    """float64[N,h,w]: at every place of the square, the clean probability of the face's label minus the occluded one.

    `predict`: faces uint8[N,H,W,C] to probabilities[N, emotions]; it is called with `batch` faces at most.
    """

    def tell(faces: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(predict(faces.numpy())))

    return _maps(tell, torch.from_numpy(np.array(images)), labels, window, stride, batch)


@torch.inference_mode()
def maps_on_device(
    network: Network,
    temperature: float,
    images: np.ndarray,
    labels: np.ndarray,
    window: int,
    stride: int,
    batch: int = BATCH,
) -> np.ndarray:
    """`maps` of a network where it stands: the faces go there once, and their occluded copies are made there."""
    network.eval()
    device = next(network.parameters()).device

    def tell(faces: Tensor) -> Tensor:
        return (network(to_input(faces, *network.normalisation)).double() / temperature).softmax(dim=1)

    return _maps(tell, torch.from_numpy(np.array(images)).to(device), labels, window, stride, batch)


def places(side: int, window: int, stride: int) -> np.ndarray:
    """Where the square starts along an axis; the last place is moved back to the edge, so that all is covered."""
    if not (1 <= window < side and 1 <= stride < side):
        raise ValueError(f"window {window} and stride {stride}: each from 1 to below the side, {side} pixels")
    return np.unique(np.append(np.arange(0, side - window, stride), side - window))


def in_pixels(params: OcclusionParams, side: int) -> tuple[int, int]:
    """Window and stride of faces of this side."""
    return min(max(1, round(params.window * side)), side - 1), min(max(1, round(params.stride * side)), side - 1)


def heat(maps: np.ndarray, side: int, window: int, stride: int) -> np.ndarray:
    """float64[...,side,side] of maps[...,h,w]: a pixel's mean over the squares that cover it, NaN where none does."""
    starts, pixels = places(side, window, stride), np.arange(side)[:, None]
    covers = ((pixels >= starts) & (pixels < starts + window)).astype(np.float64)  # [side, places]
    sums = covers @ np.asarray(maps) @ covers.T
    counts = np.outer(covers.sum(axis=1), covers.sum(axis=1))
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def average(maps: np.ndarray, labels: np.ndarray, emotions: Sequence[str]) -> dict[str, np.ndarray]:
    """The mean map of every emotion that has a face; of heat, or of the faces themselves, as well."""
    return {emotion: maps[labels == index].mean(axis=0) for index, emotion in enumerate(emotions) if index in labels}


def _maps(
    tell: Callable[[Tensor], Tensor], faces: Tensor, labels: np.ndarray, window: int, stride: int, batch: int
) -> np.ndarray:
    starts = places(faces.shape[1], window, stride)
    truth = torch.as_tensor(np.asarray(labels), device=faces.device)
    clean = torch.cat([_of_truth(tell, faces[part], truth[part]) for part in _parts(len(faces), batch)])
    # Faces and places in one long row, so that no batch but the last is short: place changes fastest.
    cells = len(starts) ** 2
    corners = torch.cartesian_prod(*[torch.as_tensor(starts, device=faces.device)] * 2)
    occluded = clean.new_empty(len(faces) * cells)
    for part in _parts(len(occluded), batch):
        number = torch.arange(part.start, part.stop, device=faces.device)
        face, corner = number // cells, corners[number % cells]
        occluded[part] = _of_truth(tell, _zeroed(faces[face], corner, window), truth[face])
    lost = clean[:, None] - occluded.view(len(faces), cells)
    return lost.view(len(faces), len(starts), len(starts)).double().cpu().numpy()


def _parts(count: int, batch: int) -> Iterator[slice]:
    return (slice(start, min(start + batch, count)) for start in range(0, count, batch))


def _of_truth(tell: Callable[[Tensor], Tensor], faces: Tensor, truth: Tensor) -> Tensor:
    return tell(faces).gather(1, truth[:, None])[:, 0]


def _zeroed(faces: Tensor, corners: Tensor, window: int) -> Tensor:
    """Copies of uint8[N,H,W,C], each with its square at 0; black, as in the paper, before any normalisation."""
    pixels = torch.arange(faces.shape[1], device=faces.device)
    inside = (pixels >= corners[:, :, None]) & (pixels < corners[:, :, None] + window)  # [N, 2, side]
    seen = ~(inside[:, 0, :, None] & inside[:, 1, None, :])
    return faces * seen[..., None]
