"""What a device can do at most, measured: matrix products, memory, launches.

Everything is drawn at random: a matrix product of zeros switches fewer transistors and can run an eighth faster.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ferline.bench.timing import fastest
from ferline.errors import FerlineError

SIDES = {"cpu": (512, 1024, 2048), "cuda": (4096, 8192, 16384)}  # of square matrices; the best size counts
COPIED = {"cpu": 1 << 28, "cuda": 1 << 30}  # bytes: several times what any cache holds
LAUNCHES = 1000
ELEMENT_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Peak:
    """The ceilings of one device at one precision."""

    device: str
    precision: str
    flops: float  # a second, of the best square matrix product
    bandwidth: float  # bytes a second of a copy, read and written ones together
    launch: float  # seconds an operation takes that has nothing to do
    graph_launch: float  # the same inside a CUDA graph; on a CPU, which has none, equal to `launch`


def peak(device: torch.device, precision: str) -> Peak:
    """Measure it: a second or two on a GPU, a few on a CPU. float32 is as torch is set, without TF32 unless allowed."""
    if precision not in ELEMENT_BYTES:
        raise FerlineError(f"precision: {precision!r} is not allowed; write one of {', '.join(ELEMENT_BYTES)}")
    if device.type not in SIDES:
        raise FerlineError(f"device: {device.type!r} cannot be measured; write {' or '.join(SIDES)}")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    launch = launch_seconds(device)
    graph = graph_launch_seconds(device) if device.type == "cuda" else launch
    return Peak(name, precision, product_flops(device, precision), copy_bandwidth(device), launch, graph)


def product_flops(device: torch.device, precision: str) -> float:
    """FLOP a second of the square size that runs best."""
    kind = getattr(torch, precision)
    repeats = 10 if device.type == "cuda" else 1

    def at(side: int) -> float:
        a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
        return 2 * side**3 / fastest(lambda: a @ b, device, repeats)

    return max(at(side) for side in SIDES[device.type])


def copy_bandwidth(device: torch.device) -> float:
    """Bytes a second of a large copy within the device, counting what is read and what is written."""
    source = torch.randint(0, 256, (COPIED[device.type],), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / fastest(lambda: target.copy_(source), device, repeats=4)


def launch_seconds(device: torch.device) -> float:
    """Of one addition to one number, started from Python as an eager training starts its operations."""
    return fastest(_additions(device), device, repeats=1) / LAUNCHES


def graph_launch_seconds(device: torch.device) -> float:
    """The same within a replayed CUDA graph, where no Python is in the way."""
    additions, graph = _additions(device), torch.cuda.CUDAGraph()
    additions()
    torch.cuda.synchronize(device)
    with torch.cuda.graph(graph):
        additions()
    return fastest(graph.replay, device, repeats=3) / LAUNCHES


def _additions(device: torch.device) -> Callable[[], None]:
    number = torch.ones(1, device=device)

    def run() -> None:
        for _ in range(LAUNCHES):
            number.add_(1)

    return run
