"""Batch normalisation over the images of all processes, so that as many as you like learn what one would.

torch has this for GPUs (SyncBatchNorm, which waits for the host in every layer) and refuses CPUs; there
SharedBatchNorm2d takes its place.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Summed(torch.autograd.Function):
    """The sum over all processes; every process's gradient of it reaches every process."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm2d(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        pixels = x.float()
        count = torch.tensor([float(x.numel() // x.shape[1])])
        sums = _Summed.apply(torch.cat([pixels.sum((0, 2, 3)), count]))
        mean, number = sums[:-1] / sums[-1], float(sums[-1])
        centred = pixels - mean[:, None, None]
        # About the mean, in a second pass: a mean of squares minus a squared mean loses half the digits.
        variance = _Summed.apply(centred.square().sum((0, 2, 3))) / number
        self._remember(mean.detach(), variance.detach() * number / (number - 1))
        scale = self.weight / (variance + self.eps).sqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        momentum = self.momentum or 0.0
        for running, new in ((self.running_mean, mean), (self.running_var, variance)):
            assert running is not None
            running.lerp_(new, momentum)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1


class GPUBatchNorm2d(nn.SyncBatchNorm):
    """In float32 where this process has no image of a batch: of bfloat16, as autocast has it, torch would send sums of
    that type, the others float32, and all would wait for ever."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if len(x) else super().forward(x.float()).to(x.dtype)


def share(network: nn.Module, device: torch.device) -> None:
    """Have the network's batch norms count the images of all processes. The modules stay the same objects: a network
    may hold on to some, as the frozen ones of resnet50_transfer."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            shared: Any = GPUBatchNorm2d if device.type == "cuda" else SharedBatchNorm2d
            module.__class__ = shared
            module.__dict__["process_group"] = None  # what SyncBatchNorm reads as all of them
