"""One network on one device: faces in, an updated network out, and the host never waits for the device on the way."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ferline.augment.batch import Augmenter, Draws
from ferline.augment.sampling import order
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.network import Network
from ferline.params import ArchitectureParams, ComputeParams
from ferline.training import batch_norm, losses, memory, randomness, schedule
from ferline.training.average import Average
from ferline.training.batches import Batches
from ferline.training.graph import Recorded
from ferline.training.placement import Placement
from ferline.training.processes import Processes, places


class Engine:
    def __init__(
        self,
        name: str,
        network: Network,
        architecture: ArchitectureParams,
        faces: FaceSet,
        compute: ComputeParams,
        processes: Processes,
    ) -> None:
        self.name, self.params, self.processes = name, architecture.training, processes
        self.placement = Placement.of(self.params, compute, processes.local_rank)
        self.device = self.placement.device
        processes.connect(self.device)
        if processes.count > 1:
            batch_norm.share(network, self.device)
        self.network = network.to(self.device)
        wrapped = processes.wrapped(self.network)
        self._called = torch.compile(wrapped, dynamic=False) if compute.compile else wrapped
        self._labels = faces.labels[faces.rows("train")]
        self.train = Batches(faces, "train", self.device, compute.resident_share, self.params.targets)
        self.validation = Batches(faces, "validation", self.device, compute.resident_share)
        own = architecture.augmentation
        self._augmenter = Augmenter(own, architecture.input, *network.normalisation, seed=self.params.seed)
        balanced = self.params.class_weights == "balanced"
        self._weights = losses.class_weights(self.train.labels, len(faces.emotions)) if balanced else None
        self.optimiser = schedule.optimiser(self.network.parameters(), self.params)
        self.scaler = self.placement.scaler()
        self.average = Average(self.network, self.params.ema) if self.params.ema else None
        self._recorded = Recorded(self._through) if compute.graphs and self.device.type == "cuda" else None
        self.at_once = self.params.batch_size  # images that go through the network together: fewer if memory is short
        self._fits = False  # a whole step has gone through
        self.left_out: list[int] = []  # this epoch's steps whose gradients were no numbers, where those may be skipped

    def begin(self, epoch: int, rate: float) -> None:
        """Everything random in an epoch follows from (seed, epoch); dropout also differs between processes."""
        randomness.seed((self.params.seed * 100_003 + epoch) * 1_009 + self.processes.rank)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.order = order(self._labels, self.params.seed, epoch, self._augmenter.params.balance)
        self.places = places(len(self.order), self.params.batch_size)
        self._draws = self._augmenter.drawn(len(self.order), epoch, self.device)
        targets = self.train.targets[torch.from_numpy(self.order).to(self.device)]
        self._divisors = losses.divisors(targets, self._weights, self.params.batch_size)
        self._updates, self.left_out = epoch * len(self.places), []
        self.network.train()

    def batches(self, first: int = 0) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Step number, images and targets of this process's share of every batch, from step `first` on."""
        drawn = self.train.drawn(self.order, [self.processes.share(run) for run in self.places[first:]])
        return ((first + i, images, targets) for i, (images, targets) in enumerate(drawn))

    def step(self, step: int, images: Tensor, targets: Tensor) -> Tensor:
        """One update. Gives float64[3] on the device: its share of loss times images, of right answers, of images."""
        before = None if self._fits and not self.params.skip_non_finite else memory.Before(self.network)
        while (sums := self._tried(step, images, targets)) is None:
            if before is not None:
                before.restore()
        self._fits = True
        if self.params.skip_non_finite and before is not None and not self._finite():
            before.restore()
            self.left_out.append(step)
            return torch.zeros_like(sums)
        self.update(self._updates + step)
        return sums

    def update(self, number: int) -> None:
        """The optimiser's step on the gradients that are there, the training's update number `number`."""
        if self.params.clip_norm:
            self.scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.params.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average:
            self.average.update(number)

    def through_network(self, inputs: Tensor, targets: Tensor, divisor: Tensor, penalty: bool = True) -> Tensor:
        """Forward and back; gradients are added to those that are there. Gives float64[3] as `step` does."""
        with self.placement.autocast():
            logits = self._called(inputs.contiguous(memory_format=torch.channels_last))
        loss = losses.summed(logits.float(), targets, self._weights, self.params.label_smoothing) / divisor
        total = loss * self.processes.count  # gradients are averaged over the processes
        if penalty and self.params.l2:
            total = total + self.params.l2 * sum(p.square().sum() for p in self.network.regularised())
        self.scaler.scale(total).backward()
        labels = targets if targets.ndim == 1 else targets.argmax(1)
        right = (logits.argmax(1) == labels).sum()
        return torch.stack([loss.detach().double(), right.double(), torch.full_like(right, len(labels)).double()])

    @property
    def records(self) -> bool:
        """Whether steps become a CUDA graph."""
        return self._recorded is not None

    def judged(self) -> dict[str, Tensor]:
        """The weights that an epoch is scored and kept by."""
        return self.average.tensors if self.average else self.network.state_dict()

    def computed(self) -> dict[str, Any]:
        """Where and how, for the model's card."""
        numbers = str(self.placement.dtype).removeprefix("torch.")
        own = {"device": self.placement.name, "numbers": numbers, "processes": self.processes.count}
        return own | ({"images_at_once": self.at_once} if self.at_once < self.params.batch_size else {})

    def state(self) -> dict[str, Any]:
        """All that a training changes, but for the random generators."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.tensors if self.average else {},
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "at_once": self.at_once,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        if self.average:
            self.average.load(state["average"])
        schedule.load(self.optimiser, state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.at_once = min(self.at_once, state["at_once"])

    def _tried(self, step: int, images: Tensor, targets: Tensor) -> Tensor | None:
        """The gradients of a batch, or None where memory ran out: then fewer images go through at once."""
        try:
            return self._gradients(step, images, targets)
        except (RuntimeError, MemoryError) as error:
            if not memory.ran_out(error):
                raise
            told = str(error).splitlines()[0]
        self._halve(told, self.processes.most(self.places[step]))  # out here, where the failed step's tensors are gone
        return None

    def _gradients(self, step: int, images: Tensor, targets: Tensor) -> Tensor:
        run, divisor = self.places[step], self._divisors[step]
        share = self.processes.share(run)
        pieces = -(-self.processes.most(run) // self.at_once)
        draws = self._draws[share.start : share.stop]
        if self._recorded and pieces == 1 and len(images) == self.params.batch_size:
            if not self._recorded.recorded:
                self.optimiser.zero_grad(set_to_none=True)
            sums = self._recorded(images, targets, divisor, draws.back, draws.light, draws.holes)
        else:
            self.optimiser.zero_grad(set_to_none=True)
            sums = torch.zeros(3, dtype=torch.float64, device=self.device)
            for piece in range(pieces):
                part = slice(*(len(share) * (piece + i) // pieces for i in (0, 1)))
                with nullcontext() if piece == pieces - 1 else self.processes.apart(self._called):
                    sums += self._piece(images[part], targets[part], divisor, draws[part], piece == pieces - 1)
        return sums * sums.new_tensor([len(run), 1, 1])

    def _piece(self, images: Tensor, targets: Tensor, divisor: Tensor, draws: Draws, last: bool) -> Tensor:
        if len(images):
            return self._through(images, targets, divisor, draws.back, draws.light, draws.holes, last)
        # More processes than images: this one calls the network as the others do, with a face that counts for nothing.
        spare, target = next(self.train.drawn(self.order, [range(1)]))
        nothing, draw = divisor * torch.inf, self._draws[:1]
        return self._through(spare, target, nothing, draw.back, draw.light, draw.holes, last) * 0

    def _through(
        self,
        images: Tensor,
        targets: Tensor,
        divisor: Tensor,
        back: Tensor,
        light: Tensor,
        holes: Tensor,
        penalty: bool = True,
    ) -> Tensor:
        inputs = self._augmenter.augment(images, Draws(back, light, holes))
        return self.through_network(inputs, targets, divisor, penalty)

    def _finite(self) -> bool:
        """Whether the gradients are, of the whole batch, since they are the processes' mean. Waits for the device."""
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        return bool(torch.nn.utils.get_total_norm(gradients).isfinite())

    def _halve(self, told: str, images: int) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        memory.release(self.device)
        if (now := min(self.at_once, images)) == 1:
            raise FerlineError(
                f"{self.name}: not even one image at a time fits into the memory of {self.placement.name} ({told}). "
                f"Lower architectures.{self.name}.input.side, or choose a smaller model"
            )
        self.at_once = -(-now // 2)
        if self.processes.count > 1:  # the others are in the middle of a sum; all start again, with the smaller number
            raise memory.SmallerError(self.at_once)
        print(f"{self.name}: out of memory; now {self.at_once} images at a time, in batches as before", file=sys.stderr)
