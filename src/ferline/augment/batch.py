"""A policy applied to whole batches, on whatever device the batch is, with parameters drawn anew for every image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch user knows

from ferline.augment import geometry, pixels
from ferline.errors import FerlineError
from ferline.params import AugmentationParams, InputParams

BLOCK = 65_536  # images whose parameters are drawn at once: 30 MB of double precision on their way
STREAM = 1  # sampling.order draws from another: NumPy takes the keys (seed, epoch) and (seed, epoch, 0) for the same


@dataclass(frozen=True)
class Draws:
    """What was drawn for each image of a batch, as float32 on one device."""

    back: torch.Tensor  # [N,2,3], from an output point to its source, in half-sides from the centre
    light: torch.Tensor  # [N,2], brightness and contrast factors
    holes: torch.Tensor  # [N,4], left, top, right, bottom of the erased rectangle in output pixels
    grain: torch.Tensor  # [N,3], standard deviation of the noise, row and column of its place in the field

    def __getitem__(self, images: slice) -> "Draws":
        return Draws(self.back[images], self.light[images], self.holes[images], self.grain[images])

    def to(self, device: torch.device) -> "Draws":
        """On `device`, by a single copy that the host does not wait for."""
        if self.back.device.type == device.type:
            return self
        packed = torch.cat([self.back.flatten(1), self.light, self.holes, self.grain], dim=1).pin_memory()
        back, light, holes, grain = packed.to(device, non_blocking=True).split([6, 2, 4, 3], dim=1)
        return Draws(back.unflatten(1, (2, 3)), light, holes, grain)


def draw(params: AugmentationParams, count: int, side: int, key: Sequence[int]) -> Draws:
    """Parameters for `count` images of `side` output pixels; equal keys, such as (seed, epoch, step), draw the same."""
    # NumPy's, since torch's CPU generator keeps 32 bits of a seed: some of 100,000 steps would repeat another's draws.
    sizes = [len(geometry.COLUMNS), len(pixels.LIGHT_COLUMNS), len(pixels.HOLE_COLUMNS)]
    generator = np.random.default_rng((STREAM, *key))
    uniform = generator.random((count, sum(sizes)))
    move, light, hole = np.split(uniform, np.cumsum(sizes)[:-1], axis=1)
    grain = generator.random((count, len(pixels.GRAIN_COLUMNS)))  # after the others, which came before there was noise
    moved, lit = geometry.matrices(params, move), pixels.lights(params, light)
    drawn = moved, lit, pixels.holes(params, hole, side), pixels.grains(params, grain)
    return Draws(*(torch.from_numpy(values.astype(np.float32)) for values in drawn))


class Augmenter:
    """Raw faces to a network's input under one policy. `mean` and `std` are of pixels in 0 to 1, one a channel."""

    def __init__(
        self, params: AugmentationParams, input: InputParams, mean: Sequence[float], std: Sequence[float], seed: int
    ) -> None:
        if len(mean) != input.channels or len(std) != input.channels or min(std) <= 0:
            raise FerlineError(
                f"mean {list(mean)} and std {list(std)} do not suit {input.channels} channels: "
                "give one number a channel, every std above 0"
            )
        self.params, self.input, self.seed = params, input, seed
        self.mean, self.std = torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)
        self.field = pixels.grain_field() if params.noise else None

    def __call__(self, images: torch.Tensor, epoch: int, step: int) -> torch.Tensor:
        """uint8[N,H,H,C] to normalised float32[N,channels,side,side] on the same device; equal numbers, equal draws."""
        return self.augment(images, draw(self.params, len(images), self.input.side, (self.seed, epoch, step)))

    def drawn(self, count: int, epoch: int, device: torch.device) -> Draws:
        """Parameters for each of the `count` places of an epoch, whatever batches and processes share them out."""
        starts = range(0, max(count, 1), BLOCK)
        blocks = [
            draw(self.params, min(BLOCK, count - start), self.input.side, (self.seed, epoch, i)).to(device)
            for i, start in enumerate(starts)
        ]
        if len(blocks) == 1:
            return blocks[0]
        parts = zip(*((b.back, b.light, b.holes, b.grain) for b in blocks), strict=True)
        return Draws(*(torch.cat(part) for part in parts))

    @torch.no_grad()
    def augment(self, images: torch.Tensor, draws: Draws) -> torch.Tensor:
        """The batch under given draws: light on the source pixels, one sample for geometry and size, noise, erasing."""
        self._check(images)
        self.mean, self.std = self.mean.to(images.device), self.std.to(images.device)
        draws, params, side = draws.to(images.device), self.params, self.input.side
        batch = to_float(images)
        if params.brightness or params.contrast:
            # Before the sample: 48 to 224 it is 22 times fewer pixels, and the black outside a face stays black.
            batch = pixels.light(batch, draws.light)
        if geometry.bends(params):
            batch = geometry.warp(batch, draws.back, side, params.fill)
        else:
            batch = resized(geometry.flip(batch, draws.back) if geometry.flips(params) else batch, side)
        if self.field is not None:  # after the sample, which would smooth it
            self.field = self.field.to(images.device)
            batch = pixels.grain(batch, draws.grain, self.field)
        batch = pixels.normalise(batch, self.mean, self.std)
        return pixels.erase(batch, draws.holes) if params.erasing else batch

    def _check(self, images: torch.Tensor) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != images.shape[2]:
            raise ValueError(f"expected square faces uint8[N,H,H,C], got {images.dtype}{list(images.shape)}")
        check_input(int(images.shape[1]), int(images.shape[3]), self.input)


def check_input(side: int, channels: int, input: InputParams) -> None:
    """A FerlineError where faces of this size and colour cannot be brought to the input in one bilinear sample."""
    if channels not in (1, input.channels):
        raise FerlineError(
            f"input.channels: {input.channels} cannot be made of {channels} channels a face; "
            f"write {channels}, or resize the faces to grey first"
        )
    if side > 2 * input.side:
        raise FerlineError(
            f"input.side: {input.side} is under half the faces' {side} pixels, and one bilinear sample would skip some "
            f"of them; write at least {(side + 1) // 2}, or resize the faces first"
        )


def to_float(images: torch.Tensor) -> torch.Tensor:
    """A new float32[N,C,H,W] of 0 to 1 from uint8[N,H,W,C]."""
    return images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def resized(batch: torch.Tensor, side: int) -> torch.Tensor:
    """Bilinear, at the same pixel centres as `geometry.warp`; the batch itself where nothing changes."""
    if batch.shape[-1] == side:
        return batch
    return F.interpolate(batch, size=(side, side), mode="bilinear", align_corners=False)
