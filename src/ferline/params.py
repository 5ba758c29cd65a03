"""params.yaml, typed: every part of the pipeline owns one small dataclass here, checked before anything runs.

Plain dataclasses, so that the library imports on a machine without pydantic; only `load` needs it, to read the YAML.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ferline.emotions import EMOTIONS, KNOWN, in_order
from ferline.errors import FerlineError


def _require(ok: bool, key: str, value: object, allowed: str) -> None:
    if not ok:
        raise ValueError(f"{key}: {value!r} is not allowed; write {allowed}")


def _share(key: str, value: float) -> None:
    _require(0 <= value <= 1, key, value, "a share from 0 to 1")


PROTOCOLS = ("official", "random", "subject", "sequence")
PAPERS = ("resnet50_gru", "cnn_lstm", "cnn_lstm_svm", "resnet50_resnet34", "resnet50_transfer")


@dataclass(frozen=True)
class DatasetParams:
    """Which raw set, which of its emotions, and how it is split (ferline.datasets.protocols says how each is)."""

    name: str
    protocol: str = "official"
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    folds: int = 0
    seed: int = 0
    emotions: tuple[str, ...] = EMOTIONS
    labels: Literal["majority", "plurality", "own"] = "majority"
    fraction: float = 1.0

    def __post_init__(self) -> None:
        ok = bool(self.name) and "/" not in self.name and not self.name.startswith(".")
        _require(ok and not self.name.endswith(".dvc"), "name", self.name, "the name of a set under data/raw/")
        kind, _, rest = self.protocol.partition(":")
        known = self.protocol in PROTOCOLS or (kind == "paper" and rest in PAPERS) or (kind == "column" and bool(rest))
        allowed = f"{', '.join(PROTOCOLS)}, column:NAME or paper:KEY, KEY being one of {', '.join(PAPERS)}"
        _require(known, "protocol", self.protocol, allowed)
        _require(self.seed >= 0, "seed", self.seed, "0 or more")
        ok = all(s > 0 for s in self.shares) and abs(sum(self.shares) - 1) < 1e-9
        _require(ok, "shares", self.shares, "three shares above 0 (train, validation, test) that sum to 1")
        _require(self.folds == 0 or self.folds >= 3, "folds", self.folds, "0 (one split) or 3 and more")
        foldable = self.folds == 0 or self.protocol in ("random", "subject", "sequence")
        _require(
            foldable, "folds", self.folds, f"0 with protocol: {self.protocol}; random, subject and sequence have folds"
        )
        _require(0 < self.fraction <= 1, "fraction", self.fraction, "a share of the images above 0, at most 1")
        ordered = in_order(self.emotions)
        ok = len(ordered) == len(self.emotions) >= 2
        _require(ok, "emotions", list(self.emotions), f"two or more of {', '.join(KNOWN)}, each once")
        object.__setattr__(self, "emotions", ordered)


@dataclass(frozen=True)
class LeakageParams:
    """What is done about images that stand on two sides of the split (ferline.datasets.audit says how they are found).

    `drop` sets the copy aside that has less right to stay: training's before validation's before test's.
    """

    exact: Literal["report", "drop", "fail"] = "drop"
    near: Literal["report", "drop", "fail"] = "report"
    conflicts: Literal["report", "drop", "fail"] = "report"


@dataclass(frozen=True)
class ValidationParams:
    """What a raw set must satisfy before anything is trained on it."""

    min_per_class: int = 10
    min_side: int = 32
    max_side: int = 8192
    max_bad_share: float = 0.02
    leakage: LeakageParams = field(default_factory=LeakageParams)

    def __post_init__(self) -> None:
        _require(self.min_per_class >= 1, "min_per_class", self.min_per_class, "a whole number of at least 1")
        _require(1 <= self.min_side <= self.max_side, "min_side", self.min_side, "a number of pixels, at most max_side")
        _share("max_bad_share", self.max_bad_share)


@dataclass(frozen=True)
class FaceParams:
    """Haar detection, levelling and cropping."""

    detect: Literal["auto", True, False] = "auto"
    side: int = 96
    colour: Literal["rgb", "grey"] = "rgb"
    detection_side: int = 240
    scale_factor: float = 1.2
    min_neighbours: int = 3
    min_face_share: float = 0.2
    choose: Literal["largest", "central"] = "largest"
    level: bool = True
    margin: float = 0.1
    when_none: Literal["whole_image", "quarantine"] = "whole_image"
    denoise: Literal["none", "median", "bilateral", "gaussian"] = "none"
    equalise: Literal["none", "global", "clahe"] = "none"
    workers: int = 0

    def __post_init__(self) -> None:
        _require(24 <= self.side <= 1024, "side", self.side, "pixels from 24 to 1024")
        _require(64 <= self.detection_side <= 4096, "detection_side", self.detection_side, "pixels from 64 to 4096")
        _require(1.01 <= self.scale_factor <= 2, "scale_factor", self.scale_factor, "a factor from 1.01 to 2")
        _require(self.min_neighbours >= 1, "min_neighbours", self.min_neighbours, "a whole number of at least 1")
        _require(0 < self.min_face_share <= 1, "min_face_share", self.min_face_share, "a share above 0, at most 1")
        _require(0 <= self.margin <= 1, "margin", self.margin, "a share of the face from 0 to 1")
        _require(self.workers >= 0, "workers", self.workers, "0 (one a core) or a number of processes")


@dataclass(frozen=True)
class InputParams:
    """The image a network takes."""

    side: int
    channels: Literal[1, 3]

    def __post_init__(self) -> None:
        _require(24 <= self.side <= 512, "side", self.side, "pixels from 24 to 512")


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
    erasing: float = 0.0
    erasing_area: tuple[float, float] = (0.02, 0.15)
    fill: Literal["edge", "zero"] = "edge"
    balance: Literal["none", "oversample"] = "none"

    def __post_init__(self) -> None:
        _require(0 <= self.rotation <= 180, "rotation", self.rotation, "degrees from 0 to 180")
        _require(0 <= self.shear <= 60, "shear", self.shear, "degrees from 0 to 60")
        for key in ("zoom", "shift", "crop", "brightness", "contrast"):
            _require(0 <= getattr(self, key) < 1, key, getattr(self, key), "a share from 0 to below 1")
        for key in ("horizontal_flip", "vertical_flip", "erasing"):
            _share(key, getattr(self, key))
        low, high = self.erasing_area
        _require(0 < low <= high < 1, "erasing_area", self.erasing_area, "two shares of the image, small then large")


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
            _require(getattr(self, key) >= 1, key, getattr(self, key), "a whole number of at least 1")
        whole = ("warmup_epochs", "early_stopping", "grow_from", "seed", "skip_non_finite")
        for key in (*whole, "clip_norm", "weight_decay", "l2"):
            _require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        _share("grow_for", self.grow_for)
        _share("taught", self.taught)
        _require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a number above 0")
        for key in ("momentum", "ema"):
            _require(0 <= getattr(self, key) < 1, key, getattr(self, key), "a number from 0 to below 1")
        _require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "a number from 0 to below 1")
        _require(0 < self.schedule_factor < 1, "schedule_factor", self.schedule_factor, "a factor between 0 and 1")


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
            _require(getattr(self, key) >= 1, key, getattr(self, key), "a whole number of at least 1")
        for key in ("restarts", "checkpoint_seconds"):
            _require(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        _share("resident_share", self.resident_share)
        host, _, port = self.rendezvous.rpartition(":")
        ok = bool(host and port.isdigit()) if self.rendezvous else self.nodes == 1
        _require(ok, "rendezvous", self.rendezvous, "the first machine as host:port, such as gpu1:29400")
        _require(not (self.graphs and self.processes > 1), "graphs", True, "false with several devices or nodes")

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


@dataclass(frozen=True)
class OcclusionParams:
    """A blank square is moved over faces; shares are of the network's input side."""

    faces: int = 35
    window: float = 0.25
    stride: float = 0.125

    def __post_init__(self) -> None:
        _require(self.faces >= 0, "faces", self.faces, "0 (no maps) or a number of test faces")
        _require(0 < self.window < 1, "window", self.window, "a share of the side between 0 and 1")
        _require(0 < self.stride <= self.window, "stride", self.stride, "a share of the side above 0, at most window")


@dataclass(frozen=True)
class RobustnessParams:
    """Test faces are scored again with every corruption at every strength."""

    faces: int = 210
    strengths: int = 3

    def __post_init__(self) -> None:
        _require(self.faces >= 0, "faces", self.faces, "0 (not measured) or a number of test faces")
        _require(1 <= self.strengths <= 5, "strengths", self.strengths, "a whole number from 1 to 5")


@dataclass(frozen=True)
class EvaluationParams:
    """What is measured of every model besides its scores."""

    resamples: int = 2000
    slices: tuple[str, ...] = ("auto",)
    robustness: RobustnessParams = field(default_factory=RobustnessParams)
    occlusion: OcclusionParams = field(default_factory=OcclusionParams)
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.resamples >= 200, "resamples", self.resamples, "200 or more, for the ends of a 95% interval")
        _require(self.seed >= 0, "seed", self.seed, "0 or more")


@dataclass(frozen=True)
class GateParams:
    """What a model must clear before it may be champion; floors and ceilings on the test split."""

    min_macro_f1: float = 0.0
    min_class_recall: float = 0.0
    max_ece: float = 1.0
    max_robustness_drop: float = 1.0
    max_latency_ms: float = 1000.0
    max_size_mb: float = 1000.0

    def __post_init__(self) -> None:
        for key in ("min_macro_f1", "min_class_recall", "max_ece", "max_robustness_drop"):
            _share(key, getattr(self, key))
        _require(self.max_latency_ms > 0, "max_latency_ms", self.max_latency_ms, "milliseconds above 0")
        _require(self.max_size_mb > 0, "max_size_mb", self.max_size_mb, "megabytes above 0")


@dataclass(frozen=True)
class PromotionParams:
    """How the best model is chosen, and what it must beat."""

    mode: Literal["enforce", "dry-run", "off"] = "enforce"
    registered_name: str = "ferline"
    select_by: Literal["accuracy", "macro_f1", "balanced_accuracy"] = "macro_f1"
    select_on: Literal["validation"] = "validation"
    min_gain: float = 0.0
    significance: Literal["bootstrap", "mcnemar", "none"] = "bootstrap"
    level: float = 0.05
    gates: GateParams = field(default_factory=GateParams)

    def __post_init__(self) -> None:
        _require(self.min_gain >= 0, "min_gain", self.min_gain, "0 or more")
        _require(0 < self.level < 1, "level", self.level, "a probability between 0 and 1, such as 0.05")
        fits = self.significance != "mcnemar" or self.select_by == "accuracy"
        _require(
            fits, "significance", self.significance, f"bootstrap: McNemar's test is of accuracy, not {self.select_by}"
        )


@dataclass(frozen=True)
class Repetition:
    """One of the trainings of an architecture that make its row together."""

    architecture: ArchitectureParams
    fold: int | None = None
    seed: int | None = None

    @property
    def suffix(self) -> str:
        """What it adds to the names of its steps."""
        fold = "" if self.fold is None else f"_fold_{self.fold}"
        return fold if self.seed is None else f"{fold}_seed_{self.seed}"


@dataclass(frozen=True)
class Params:
    """All of params.yaml with its profile applied."""

    profile: str
    dataset: DatasetParams
    validation: ValidationParams
    faces: FaceParams
    architectures: dict[str, ArchitectureParams]
    promotion: PromotionParams
    seeds: int = 1
    evaluation: EvaluationParams = field(default_factory=EvaluationParams)
    compute: ComputeParams = field(default_factory=ComputeParams)

    def __post_init__(self) -> None:
        _require(self.seeds >= 1, "seeds", self.seeds, "a whole number of at least 1")
        once = self.seeds == 1 or not self.dataset.folds
        _require(once, "seeds", self.seeds, "1 with dataset.folds: folds have a spread of their own")
        _require(bool(self.architectures), "architectures", {}, "at least one architecture")
        for name, architecture in self.architectures.items():
            targets, own = architecture.training.targets, self.dataset.labels == "own"
            key = f"architectures.{name}.training.targets"
            ok = targets != "votes" or not own
            _require(
                ok, key, targets, "label or both; or dataset.labels: majority or plurality, which the votes decide"
            )
            ok = targets != "both" or own
            _require(
                ok, key, targets, "label or votes; or dataset.labels: own, beside which votes are a second opinion"
            )
            first, side = architecture.training.grow_from, architecture.input.side
            ok = first == 0 or max(24, side / 2) <= first < side
            _require(ok, f"{key[:-8]}.grow_from", first, f"0, or a side from {max(24, -(-side // 2))} to below {side}")

    def repetitions(self, name: str) -> list[Repetition]:
        """One training, or one a fold, or one a seed from the architecture's own on."""
        architecture = self.architectures[name]
        if self.dataset.folds:
            return [Repetition(architecture, fold=fold) for fold in range(self.dataset.folds)]
        if self.seeds == 1:
            return [Repetition(architecture)]
        first = architecture.training.seed
        return [
            Repetition(replace(architecture, training=replace(architecture.training, seed=seed)), seed=seed)
            for seed in range(first, first + self.seeds)
        ]


def load(path: Path | str = "params.yaml") -> Params:
    """Read params.yaml, lay its chosen profile over it and check every key; a FerlineError lists all that is wrong."""
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise FerlineError(f"{path}: cannot be read ({error.strerror}). Run from the project's folder") from None
    except yaml.YAMLError as error:
        raise FerlineError(f"{path}: not YAML: {error}") from None
    if not isinstance(content, dict):
        raise FerlineError(f"{path}: expected keys and values, found {type(content).__name__}")
    profiles = content.pop("profiles", None) or {}
    chosen = content.get("profile")
    if chosen not in profiles:
        raise FerlineError(f"{path}: profile: {chosen!r} is not allowed; write one of {', '.join(profiles)}")
    # Every profile is checked, not only the chosen one: a typo must not wait for the day of the long run.
    checked = {
        name: _check(_overlaid(content, overlay or {}) | {"profile": name}, f"{path} ({name})")
        for name, overlay in profiles.items()
    }
    return checked[chosen]


def _overlaid(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the overlay's values in place of its own, key by key at every depth; null takes a whole part away."""
    merged = deepcopy(dict(base))
    for key, value in overlay.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _overlaid(merged[key], value) if nested else deepcopy(value)
        if value is None and isinstance(base.get(key), Mapping):
            del merged[key]
    return merged


def _check(content: Mapping[str, Any], where: str) -> Params:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(_strict(Params)).validate_python(content)
    except ValidationError as error:
        lines = [f"{where}: {_line(problem)}" for problem in error.errors()]
        raise FerlineError("\n".join(lines)) from None


def _strict(kind: type) -> type:
    """Mark every dataclass here so that pydantic refuses keys it does not know."""
    for each in list(globals().values()):
        if isinstance(each, type) and each.__module__ == __name__ and hasattr(each, "__dataclass_fields__"):
            each.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return kind


def _line(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    kind, value = problem["type"], problem["input"]
    if kind == "unexpected_keyword_argument":
        known = _known_keys(problem["loc"][:-1])
        return f"{key}: unknown key; known here: {', '.join(known)}"
    if kind == "missing":
        return f"{key}: missing"
    message = problem["msg"].removeprefix("Value error, ")
    return (
        f"{key}.{message}"
        if kind == "value_error"
        else f"{key}: {value!r} is not allowed; {message[0].lower()}{message[1:]}"
    )


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    from typing import get_args, get_type_hints

    kind: Any = Params
    for part in location:
        hints = get_type_hints(kind) if hasattr(kind, "__dataclass_fields__") else {}
        kind = hints.get(part) or (get_args(kind) or (kind,))[-1]
    return sorted(getattr(kind, "__dataclass_fields__", {}))
