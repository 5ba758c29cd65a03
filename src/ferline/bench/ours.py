"""Our engine's training steps, measured: with faces and augmentation, and on one batch that is already there."""

import time
from collections.abc import Callable, Iterator

import torch

import ferline.models  # noqa: F401 - registers the networks
from ferline.bench.plain import WARM_UP
from ferline.bench.timing import Timing, peak_bytes, wait
from ferline.faces.faceset import FaceSet
from ferline.models.registry import create
from ferline.params import ArchitectureParams, ComputeParams
from ferline.training import memory, randomness
from ferline.training.engine import Engine
from ferline.training.graph import WARM_UP as BEFORE_RECORDING
from ferline.training.graph import Recorded
from ferline.training.processes import Processes

Step = Callable[[], int]  # takes one training step, and says of how many images


def made(faces: FaceSet, architecture: ArchitectureParams, compute: ComputeParams) -> Engine:
    randomness.seed(architecture.training.seed)
    network = create(architecture.model, architecture.input, architecture.weights, architecture.options, faces.emotions)
    return Engine(architecture.model, network, architecture, faces, compute, Processes())


def with_faces(engine: Engine) -> Step:
    """Steps of training as they come; an epoch's beginning, its order and its draws, is part of its first step."""

    def steps() -> Iterator[int]:
        epoch = 0
        while True:
            engine.begin(epoch, engine.params.learning_rate)
            for step, images, targets in engine.batches():
                engine.step(step, images, targets)
                yield len(targets)
            epoch += 1

    return steps().__next__


def on_one_batch(engine: Engine) -> Step:
    """The same network and optimiser on random pixels that lie ready: nothing to fetch, nothing to augment."""
    size, input = engine.params.batch_size, engine.network.input
    shape = (size, input.channels, input.side, input.side)
    inputs = torch.randn(shape, device=engine.device).contiguous(memory_format=torch.channels_last)
    targets = torch.arange(size, device=engine.device) % len(engine.network.emotions)
    divisor = torch.tensor(float(size), device=engine.device)
    recorded = Recorded(engine.through_network) if engine.records else None
    engine.network.train()

    def step() -> int:
        if recorded is None or not recorded.recorded:
            engine.weights.clear_gradients()
        (recorded or engine.through_network)(inputs, targets, divisor)
        engine.update(0)
        return size

    return step


def measured(step: Step, device: torch.device, seconds: float) -> Timing:
    """Warm; for about so long; with memory held as in a training, and only so long."""
    with memory.held(device):
        for _ in range(WARM_UP[device.type] + BEFORE_RECORDING):
            step()
        trial = _timed(step, device, WARM_UP[device.type])
        return _timed(step, device, max(1, round(seconds / trial.step_seconds)))


def _timed(step: Step, device: torch.device, steps: int) -> Timing:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    wait(device)
    start = time.perf_counter()
    images = sum(step() for _ in range(steps))
    wait(device)
    return Timing(images, time.perf_counter() - start, steps, peak_bytes(device))
