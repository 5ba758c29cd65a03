"""The time below which a training step cannot go on a device, and what holds it there.

A matrix product takes at least its FLOPs at the measured ceiling, and at least its bytes at the measured bandwidth;
whichever is longer counts, product by product: ResNet50's 1 x 1 convolutions wait for memory while its 3 x 3 ones
compute. The bytes are those of device memory, so the floor is one for batches that no cache holds: a small network's
whole step fits into an H200's 50 MB, and there launches decide.
"""

from dataclasses import dataclass

from ferline.bench.ceiling import Peak
from ferline.bench.work import Operation, Work


@dataclass(frozen=True)
class Floor:
    """Seconds of one step."""

    batch: int
    compute: float  # all FLOPs at the ceiling
    memory: float  # the least bytes at the bandwidth
    products: float  # product by product the longer of the two, and the optimiser
    launches: float  # of the products alone, in a CUDA graph
    in_graph: float  # what is predicted for the eager step's kernels in a CUDA graph
    eager: float  # and started one by one from Python
    held_by_compute: bool  # whether the products spend more time on arithmetic than on memory

    @property
    def seconds(self) -> float:
        return max(self.products, self.launches)

    @property
    def images_per_second(self) -> float:
        return self.batch / self.seconds

    @property
    def bound(self) -> str:
        if self.launches > self.products:
            return "launches"
        return "compute" if self.held_by_compute else "memory"


def floor(work: Work, peak: Peak) -> Floor:
    """The least time of `work`, and the times predicted for it as eager PyTorch does it."""
    optimiser = work.optimiser_bytes / peak.bandwidth
    arithmetic = sum(each.flops / peak.flops for each in work.products if _computes(each, peak))
    # An LSTM's steps wait for each other, but their arithmetic is the least they take.
    arithmetic += sum(each.flops for each in work.operations if each.recurrent) / peak.flops
    traffic = sum(each.bytes / peak.bandwidth for each in work.products if not _computes(each, peak)) + optimiser
    unfused = sum(_seconds(each, peak) for each in work.operations) + optimiser
    return Floor(
        batch=work.batch,
        compute=work.flops / peak.flops,
        memory=work.least_bytes / peak.bandwidth,
        products=arithmetic + traffic,
        launches=work.least_kernels * peak.graph_launch,
        in_graph=max(unfused, work.eager_kernels * peak.graph_launch),
        eager=max(unfused, work.eager_kernels * peak.launch),
        held_by_compute=arithmetic > traffic,
    )


def utilisation(work: Work, seconds: float, peak: Peak) -> float:
    """Model-FLOP utilisation: the share of the matrix-product ceiling that a step of `seconds` uses."""
    return work.flops / seconds / peak.flops


def _computes(operation: Operation, peak: Peak) -> bool:
    return operation.flops / peak.flops > operation.bytes / peak.bandwidth


def _seconds(operation: Operation, peak: Peak) -> float:
    return max(operation.flops / peak.flops, operation.bytes / peak.bandwidth)
