"""The training loop: one network, one face set, one policy; the best epoch on validation comes out.

Everything random in epoch e (order, augmentation, dropout) follows from (seed, e), so a training that was killed and
started again gives the losses and weights of one that never was.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch.nn import functional
from tqdm import tqdm

from ferline.augment.batch import Augmenter
from ferline.augment.policy import AugmentationPolicy
from ferline.augment.sampling import order
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models import temperature
from ferline.models.network import Network, to_input
from ferline.models.registry import create
from ferline.models.trained import TrainedModel, fingerprints
from ferline.params import ArchitectureParams, TrainingParams
from ferline.training.batches import Batches
from ferline.training.checkpoint import Checkpoints
from ferline.training.schedule import learning_rate, optimiser

Record = dict[str, Any]
CHECK_EVERY = 20  # steps between looks at the loss: a look waits for the device


def train(
    name: str,
    architecture: ArchitectureParams,
    faces: FaceSet,
    policy: AugmentationPolicy,
    *,
    card: dict[str, Any],
    checkpoints: Path | None = None,
    on_epoch: Callable[[Record], None] = lambda record: None,
    target: Path | None = None,
) -> TrainedModel:
    """Train one architecture and write its best epoch; `card` is what the caller knows of where the data came from."""
    params = architecture.training
    torch.manual_seed(params.seed)
    device = device_of(params)
    network = create(architecture.model, architecture.input, architecture.weights, architecture.options, faces.emotions)
    network = network.to(device)
    session = Session(name, network, architecture, policy, faces, device)
    kept = Checkpoints(checkpoints)
    state = _resume(session, kept.latest(), on_epoch)

    for epoch in range(len(state.history), params.epochs):
        if state.stopped(params):
            break
        record = session.run_epoch(epoch, learning_rate(params, epoch, state.history))
        state.add(record, params.monitor, network)
        on_epoch(record)
        record_of = {"history": state.history, "scaler": session.scaler.state_dict()}
        kept.save(epoch, network.state_dict(), state.best, session.optimiser.state_dict(), record_of)

    network.load_state_dict(state.best)
    session.finish()
    rows = np.concatenate([faces.rows("train"), faces.rows("validation")])
    seen = fingerprints(faces.table["sha256"].to_numpy()[rows])
    model = TrainedModel.write(network, card | session.card(state), state.history, target, seen)
    kept.clear()
    return model


@dataclass
class Progress:
    """What a training has to show so far."""

    history: list[Record]
    best: dict[str, torch.Tensor]
    best_epoch: int

    def add(self, record: Record, monitor: str, network: Network) -> None:
        self.history.append(record)
        if self.best_epoch < 0 or _better(record, self.history[self.best_epoch], monitor):
            self.best_epoch = record["epoch"] - 1
            self.best = {key: value.detach().clone() for key, value in network.state_dict().items()}

    def stopped(self, params: TrainingParams) -> bool:
        waited = len(self.history) - 1 - self.best_epoch
        return bool(params.early_stopping) and waited >= params.early_stopping


class Session:
    """One network on one device with its data, its augmentation and its optimiser."""

    def __init__(
        self,
        name: str,
        network: Network,
        architecture: ArchitectureParams,
        policy: AugmentationPolicy,
        faces: FaceSet,
        device: torch.device,
    ) -> None:
        self.name, self.network, self.architecture, self.device = name, network, architecture, device
        self.params = architecture.training
        self.train = Batches(faces, "train", device, self.params.targets)
        self.validation = Batches(faces, "validation", device)
        self.balance = policy.params.balance
        self.augment = Augmenter(policy.params, architecture.input, *network.normalisation, seed=self.params.seed)
        self.optimiser = optimiser(network.parameters(), self.params)
        self.class_weights = (
            _class_weights(self.train.labels, len(faces.emotions)) if self.params.class_weights == "balanced" else None
        )
        self.precision, self.scaler = _precision(self.params.precision, device)

    def run_epoch(self, epoch: int, rate: float) -> Record:
        """Train over every image once, then score validation."""
        torch.manual_seed(self.params.seed * 100_003 + epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss, accuracy = self._train_epoch(epoch, rate)
        return {
            "epoch": epoch + 1,
            "learning_rate": rate,
            "train_loss": loss,
            "train_accuracy": accuracy,
            **_scores(self.told(), self.validation.labels),
        }

    def _train_epoch(self, epoch: int, rate: float) -> tuple[float, float]:
        self.network.train()
        positions = order(self.train.labels.cpu().numpy(), self.params.seed, epoch, self.balance)
        totals = torch.zeros(3, device=self.device)  # loss, right answers, images: read once, at the end
        bad = torch.tensor(-1, device=self.device)  # the first step whose loss was no number
        batches = self.train.draw(positions, self.params.batch_size, drop_single=True)
        count = -(-len(positions) // self.params.batch_size)
        label = f"{self.name} {epoch + 1}/{self.params.epochs}"
        for step, (images, targets) in enumerate(
            tqdm(batches, label, count, leave=False, disable=None, file=sys.stderr)
        ):
            loss, right = self._step(self.augment(images, epoch, step), targets)
            totals += torch.stack([loss * len(targets), right, right.new_tensor(len(targets))])
            bad = torch.where((bad < 0) & ~torch.isfinite(loss), step, bad)
            if step % CHECK_EVERY == 0:
                self._refuse_non_finite(bad, epoch, rate)
        self._refuse_non_finite(bad, epoch, rate)
        loss_sum, right_sum, images_seen = totals.tolist()
        return loss_sum / images_seen, right_sum / images_seen

    def _step(self, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with self.precision():
            logits = self.network(inputs)
        loss = self.loss(logits.float(), targets)
        total = loss
        if self.params.l2:
            total = loss + self.params.l2 * sum(p.square().sum() for p in self.network.regularised())
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()
        if self.params.clip_norm:
            self.scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.params.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        labels = targets if targets.ndim == 1 else targets.argmax(1)
        return loss.detach(), (logits.argmax(1) == labels).sum().float()

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Of labels [N], or of shares [N, emotions] that sum to 1."""
        weights, smoothing = self.class_weights, self.params.label_smoothing
        if weights is None or targets.ndim == 1:
            return functional.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
        # Of shares torch divides by the images, of labels by their weights; here both are divided by their weights.
        total = functional.cross_entropy(logits, targets, weights, reduction="sum", label_smoothing=smoothing)
        return total / (targets @ weights).sum()

    def told(self) -> torch.Tensor:
        """The network's logits of every validation face."""
        with torch.inference_mode():
            return self._over(self.validation, self.network)

    def finish(self) -> None:
        """A two-stage network gets its final classifier, fitted on the training split's features only."""
        if not self.network.needs_head_fit:
            return
        with torch.inference_mode():
            features = self._over(self.train, self.network.features).cpu().numpy()
        self.network.fit_head(features, self.train.labels.cpu().numpy(), self.params.seed)

    def _over(self, batches: Batches, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        self.network.eval()
        parts = []
        for images, _ in batches.draw(np.arange(len(batches)), max(self.params.batch_size, 256)):
            with self.precision():
                parts.append(function(to_input(images, *self.network.normalisation)).float())
        return torch.cat(parts)

    def card(self, state: Progress) -> dict[str, Any]:
        """What the saved model says of its training; the network adds what it knows of itself."""
        logits, labels = self.told(), self.validation.labels  # of what is saved: best epoch, final classifier
        scores = _scores(logits, labels)
        return {
            "architecture": self.name,
            "training": asdict(self.params),
            "augmentation": asdict(self.architecture.augmentation),
            "seed": self.params.seed,
            "best_epoch": state.best_epoch + 1,
            "validation": {key.removeprefix("validation_"): value for key, value in scores.items()},
            # Fitted on faces that were not trained on; the most probable emotion stays what it was.
            "temperature": temperature.fit(logits.double().cpu().numpy(), labels.cpu().numpy()),
        }

    def _refuse_non_finite(self, bad: torch.Tensor, epoch: int, rate: float) -> None:
        if (step := int(bad)) >= 0:
            raise FerlineError(
                f"{self.name}: the loss was NaN or infinite at epoch {epoch + 1}, batch {step + 1}, "
                f"learning rate {rate:g}. "
                f"Lower architectures.{self.name}.training.learning_rate or set its clip_norm"
            )


@torch.inference_mode()
def _scores(logits: torch.Tensor, labels: torch.Tensor) -> Record:
    """Loss without smoothing or weights, accuracy and macro F1 of a whole split."""
    predicted = logits.argmax(1)
    f1 = f1_score(labels.cpu(), predicted.cpu(), labels=labels.unique().cpu(), average="macro", zero_division=0)
    return {
        "validation_loss": functional.cross_entropy(logits, labels).item(),
        "validation_accuracy": (predicted == labels).float().mean().item(),
        "validation_macro_f1": float(f1),
    }


def device_of(params: TrainingParams) -> torch.device:
    if params.device == "cuda" and not torch.cuda.is_available():
        raise FerlineError("training.device: 'cuda' was asked for and torch finds none; write 'auto' or 'cpu'")
    return torch.device("cuda" if params.device != "cpu" and torch.cuda.is_available() else "cpu")


def _resume(session: Session, found: dict[str, Any] | None, on_epoch: Callable[[Record], None]) -> Progress:
    if found is None:
        return Progress([], {}, -1)
    session.network.load_state_dict(found["network"])
    session.optimiser.load_state_dict(found["optimiser"])
    session.scaler.load_state_dict(found["scaler"])
    history, monitor = found["history"], session.params.monitor
    best = 0
    for index, record in enumerate(history):
        best = index if _better(record, history[best], monitor) else best
        on_epoch(record)  # whoever listens sees the whole training, not only what is left of it
    return Progress(history, {k: v.to(session.device) for k, v in found["best"].items()}, best)


def _better(record: Record, than: Record, monitor: str) -> bool:
    value, reference = record[f"validation_{monitor}"], than[f"validation_{monitor}"]
    return value < reference if monitor == "loss" else value > reference


def _class_weights(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Inverse to a class's share, 1 on average over the images; a class with no image has nothing to weigh."""
    counts = torch.bincount(labels, minlength=classes).float()
    present = counts > 0
    return torch.where(present, counts.sum() / (present.sum() * counts.clamp(min=1)), torch.zeros_like(counts))


def _precision(
    asked: str, device: torch.device
) -> tuple[Callable[[], AbstractContextManager[Any]], torch.amp.GradScaler]:
    """auto: bfloat16 where the GPU has it, float16 with loss scaling where it has not, float32 on a CPU."""
    if asked == "auto":
        asked = "float32" if device.type == "cpu" else "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    scaler = torch.amp.GradScaler(device.type, enabled=asked == "float16")
    if asked == "float32":
        return nullcontext, scaler
    return lambda: torch.autocast(device.type, dtype=getattr(torch, asked)), scaler
