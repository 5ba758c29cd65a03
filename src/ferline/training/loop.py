"""The training loop: one network, one face set, one policy; the best epoch on validation comes out.

Read this file first. The engine takes steps; the progress knows what they came to; the watch looks up now and then;
checkpoints keep it all. A training that was stopped anywhere and started again gives the losses and weights of one that
never was.
"""

import math
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ferline.artifact import state_folder, write_json
from ferline.augment.policy import AugmentationPolicy
from ferline.errors import FerlineError, Preempted
from ferline.faces import look
from ferline.faces.faceset import FaceSet
from ferline.models import temperature
from ferline.models.network import Network
from ferline.models.predecessors import Predecessors, on_a_card
from ferline.models.registry import create
from ferline.models.trained import TrainedModel, fingerprints
from ferline.params import ArchitectureParams, ComputeParams
from ferline.training import memory, randomness, scoring
from ferline.training.checkpoint import Checkpoints
from ferline.training.engine import Engine
from ferline.training.processes import Processes
from ferline.training.progress import Progress, Record
from ferline.training.schedule import learning_rate
from ferline.training.watch import Watch, stopping_at_once


def train(
    name: str,
    architecture: ArchitectureParams,
    faces: FaceSet,
    policy: AugmentationPolicy,
    *,
    card: dict[str, Any],
    compute: ComputeParams | None = None,
    checkpoints: Path | None = None,
    on_epoch: Callable[[Record], None] = lambda record: None,
    target: Path | None = None,
    processes: Processes | None = None,
    at_once: int | None = None,
) -> TrainedModel | None:
    """Train one architecture and write its best epoch; `card` is what the caller knows of where the data came from.

    Of several `processes` only the first writes a model, and the others get None. `at_once`: how many images are known
    to fit into memory together.
    """
    compute, processes = compute or ComputeParams(), processes or Processes()
    randomness.seed(architecture.training.seed)
    before = Predecessors.of(architecture)
    before.require_unchanged(card)
    before.require_unseen(faces)
    _require_usable(name, architecture, faces)
    network = create(architecture.model, architecture.input, architecture.weights, architecture.options, faces.emotions)
    architecture = replace(architecture, augmentation=policy.params)
    engine = Engine(name, network, architecture, faces, compute, processes)
    engine.at_once = min(engine.at_once, at_once or engine.at_once)
    training = Training(engine, faces, Checkpoints(checkpoints), compute)

    if processes.first:
        _import_for_the_end(network.needs_head_fit)
    for record in training.progress.history:
        on_epoch(record)  # whoever listens sees the whole training, not only what is left of it
    with training.watch, memory.held(engine.device):
        while not training.progress.over:
            on_epoch(training.run_epoch())
        training.finished()
    if not processes.first:
        return None
    with stopping_at_once(f"{name}: asked to stop (SIGTERM) after its last epoch. {training.saved}"):
        model = _write(training, architecture, faces, card, target, before)
    training.kept.clear()
    return model


def _import_for_the_end(fits_a_head: bool) -> None:
    """What only the end of a training uses: by then there may be no memory to load it into, or another environment."""
    import scipy.optimize  # noqa: F401

    if fits_a_head:
        import sklearn.metrics
        import sklearn.svm  # noqa: F401


def _require_usable(name: str, architecture: ArchitectureParams, faces: FaceSet) -> None:
    """Training could bring faces to another size on the way; whoever scores them takes them as they are."""
    side, channels = architecture.input.side, architecture.input.channels
    if (faces.side, faces.channels) != (side, channels):
        raise FerlineError(
            f"{faces.folder}: faces of {faces.side} pixels and {faces.channels} channels; "
            f"architectures.{name}.input asks for {side} and {channels}. Resize them first, as the resize step does"
        )
    for split in ("train", "validation"):
        if not len(faces.rows(split)):
            raise FerlineError(f"{faces.folder}: no face of it is in the {split} split; {name} cannot be trained")


class Training:
    """A training under way, from its checkpoint on if there is one."""

    def __init__(self, engine: Engine, faces: FaceSet, kept: Checkpoints, compute: ComputeParams) -> None:
        self.engine, self.faces, self.kept, self._seconds = engine, faces, kept, compute.checkpoint_seconds
        self.progress = Progress(engine.params, engine.device)
        self.watch = Watch(engine.processes, engine.device, self._seconds)
        self._random: list[randomness.Tensors] = []
        self._rate = 0.0
        if found := kept.latest():
            engine.load(found)
            self.progress.load(found, engine.processes.first)
            self._random = found["random"]
        if len(set(seen := engine.processes.each(kept.last))) > 1:
            raise FerlineError(f"{kept.folder}: the processes see different checkpoints there ({seen}). Start again")

    def run_epoch(self) -> Record:
        """Train over every image once, then score validation."""
        engine, progress = self.engine, self.progress
        epoch = len(progress.history)
        rate = learning_rate(engine.params, epoch, progress.history)
        self._rate = rate
        engine.begin(epoch, rate)
        self._draw_on()
        bar = tqdm(
            engine.batches(progress.step), f"{engine.name} {epoch + 1}/{engine.params.epochs}", len(engine.places),
            initial=progress.step, leave=False, disable=None if engine.processes.first else True, file=sys.stderr,
        )  # fmt: skip
        for step, images, targets in bar:
            progress.add(step, engine.step(step, images, targets))
            if engine.left_out[-1:] == [step]:
                self._leave_out(step)
            if self.watch.due(step):
                self._look()
        self._look()
        record = self._scored(epoch)
        progress.finish(record, engine.judged())
        if self._seconds == 0 or self.watch.look(progress.bad).save:
            self._save()
        return record

    def finished(self) -> None:
        """What is left may take long, as an SVM's fit does: a stop in it must not cost the epochs before it."""
        self._look()
        self._save()

    @property
    def saved(self) -> str:
        if self.kept.folder is None:
            return "Nothing is saved: it was given no folder for that"
        return f"All is saved in {self.kept.folder}: the same command goes on from there"

    def _look(self) -> None:
        seen, progress = self.watch.look(self.progress.bad), self.progress
        if seen.bad >= 0:
            raise FerlineError(self._non_finite(seen.bad))
        if seen.stop or seen.save:
            self._save()
        if seen.stop:
            at = f"in epoch {len(progress.history) + 1}, after batch {progress.step}"
            at = "after its last epoch" if progress.over else at
            raise Preempted(f"{self.engine.name}: asked to stop (SIGTERM) {at}. {self.saved}")

    def _leave_out(self, step: int) -> None:
        self.progress.left_out += 1
        told = self._non_finite(step)
        if self.progress.left_out > self.engine.params.skip_non_finite:
            raise FerlineError(f"{told}. {self.engine.params.skip_non_finite} such batches were left out before it")
        print(f"{told}. It was left out", file=sys.stderr)

    def _non_finite(self, step: int) -> str:
        """What to say of a batch without a number; its images are written down for a look."""
        engine, epoch = self.engine, len(self.progress.history) + 1
        file = state_folder("non_finite") / f"{engine.name}-epoch-{epoch}-batch-{step + 1}.json"
        ids = self.faces.table["id"].to_numpy()[engine.train.rows]
        batches = {key: [str(i) for i in ids[self._of(at)]] for key, at in (("batch", step), ("before", step - 1))}
        if engine.processes.first:
            file.parent.mkdir(parents=True, exist_ok=True)
            where = {"name": engine.name, "epoch": epoch, "step": step + 1, "learning_rate": self._rate}
            write_json(file, where | batches)
        return (
            f"{engine.name}: the loss was NaN or infinite at epoch {epoch}, batch {step + 1}, "
            f"learning rate {self._rate:g}; its images are listed in {file}. "
            f"Lower architectures.{engine.name}.training.learning_rate or set its clip_norm"
        )

    def _of(self, step: int) -> np.ndarray:
        run = self.engine.places[step] if step >= 0 else range(0)
        return self.engine.order[run.start : run.stop]

    def _scored(self, epoch: int) -> Record:
        engine = self.engine
        loss, right, images = engine.processes.sum(self.progress.sums()).tolist()
        with engine.average.in_place() if engine.average else nullcontext():
            logits = scoring.over(engine.network, engine.network, engine.validation, engine.placement, engine.processes)
        found = scoring.scores(logits, engine.validation.labels)
        if not math.isfinite(found["loss"]):  # the epoch's last update broke what its loss did not show yet
            raise FerlineError(self._non_finite(len(engine.places) - 1))
        images = max(images, 1)  # none, where every batch was left out
        record = {"epoch": epoch + 1, "learning_rate": self._rate}
        record |= {"train_loss": loss / images, "train_accuracy": right / images}
        return record | {f"validation_{key}": value for key, value in found.items()}

    def _save(self) -> None:
        """Every process's part comes together; the first one writes."""
        if not self.engine.whole():  # an update whose loss was still a number
            raise FerlineError(self._non_finite(max(self.progress.step - 1, 0)))
        processes = self.engine.processes
        sums, random = processes.sum(self.progress.sums()).tolist(), processes.each(randomness.state())
        if processes.first:
            self.kept.save(self.engine.state(), self.progress.best, random, self.progress.numbers(sums))
        self.watch.saved()

    def _draw_on(self) -> None:
        """In the middle of an epoch the generators go on where they were: those of as many processes, if possible."""
        rank = self.engine.processes.rank
        if self.progress.step and len(self._random) == self.engine.processes.count:
            randomness.restore(self._random[rank])
        self._random = []


@torch.no_grad()
def without_denormals(network: Network) -> None:
    """To zero what a strong `l2` leaves of weights that nothing needs: a CPU takes 60 times as long over such numbers
    (cnn_lstm_svm in float32: 158 ms an image, and 2.7 without them), and no answer feels 1e-38."""
    for weight in network.parameters():
        weight[weight.abs() < torch.finfo(weight.dtype).tiny] = 0.0


def _write(
    training: Training,
    architecture: ArchitectureParams,
    faces: FaceSet,
    card: dict[str, Any],
    target: Path | None,
    before: Predecessors,
) -> TrainedModel:
    """The best epoch as a model: with its final classifier and its temperature, in float32, as it will answer."""
    engine, progress = training.engine, training.progress
    network, params = engine.network, engine.params
    network.load_state_dict(progress.best)
    without_denormals(network)
    if network.needs_head_fit:  # a two-stage network: its classifier is fitted on the training split's features only
        features = scoring.over(network, network.features, engine.train)
        network.fit_head(features.cpu().numpy(), engine.train.labels.cpu().numpy(), params.seed)
    logits, labels = scoring.over(network, network, engine.validation), engine.validation.labels
    stated = on_a_card(asdict(architecture))
    own = {
        "architecture": engine.name,
        "training": stated["training"],
        "augmentation": stated["augmentation"],
        "seed": params.seed,
        "split_digest": faces.split_digest,
        "best_epoch": progress.best_epoch + 1,
        "validation": scoring.scores(logits, labels),
        # Fitted on faces that were not trained on; the most probable emotion stays what it was.
        "temperature": temperature.fit(logits.double().cpu().numpy(), labels.cpu().numpy()),
        "computed": engine.computed(),
    }
    if network.tells_both:
        own["votes_temperature"] = _votes_temperature(training, faces)
    rows = np.concatenate([faces.rows("train"), faces.rows("validation")])
    seen = np.concatenate([fingerprints(faces.table["sha256"].to_numpy()[rows]), before.seen])
    looked = np.concatenate([look.looks(faces.images[row] for row in rows), before.looks])
    network.weights = stated["weights"]
    return TrainedModel.write(network, card | own | before.digests, progress.history, target, seen, looked)


def _votes_temperature(training: Training, faces: FaceSet) -> float:
    """Of the second head, fitted on the validation faces that were voted on."""
    engine = training.engine
    logits = scoring.over(engine.network, engine.network.as_voted, engine.validation).double().cpu().numpy()
    return temperature.fit_shares(logits, faces.second_opinions(engine.validation.rows))
