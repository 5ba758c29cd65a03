"""The processes that train one network together: which images are whose, and how their numbers become one."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class Processes:
    """This process among `count`. Alone, which is the default, everything here costs nothing."""

    def __init__(self, rank: int = 0, count: int = 1, local_rank: int = 0) -> None:
        self.rank, self.count, self.local_rank = rank, count, local_rank

    @classmethod
    def joined(cls) -> "Processes":
        """As torchrun started it. The group itself forms once the device is known: `connect`."""
        return cls(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))

    def connect(self, device: torch.device) -> None:
        if self.count > 1 and not dist.is_initialized():
            gpu = device.type == "cuda"
            dist.init_process_group("nccl" if gpu else "gloo", device_id=device if gpu else None)

    @property
    def first(self) -> bool:
        """Only the first one writes."""
        return self.rank == 0

    def share(self, items: range) -> range:
        """This process's part of a run of places. The parts of all make up the run: none twice, none lost."""
        start, stop = (len(items) * (self.rank + i) // self.count for i in (0, 1))
        return items[start:stop]

    def most(self, items: range) -> int:
        """The size of the largest share."""
        return -(-len(items) // self.count)

    def sum(self, tensor: Tensor) -> Tensor:
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def highest(self, numbers: list[float], device: torch.device) -> list[float]:
        """Of each number the highest that any process has."""
        if self.count == 1:
            return numbers
        tensor = torch.tensor(numbers, dtype=torch.float64, device=device)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return [float(number) for number in tensor.tolist()]

    def together(self, rows: Tensor, total: int) -> Tensor:
        """Every process's rows of a split of `total`, in the split's order."""
        if self.count == 1:
            return rows
        padded = rows.new_zeros(self.most(range(total)), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.count)]
        dist.all_gather(parts, padded)
        sizes = [len(Processes(rank, self.count).share(range(total))) for rank in range(self.count)]
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def each(self, thing: Any) -> list[Any]:
        """What every process has, by rank."""
        if self.count == 1:
            return [thing]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, thing)
        return found

    def wrapped(self, network: torch.nn.Module) -> torch.nn.Module:
        """The network as it is called in training: with several processes, its gradients are averaged over them."""
        if self.count == 1:
            return network
        # Batch norms count the images of all (batch_norm.py), so their statistics need no broadcast.
        return torch.nn.parallel.DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)

    def apart(self, wrapped: Any) -> AbstractContextManager[None]:
        """Within it gradients are added up here and not yet averaged: the batch has more pieces to come."""
        return wrapped.no_sync() if self.count > 1 else nullcontext()


def places(count: int, batch_size: int) -> list[range]:
    """The batches of an epoch of `count` places. A last batch of one is left to the next epoch: it has no variance."""
    batches = [range(start, min(start + batch_size, count)) for start in range(0, count, batch_size)]
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 else batches
