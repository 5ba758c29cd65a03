"""What one training step has to do, counted on torch's meta device: no memory, no arithmetic, the same on any machine.

There an LSTM or a GRU runs as the matrix products it is made of. On a real device it is one operation that torch's
FlopCounterMode does not know (cuDNN's, and oneDNN's on a CPU), and its FLOPs would be missing. grid_sample, of the
spatial transformer, is missing there too; its formula is below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

import ferline.models  # noqa: F401 - registers the networks
from ferline.bench.ceiling import ELEMENT_BYTES
from ferline.bench.timing import wait
from ferline.models.network import Network
from ferline.models.registry import build
from ferline.params import ArchitectureParams, TrainingParams

aten = torch.ops.aten
# Beside views, what launches nothing: allocations, and views that torch does not call so.
IDLE = {aten.empty, aten.empty_like, aten._unsafe_view, aten.unsafe_split, aten.unsqueeze_, aten.transpose_}
# float32 numbers that an optimiser keeps for each weight
SLOTS = {"adam": 2, "adamw": 2, "sgd": 1, "rmsprop": 1}


def grid_sample_flops(image: torch.Size, grid: torch.Size, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Bilinear, each point: 14 for its place and four weights, then four products and three sums a channel."""
    return prod(grid[:-1]) * (14 + 7 * image[1])


def grid_sample_backward_flops(gradient: torch.Size, image: torch.Size, grid: torch.Size, *args: Any, **_: Any) -> int:
    """Twice the forward, as of a matrix product: once to the image, once to the grid."""
    return 2 * grid_sample_flops(image, grid)


FORMULAS: dict[Any, Any] = {
    aten.grid_sampler_2d: grid_sample_flops,
    aten.grid_sampler_2d_backward: grid_sample_backward_flops,
}


@dataclass(frozen=True)
class Operation:
    """One operation of a step as eager PyTorch runs it."""

    name: str
    flops: int  # of matrix products, convolutions and grid_sample; 0 of all others
    bytes: int  # of every tensor that goes in and of every one that comes out
    kernels: int
    recurrent: bool = False  # inside an LSTM or a GRU


@dataclass(frozen=True)
class Work:
    """A training step: forward, loss and backward as operations; the optimiser as bytes."""

    batch: int
    operations: tuple[Operation, ...]
    recurrent_layers: int
    optimiser_bytes: int

    @property
    def flops(self) -> int:
        return sum(operation.flops for operation in self.operations)

    @property
    def products(self) -> list[Operation]:
        """What cannot be fused away. All else (normalisation, ReLU, pooling) a perfect compiler hangs on to these."""
        return [operation for operation in self.operations if operation.flops and not operation.recurrent]

    @property
    def least_bytes(self) -> int:
        """Every product reads and writes once: weights, activations, their gradients; the optimiser's come on top.

        Of an LSTM or GRU nothing is counted: a kernel that stays resident keeps weights and states where they are.
        """
        return sum(operation.bytes for operation in self.products) + self.optimiser_bytes

    @property
    def eager_bytes(self) -> int:
        """What moves when every operation reads and writes by itself."""
        return sum(operation.bytes for operation in self.operations) + self.optimiser_bytes

    @property
    def eager_kernels(self) -> int:
        """With an LSTM or GRU as cuDNN's one kernel each way, and a fused optimiser as one."""
        return sum(each.kernels for each in self.operations if not each.recurrent) + 2 * self.recurrent_layers + 1

    @property
    def least_kernels(self) -> int:
        return sum(operation.kernels for operation in self.products) + 2 * self.recurrent_layers + 1


def work(architecture: ArchitectureParams, batch: int, precision: str = "bfloat16") -> Work:
    """Count a step of `batch` images whose products run at `precision`; weights and optimiser stay float32."""
    network, images, labels = _on_meta(architecture, batch, getattr(torch, precision))
    counter = _Counter(network)
    with counter.tracker, counter:
        step(network, images, labels, architecture.training)
    size = ELEMENT_BYTES[precision]
    trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    moved = trained * optimiser_bytes_a_weight(architecture.training, size)
    return Work(batch, tuple(counter.operations), len(counter.recurrent), moved)


def step(network: Network, images: Tensor, labels: Tensor, params: TrainingParams) -> Tensor:
    """Forward, loss and backward, as any training does them."""
    loss = functional.cross_entropy(network(images).float(), labels)
    if params.l2:
        loss = loss + params.l2 * sum(weight.square().sum() for weight in network.regularised())
    loss.backward()
    return loss


def optimiser_bytes_a_weight(params: TrainingParams, element: int) -> int:
    """Its gradient is read; weight and state are read and written; a weight at half precision is written beside."""
    slots = SLOTS[params.optimiser] + (params.optimiser == "rmsprop" and params.momentum > 0)
    if params.optimiser == "sgd" and not params.momentum:
        slots = 0
    return element + 8 * (1 + slots) + (element if element < 4 else 0)


def kernels(run: Callable[[], object], device: torch.device) -> int:
    """What one `run` starts: on a GPU kernels, copies and fills, by the profiler; on a CPU torch's operations."""
    if device.type != "cuda":
        with _Counter() as counter:
            run()
        return sum(operation.kernels for operation in counter.operations)
    run()  # what happens in the first one only
    wait(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        run()
        wait(device)
    on_gpu = [event for event in profiler.events() or [] if event.device_type == torch.autograd.DeviceType.CUDA]
    return sum(not event.is_user_annotation for event in on_gpu)


def _on_meta(architecture: ArchitectureParams, batch: int, kind: torch.dtype) -> tuple[Network, Tensor, Tensor]:
    side, channels = architecture.input.side, architecture.input.channels
    with torch.device("meta"):
        network = build(architecture.model, architecture.input, architecture.weights, architecture.options).to(kind)
        images = torch.empty(batch, channels, side, side, dtype=kind)
        return network.train(), images, torch.empty(batch, dtype=torch.long)


class _Counter(TorchDispatchMode):
    """Notes every operation that reaches a device. `tracker` knows in which module, backward too."""

    def __init__(self, network: Network | None = None) -> None:
        super().__init__()
        self.tracker = ModuleTracker()
        self.formulas = FlopCounterMode(display=False, custom_mapping=FORMULAS).flop_registry
        self.operations: list[Operation] = []
        modules = network.named_modules() if network else ()
        self.recurrent = {f"{type(network).__name__}.{name}" for name, each in modules if isinstance(each, nn.RNNBase)}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if func.is_view or packet in IDLE:
            return result
        formula = self.formulas.get(packet)
        flops = formula(*args, **(kwargs or {}), out_val=result) if formula else 0
        tensors = [each for each in (*_flat(args), *_flat(result)) if isinstance(each, Tensor)]
        moved = sum(each.numel() * each.element_size() for each in tensors)
        both = packet is aten.convolution_backward and all(args[-1][:2])  # one kernel to the image, one to the weights
        inside = bool(self.recurrent & self.tracker.parents)
        self.operations.append(Operation(str(packet), int(flops), moved, 2 if both else 1, inside))
        return result


def _flat(values: Any) -> list[Any]:
    if isinstance(values, tuple | list):
        return [leaf for value in values for leaf in _flat(value)]
    return [values]
