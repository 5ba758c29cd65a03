"""Faces as batches on the device: held there whole when they fit, else streamed from the memory map a little ahead."""

import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.images.parallel import threads

CHUNK = 4096  # faces on their way at once
AHEAD = 3  # batches on their way while one is at work
Arrived = Callable[[], Tensor]


class Batches:
    """One split of a FaceSet, ready to be drawn from in any order."""

    def __init__(
        self, faces: FaceSet, split: str, device: torch.device, room: float = math.inf, targets: str = "label"
    ) -> None:
        """`room`: the bytes of the device's memory that may be filled. `targets`: labels, the shares of the taggers'
        votes, or both side by side, as losses.py takes them."""
        self._faces, self._device = faces, device
        self.rows = faces.rows(split)
        self.labels = torch.from_numpy(faces.labels[self.rows]).to(device)
        self.targets = (
            self.labels if targets == "label" else torch.from_numpy(_shares(faces, self.rows, targets)).to(device)
        )
        self._shape = (faces.side, faces.side, faces.channels)
        size = len(self.rows) * faces.side**2 * faces.channels
        self.resident = size <= room
        self.held = size if self.resident else 0  # bytes
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._images = self._all() if self.resident else None

    def __len__(self) -> int:
        return len(self.rows)

    def drawn(self, order: np.ndarray, places: Sequence[range]) -> Iterator[tuple[Tensor, Tensor]]:
        """uint8[n,H,W,C] images and their targets at each run of places in `order`."""
        index = torch.from_numpy(order).to(self._device)  # at once: a copy a batch would each wait for the device
        indices = [index[run.start : run.stop] for run in places]
        if self._images is not None:
            images: Iterator[Tensor] = (self._images[chosen] for chosen in indices)
        else:
            images = self._streamed([order[run.start : run.stop] for run in places])
        return ((batch, self.targets[chosen]) for batch, chosen in zip(images, indices, strict=True))

    def _all(self) -> Tensor:
        """In pieces: as one, all faces would first lie in memory that is pinned, and stays so."""
        images = torch.empty((len(self.rows), *self._shape), dtype=torch.uint8, device=self._device)
        for start in range(0, len(self.rows), CHUNK):
            chosen = np.arange(start, min(start + CHUNK, len(self.rows)))
            images[chosen[0] : chosen[-1] + 1] = self._read(chosen)()
        return images

    def _streamed(self, positions: list[np.ndarray]) -> Iterator[Tensor]:
        waiting: deque[Future[Arrived]] = deque()
        with threads(1, "faces", self._on_the_device) as reader:
            for chosen in positions:
                waiting.append(reader.submit(self._read, chosen))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()()
            while waiting:
                yield waiting.popleft().result()()

    def _read(self, positions: np.ndarray) -> Arrived:
        """Off the memory map and on the way to the device; what is returned waits, on the device, for the arrival."""
        read = torch.empty((len(positions), *self._shape), dtype=torch.uint8, pin_memory=self._copies is not None)
        np.take(self._faces.images, self.rows[positions], axis=0, out=read.numpy(), mode="clip")
        if self._copies is None:
            return lambda: read
        with torch.cuda.stream(self._copies):
            images = read.to(self._device, non_blocking=True)
            done = self._copies.record_event()

        def arrived() -> Tensor:
            torch.cuda.current_stream(self._device).wait_event(done)
            images.record_stream(torch.cuda.current_stream(self._device))
            return images

        return arrived

    def _on_the_device(self) -> None:
        """A thread starts on the first GPU, whichever its process is on."""
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)


def _shares(faces: FaceSet, rows: np.ndarray, targets: str) -> np.ndarray:
    if not faces.table["votes"].notna().any():
        raise FerlineError(
            f"training.targets: {targets!r} needs a set in which people voted, such as ferplus; {faces.folder} has "
            "none. Write targets: label"
        )
    if targets == "votes":
        return faces.vote_shares(rows)
    labels = np.eye(len(faces.emotions), dtype=np.float32)[faces.labels[rows]]
    return np.concatenate([labels, faces.second_opinions(rows)], axis=1)


def free(device: torch.device) -> int:
    """Bytes of memory that nobody uses: of a GPU, or of what a machine's own memory is to this process."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return min(os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE"), _left_to_the_group())


def _left_to_the_group(group: Path = Path("/sys/fs/cgroup")) -> int:
    """What a container's limit leaves: beyond it the kernel kills, however much the machine has."""
    try:
        most, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return max(int(most) - int(used), 0)
    except (OSError, ValueError):  # no such group, or no limit ("max")
        return sys.maxsize
