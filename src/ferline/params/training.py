"""One row of the comparison: the network, its input, its augmentation, its training, and what it runs on."""

from dataclasses import dataclass, field
from typing import Literal

from ferline.params.checks import require, share


@dataclass(frozen=True)
class InputParams:
    """The image a network takes."""

    side: int
    channels: Literal[1, 3]

    def __post_init__(self) -> None:
        require(24 <= self.side <= 512, "side", self.side, "pixels from 24 to 512")


@dataclass(frozen=True)
class AugmentationParams:
    """What is done to a training batch; every range is drawn anew for every image."""

    rotation: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    crop: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    erasing: float = 0.0
    erasing_area: tuple[float, float] = (0.02, 0.15)
    fill: Literal["edge", "zero"] = "edge"
    balance: Literal["none", "oversample"] = "none"

    def __post_init__(self) -> None:
        require(0 <= self.rotation <= 180, "rotation", self.rotation, "degrees from 0 to 180")
        require(0 <= self.shear <= 60, "shear", self.shear, "degrees from 0 to 60")
        for key in ("zoom", "shift", "crop", "brightness", "contrast", "noise"):
            require(0 <= getattr(self, key) < 1, key, getattr(self, key), "a share from 0 to below 1")
        for key in ("horizontal_flip", "vertical_flip", "erasing"):
            share(key, getattr(self, key))
        low, high = self.erasing_area
        require(0 < low <= high < 1, "erasing_area", self.erasing_area, "two shares of the image, small then large")


@dataclass(frozen=True)
class TrainingParams:
    """One training run."""

    epochs: int
    batch_size: int
    optimiser: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    l2: float = 0.0
    label_smoothing: float = 0.0
    targets: Literal["label", "votes", "both"] = "label"
    teachers: tuple[str, ...] = ()
    taught: float = 0.7
    class_weights: Literal["none", "balanced"] = "none"
    schedule: Literal["constant", "plateau", "cosine", "step"] = "constant"
    warmup_epochs: int = 0
    schedule_patience: int = 3
    schedule_factor: float = 0.1
    schedule_step: int = 10
    monitor: Literal["loss", "accuracy", "macro_f1"] = "accuracy"
    early_stopping: int = 0
    grow_from: int = 0
    grow_for: float = 0.6
    clip_norm: float = 0.0
    ema: float = 0.0
    skip_non_finite: int = 0
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "schedule_patience", "schedule_step"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "a whole number of at least 1")
        whole = ("warmup_epochs", "early_stopping", "grow_from", "seed", "skip_non_finite")
        for key in (*whole, "clip_norm", "weight_decay", "l2"):
            require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        share("grow_for", self.grow_for)
        share("taught", self.taught)
        alike = self.class_weights == "none" or not self.teachers
        require(alike, "class_weights", self.class_weights, "none with teachers, or augmentation.balance: oversample")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a number above 0")
        for key in ("momentum", "ema"):
            require(0 <= getattr(self, key) < 1, key, getattr(self, key), "a number from 0 to below 1")
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "a number from 0 to below 1")
        require(0 < self.schedule_factor < 1, "schedule_factor", self.schedule_factor, "a factor between 0 and 1")


@dataclass(frozen=True)
class ComputeParams:
    """What trainings run on. The batches, their order and what is done to them stay the same on any of it."""

    devices: int = 1
    nodes: int = 1
    rendezvous: str = ""
    restarts: int = 3
    resident_share: float = 0.5
    checkpoint_seconds: int = 60
    deterministic: bool = False
    compile: bool = False
    graphs: bool = False

    def __post_init__(self) -> None:
        for key in ("devices", "nodes"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "a whole number of at least 1")
        for key in ("restarts", "checkpoint_seconds"):
            require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        share("resident_share", self.resident_share)
        host, _, port = self.rendezvous.rpartition(":")
        ok = bool(host and port.isdigit()) if self.rendezvous else self.nodes == 1
        require(ok, "rendezvous", self.rendezvous, "the first machine as host:port, such as gpu1:29400")
        require(not (self.graphs and self.processes > 1), "graphs", True, "false with several devices or nodes")

    @property
    def processes(self) -> int:
        return self.devices * self.nodes


@dataclass(frozen=True)
class ArchitectureParams:
    """One row of the comparison: a registered model, its input, and how it is trained."""

    model: str
    input: InputParams
    training: TrainingParams
    weights: str = "none"
    options: dict[str, bool | int | float | str] = field(default_factory=dict)
    augmentation: AugmentationParams = field(default_factory=AugmentationParams)
