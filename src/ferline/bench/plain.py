"""The reference: the PyTorch loop that a good engineer writes first, set well.

A Dataset that augments image by image with torchvision's v2 transforms on uint8, a DataLoader with workers, pinned
memory and prefetch, autocast to bfloat16 on a GPU, torch's own optimisers as they are by default, cuDNN's benchmark on,
and no look at the loss between two epochs. It shares the network, the loss and the numbers of params.yaml with ours,
and nothing else. What it leaves out is in its favour: it keeps the learning rate constant, writes no checkpoint, drops
an epoch's last batch, and where only its speed is measured there are no epochs to begin.
"""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import ferline.models  # noqa: F401 - registers the networks
from ferline.augment.batch import check_input
from ferline.bench.plain_data import (
    PREFETCH,
    Faces,
    class_weights,
    endless_sampler,
    epoch_sampler,
    loader,
    transforms,
    unchanged,
)
from ferline.bench.timing import Timing, peak_bytes, wait
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.network import Network
from ferline.models.registry import create
from ferline.params import ArchitectureParams, TrainingParams

WORKERS = {"cpu": (0, 1, 2), "cuda": (4, 8, 12, 16)}  # tried, where nobody says how many
WARM_UP = {"cpu": 2, "cuda": 20}  # steps: memory is allocated and cuDNN chooses its kernels


@dataclass
class Loop:
    """A network with its data and its optimiser."""

    network: Network
    data: Faces
    architecture: ArchitectureParams
    device: torch.device

    def __post_init__(self) -> None:
        self.params = self.architecture.training
        self.optimiser = optimiser(self.network, self.params)
        weights = class_weights(self.data) if self.params.class_weights == "balanced" else None
        weights = weights.to(self.device) if weights is not None else None
        self.criterion = nn.CrossEntropyLoss(weights, label_smoothing=self.params.label_smoothing)

    def step(self, images: Tensor, targets: Tensor) -> Tensor:
        images, targets = (each.to(self.device, non_blocking=True) for each in (images, targets))
        self.optimiser.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = self.criterion(self.network(images), targets)
        if self.params.l2:
            loss = loss + self.params.l2 * sum(weight.square().sum() for weight in self.network.regularised())
        loss.backward()
        if self.params.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.params.clip_norm)
        self.optimiser.step()
        return loss.detach()


def plain(
    faces: FaceSet,
    architecture: ArchitectureParams,
    device: torch.device,
    *,
    steps: int | None = None,
    seconds: float = 10.0,
    workers: int | None = None,
) -> Timing:
    """Images a second, once it runs: over `steps`, or for about `seconds`. `workers` None: the best of a few counts."""
    _check(faces, architecture)
    counts = worker_counts(device) if workers is None else (workers,)
    with _cudnn_chooses():
        timings = [_measured(faces, architecture, device, steps, seconds, count) for count in counts]
    return max(timings, key=lambda timing: timing.images_per_second)


@dataclass(frozen=True)
class Training:
    """A whole training, from making the network to its last classifier."""

    seconds: float
    losses: list[float]  # on the training split, an epoch each
    accuracies: list[float]  # on validation


def train_plainly(
    faces: FaceSet, architecture: ArchitectureParams, device: torch.device, workers: int, epochs: int | None = None
) -> Training:
    """Every epoch of params.yaml, or `epochs`: training, validation, the best weights kept; a second stage at the end.

    No early stopping, so that it is known in advance how many images are seen.
    """
    _check(faces, architecture)
    start = time.perf_counter()
    with _cudnn_chooses():
        loop = _made(faces, architecture, device)
        losses, accuracies = _epochs(loop, faces, workers, architecture.training.epochs if epochs is None else epochs)
        if loop.network.needs_head_fit:
            quiet = Faces(faces, "train", unchanged(architecture.input, loop.network.normalisation))
            features = _features(loop.network, loader(quiet, None, architecture, device, workers), device)
            loop.network.fit_head(*features, architecture.training.seed)
    return Training(time.perf_counter() - start, losses, accuracies)


def optimiser(network: nn.Module, params: TrainingParams) -> torch.optim.Optimizer:
    """Of the same kind as ours, as torch makes it when nobody asks for more."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    rate, decay, momentum = params.learning_rate, params.weight_decay, params.momentum
    match params.optimiser:
        case "adam":
            return torch.optim.Adam(trained, rate, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(trained, rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(trained, rate, momentum, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(trained, rate, weight_decay=decay, momentum=momentum)


def worker_counts(device: torch.device) -> tuple[int, ...]:
    """Those of WORKERS that the machine has cores for; at least the first."""
    first, *more = WORKERS[device.type]
    return first, *(count for count in more if count <= (os.cpu_count() or 1))


def _check(faces: FaceSet, architecture: ArchitectureParams) -> None:
    check_input(faces.side, faces.channels, architecture.input)


def _cudnn_chooses() -> AbstractContextManager[None]:
    """cuDNN tries its kernels and keeps the fastest; afterwards it is set as it was, for whoever is measured next."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=True)


def _made(faces: FaceSet, architecture: ArchitectureParams, device: torch.device) -> Loop:
    params = architecture.training
    torch.manual_seed(params.seed)
    network = create(architecture.model, architecture.input, architecture.weights, architecture.options, faces.emotions)
    transform = transforms(architecture.augmentation, architecture.input, network.normalisation)
    return Loop(network.to(device), Faces(faces, "train", transform, params.targets), architecture, device)


def _measured(
    faces: FaceSet,
    architecture: ArchitectureParams,
    device: torch.device,
    steps: int | None,
    seconds: float,
    workers: int,
) -> Timing:
    """After warm-up; without `steps` their number follows from a first, short measurement."""
    loop = _made(faces, architecture, device)
    batches = iter(loader(loop.data, endless_sampler(loop.data), architecture, device, workers))
    loop.network.train()
    # What the workers had ready before the first step is used up too: else a short measurement is of their store.
    for _ in range(max(WARM_UP[device.type], PREFETCH * workers)):
        loop.step(*next(batches))
    if steps is None:
        trial, _ = _timed(loop, batches, WARM_UP[device.type], workers)
        steps = max(1, round(seconds / trial.step_seconds))
    timing, loss = _timed(loop, batches, steps, workers)
    if not torch.isfinite(loss):
        raise FerlineError(
            f"{architecture.model}: the plain loop's loss is no number after {steps} steps, so its time means "
            "nothing. Lower training.learning_rate"
        )
    return timing


def _timed(loop: Loop, batches: Iterator[Any], steps: int, workers: int) -> tuple[Timing, Tensor]:
    """The device is waited for at the two ends only."""
    device, images = loop.device, 0
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    wait(device)
    start = time.perf_counter()
    for _ in range(steps):
        batch = next(batches)
        loss = loop.step(*batch)
        images += len(batch[1])
    wait(device)
    return Timing(images, time.perf_counter() - start, steps, peak_bytes(device), workers), loss


def _epochs(loop: Loop, faces: FaceSet, workers: int, epochs: int) -> tuple[list[float], list[float]]:
    """Train and validate; the network keeps the weights of the best epoch."""
    architecture, device, network = loop.architecture, loop.device, loop.network
    quiet = Faces(faces, "validation", unchanged(architecture.input, network.normalisation))
    training = loader(loop.data, epoch_sampler(loop.data, architecture), architecture, device, workers)
    validation = loader(quiet, None, architecture, device, workers)
    losses: list[float] = []
    accuracies: list[float] = []
    best = network.state_dict()
    for _ in range(epochs):
        losses.append(_epoch(loop, training))
        accuracies.append(_accuracy(network, validation, device))
        if accuracies[-1] == max(accuracies):
            best = deepcopy(network.state_dict())
    network.load_state_dict(best)
    return losses, accuracies


def _epoch(loop: Loop, batches: DataLoader) -> float:
    loop.network.train()
    losses = [loop.step(*batch) for batch in batches]
    return float(torch.stack(losses).mean())


@torch.inference_mode()
def _accuracy(network: Network, batches: DataLoader, device: torch.device) -> float:
    network.eval()
    right = torch.zeros((), device=device)
    for images, labels in batches:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = network(images.to(device, non_blocking=True))
        right += (logits.argmax(1) == labels.to(device)).sum()
    return float(right) / len(batches.dataset)  # type: ignore[arg-type]


@torch.inference_mode()
def _features(network: Network, batches: DataLoader, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    network.eval()
    found = [(network.features(images.to(device)).float().cpu(), labels) for images, labels in batches]
    features, labels = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return features, labels
