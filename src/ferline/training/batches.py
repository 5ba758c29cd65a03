"""Faces as batches on the device: held there whole when they fit, else streamed from the memory map."""

from collections.abc import Iterator

import numpy as np
import torch

from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet

RESIDENT_SHARE = 0.5  # of the device's free memory; the rest is for weights, gradients and activations
RESIDENT_BYTES_CPU = 2 << 30


class Batches:
    """One split of a FaceSet, ready to be drawn from in any order."""

    def __init__(self, faces: FaceSet, split: str, device: torch.device, targets: str = "label") -> None:
        """`targets`: what `draw` gives with the images, their labels or the shares of the taggers' votes."""
        self._faces, self._device = faces, device
        self._rows = faces.rows(split)
        self.labels = torch.from_numpy(faces.labels[self._rows]).to(device)
        votes = targets == "votes"
        if votes and not faces.table["votes"].notna().any():
            raise FerlineError(
                f"training.targets: 'votes' needs a set in which people voted, such as ferplus; {faces.folder} has "
                "none. Write targets: label"
            )
        self.targets = torch.from_numpy(faces.vote_shares(self._rows)).to(device) if votes else self.labels
        size = len(self._rows) * faces.side**2 * faces.channels
        self._resident = self._gather(np.arange(len(self._rows))) if size <= _room(device) else None

    def __len__(self) -> int:
        return len(self._rows)

    def draw(
        self, order: np.ndarray, size: int, drop_single: bool = False
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """uint8[n,H,W,C] images and their targets, `size` at a time; a last batch of one is dropped on request,
        since batch normalisation has no variance to take of it."""
        for start in range(0, len(order), size):
            positions = order[start : start + size]
            if drop_single and len(positions) == 1 and start:
                return
            index = torch.from_numpy(positions).to(self._device, non_blocking=True)
            images = self._gather(positions) if self._resident is None else self._resident[index]
            yield images, self.targets[index]

    def _gather(self, positions: np.ndarray) -> torch.Tensor:
        images = torch.from_numpy(self._faces.images[self._rows[positions]])
        if self._device.type == "cuda":
            images = images.pin_memory()
        return images.to(self._device, non_blocking=True)


def _room(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * RESIDENT_SHARE)
    return RESIDENT_BYTES_CPU
