"""One network on one device: faces in, an updated network out, and the host never waits for the device on the way."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ferline.augment.batch import Augmenter, Draws
from ferline.augment.sampling import order
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.network import Network
from ferline.models.teachers import Teachers, teachers_of
from ferline.params import ArchitectureParams, ComputeParams
from ferline.training import batch_norm, losses, memory, randomness, schedule
from ferline.training.average import Average
from ferline.training.batches import Batches, free
from ferline.training.graph import Recorded
from ferline.training.placement import Placement
from ferline.training.processes import Processes, places
from ferline.training.weights import Weights


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
        self._emotions = len(network.emotions)
        network.tells_both = both = self.params.targets == "both"
        teachers = teachers_of(self.params)
        self._teachers = Teachers(teachers, network, self.device, both) if teachers else None
        self._wrapped = processes.wrapped(self.network)
        self._compiled = torch.compile(self._wrapped, dynamic=False) if compute.compile else self._wrapped
        self._labels = faces.labels[faces.rows("train")]
        room = compute.resident_share * free(self.device)
        room /= 1 if self.device.type == "cuda" else compute.devices  # every process of a machine holds its own
        self.train = Batches(faces, "train", self.device, room, self.params.targets)
        self.validation = Batches(faces, "validation", self.device, room - self.train.held)
        own, seed = architecture.augmentation, self.params.seed
        self._augmenters = {
            side: Augmenter(own, replace(architecture.input, side=side), *network.normalisation, seed=seed)
            for side in schedule.sides(self.params, architecture.input.side)
        }
        balanced = self.params.class_weights == "balanced"
        self._class_weights = losses.class_weights(self.train.labels, len(faces.emotions)) if balanced else None
        self.weights = Weights(self.network)
        self.scaler = self.placement.scaler()
        self.optimiser = schedule.optimiser(self.weights, self.params, scaled=self.scaler.is_enabled())
        self.average = Average(self.network, self.params.ema) if self.params.ema else None
        self._records = compute.graphs and self.device.type == "cuda"
        self._side = 0  # of the faces that go in; `begin` sets it, and with it the CUDA graph
        self._recorded: Recorded | None = None
        self.at_once = self.params.batch_size  # images that go through the network together: fewer if memory is short
        self._steps = 0  # whole ones so far; after two the optimiser has its moments, and memory takes no more
        self._released = False  # memory that was held, for a short batch; the next time fewer images go through at once
        self.left_out: list[int] = []  # this epoch's steps whose gradients were no numbers, where those may be skipped

    def begin(self, epoch: int, rate: float) -> None:
        """Everything random in an epoch follows from (seed, epoch); dropout also differs between processes."""
        randomness.seed((self.params.seed * 100_003 + epoch) * 1_009 + self.processes.rank)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self._see(schedule.side(self.params, list(self._augmenters), epoch))
        self.order = order(self._labels, self.params.seed, epoch, self._augmenter.params.balance)
        self.places = places(len(self.order), self.params.batch_size)
        self._draws = self._augmenter.drawn(len(self.order), epoch, self.device)
        targets = self.train.targets[torch.from_numpy(self.order).to(self.device)]
        self._divisors = losses.divisors(targets, self._class_weights, self.params.batch_size)
        self._updates, self.left_out = epoch * len(self.places), []
        self.network.train()

    def batches(self, first: int = 0) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Step number, images and targets of this process's share of every batch, from step `first` on."""
        drawn = self.train.drawn(self.order, [self.processes.share(run) for run in self.places[first:]])
        return ((first + i, images, targets) for i, (images, targets) in enumerate(drawn))

    def step(self, step: int, images: Tensor, targets: Tensor) -> Tensor:
        """One update. Gives float64[3] on the device: its share of loss times images, of right answers, of images."""
        usual = self._steps > 1 and len(self.places[step]) == self.params.batch_size
        before = None if usual and not self.params.skip_non_finite else memory.Before(self.network)
        while (sums := self._tried(step, images, targets)) is None:
            if before is not None:
                before.restore()
        self._steps += 1
        if self.params.skip_non_finite and before is not None and not self._finite(sums):
            before.restore()
            self.left_out.append(step)
            return torch.zeros_like(sums)
        self.update(self._updates + step)
        return sums

    def update(self, number: int) -> None:
        """The optimiser's step on the gradients that are there, the training's update number `number`."""
        self.weights.take_gradients()
        if self.params.clip_norm:
            self.scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.params.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average:
            self.average.update(number)

    def through_network(self, inputs: Tensor, targets: Tensor, divisor: Tensor, penalty: bool = True) -> Tensor:
        """Forward and back; gradients are added to those that are there. Gives float64[3] as `step` does."""
        # What is compiled is compiled for full batches: an epoch's last one would have it compiled again.
        called = self._compiled if len(inputs) == self._full else self._wrapped
        with self.placement.autocast():
            logits = called(inputs.contiguous(memory_format=torch.channels_last))
        smoothing, emotions = self.params.label_smoothing, self._emotions
        loss = losses.summed(logits.float(), targets, self._class_weights, smoothing, emotions) / divisor
        if self._teachers:
            with self.placement.autocast():
                held = self._teachers.shares(inputs)
            told = losses.summed(logits.float(), held, None, 0.0, emotions) / divisor
            loss = torch.lerp(loss, told, self.params.taught)
        total = loss * self.processes.count  # gradients are averaged over the processes
        if penalty and self.params.l2:
            total = total + self.params.l2 * sum(p.square().sum() for p in self.network.regularised())
        self.scaler.scale(total).backward()
        labels = targets if targets.ndim == 1 else targets[:, :emotions].argmax(1)
        right = (logits[:, :emotions].argmax(1) == labels).sum()
        return torch.stack([loss.detach().double(), right.double(), torch.full_like(right, len(labels)).double()])

    @property
    def _full(self) -> int:
        """Images that go through this process's network together of a full batch."""
        most = self.processes.most(range(self.params.batch_size))
        return -(-most // -(-most // self.at_once))

    @property
    def records(self) -> bool:
        """Whether steps become a CUDA graph."""
        return self._records

    def judged(self) -> dict[str, Tensor]:
        """The weights that an epoch is scored and kept by."""
        return self.average.tensors if self.average else self.network.state_dict()

    def computed(self) -> dict[str, Any]:
        """Where and how, for the model's card."""
        numbers = str(self.placement.dtype).removeprefix("torch.")
        own = {"device": self.placement.name, "numbers": numbers, "processes": self.processes.count}
        return own | ({"images_at_once": self.at_once} if self.at_once < self.params.batch_size else {})

    def whole(self) -> bool:
        """Whether every weight is a number. Waits for the device."""
        floating = [tensor for tensor in self.network.state_dict().values() if tensor.is_floating_point()]
        return bool(torch.stack([tensor.isfinite().all() for tensor in floating]).all())

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
        self.optimiser.load_state_dict(state["optimiser"])
        if state["scaler"]:  # it has none where the checkpoint's numbers needed no scaling
            self.scaler.load_state_dict(state["scaler"])
        self.at_once = min(self.at_once, state["at_once"])

    def _see(self, side: int) -> None:
        """Faces of this side go in from now on."""
        if side == self._side:
            return
        self._side, self._augmenter = side, self._augmenters[side]
        self._steps = 0  # larger faces take more memory: until two steps went through, it may run out again
        self._recorded = Recorded(self._through) if self._records else None  # another size is another graph

    def _tried(self, step: int, images: Tensor, targets: Tensor) -> Tensor | None:
        """The gradients of a batch, or None where memory ran out: then fewer images go through at once."""
        try:
            return self._gradients(step, images, targets)
        except (RuntimeError, MemoryError) as error:
            if not memory.ran_out(error):
                raise
            told = (str(error) or "no memory left").splitlines()[0]
        self._make_room(told, self.processes.most(self.places[step]))  # here, where the failed step's tensors are gone
        return None

    def _gradients(self, step: int, images: Tensor, targets: Tensor) -> Tensor:
        run, divisor = self.places[step], self._divisors[step]
        share = self.processes.share(run)
        pieces = -(-self.processes.most(run) // self.at_once)
        draws = self._draws[share.start : share.stop]
        # A recording fills the gradients that it was made with: once there is one, they are emptied and never let go.
        recorded = self._recorded is not None and self._recorded.recorded
        whole = pieces == 1 and len(images) == self.params.batch_size
        if not (recorded and whole):
            self.weights.clear_gradients(forget=not recorded)
        if self._recorded and whole:
            sums = self._recorded(images, targets, divisor, draws.back, draws.light, draws.holes, draws.grain)
        else:
            sums = torch.zeros(3, dtype=torch.float64, device=self.device)
            for piece in range(pieces):
                part = slice(*(len(share) * (piece + i) // pieces for i in (0, 1)))
                given, last = draws[part], piece == pieces - 1  # where processes are more than images, some get none
                with nullcontext() if last else self.processes.apart(self._wrapped):
                    drawn = given.back, given.light, given.holes, given.grain
                    sums += self._through(images[part], targets[part], divisor, *drawn, penalty=last)
        sums[0].mul_(len(run))
        return sums

    def _through(
        self,
        images: Tensor,
        targets: Tensor,
        divisor: Tensor,
        back: Tensor,
        light: Tensor,
        holes: Tensor,
        grain: Tensor,
        penalty: bool = True,
    ) -> Tensor:
        inputs = self._augmenter.augment(images, Draws(back, light, holes, grain))
        return self.through_network(inputs, targets, divisor, penalty)

    def _finite(self, sums: Tensor) -> bool:
        """Whether loss and gradients of the whole batch are. Waits for the device."""
        if self.scaler.is_enabled():  # it leaves out by itself what only its scale made infinite, and lowers the scale
            return bool(self.processes.sum(sums[0].clone()).isfinite())
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        return bool(torch.nn.utils.get_total_norm(gradients).isfinite())

    def _make_room(self, told: str, images: int) -> None:
        """For the next try at a batch of which this process has so many images."""
        self.weights.clear_gradients()
        self._recorded, self._records = None, False  # a graph holds the memory of the batches that it was made for
        memory.release(self.device)
        if images < self.at_once and not self._released and self.processes.count == 1:
            # An epoch's short last batch: more went through before it, so what was held beside them took its room.
            self._released = True
            print(f"{self.name}: out of memory; trying again without what was held", file=sys.stderr)
            return
        if (now := min(self.at_once, images)) == 1:
            raise FerlineError(
                f"{self.name}: not even one image at a time fits into the memory of {self.placement.name} ({told}). "
                f"Lower architectures.{self.name}.input.side, or choose a smaller model"
                f"{' or fewer teachers' if self._teachers else ''}"
            )
        self.at_once = -(-now // 2)
        if self.processes.count > 1:  # the others are in the middle of a sum; all start again, with the smaller number
            raise memory.SmallerError(self.at_once)
        print(f"{self.name}: out of memory; now {self.at_once} images at a time, in batches as before", file=sys.stderr)
