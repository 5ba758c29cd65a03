"""What is measured of a model, and what it must reach to be used."""

from dataclasses import dataclass, field
from typing import Literal

from ferline.params.checks import require, share


@dataclass(frozen=True)
class OcclusionParams:
    """A blank square is moved over faces; shares are of the network's input side."""

    faces: int = 35
    window: float = 0.25
    stride: float = 0.125

    def __post_init__(self) -> None:
        require(self.faces >= 0, "faces", self.faces, "0 (no maps) or a number of test faces")
        require(0 < self.window < 1, "window", self.window, "a share of the side between 0 and 1")
        require(0 < self.stride <= self.window, "stride", self.stride, "a share of the side above 0, at most window")


@dataclass(frozen=True)
class RobustnessParams:
    """Test faces are scored again with every corruption at every strength."""

    faces: int = 210
    strengths: int = 3

    def __post_init__(self) -> None:
        require(self.faces >= 0, "faces", self.faces, "0 (not measured) or a number of test faces")
        require(1 <= self.strengths <= 5, "strengths", self.strengths, "a whole number from 1 to 5")


@dataclass(frozen=True)
class EvaluationParams:
    """What is measured of every model besides its scores."""

    resamples: int = 2000
    slices: tuple[str, ...] = ("auto",)
    robustness: RobustnessParams = field(default_factory=RobustnessParams)
    occlusion: OcclusionParams = field(default_factory=OcclusionParams)
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.resamples >= 200, "resamples", self.resamples, "200 or more, for the ends of a 95% interval")
        require(self.seed >= 0, "seed", self.seed, "0 or more")


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
            share(key, getattr(self, key))
        require(self.max_latency_ms > 0, "max_latency_ms", self.max_latency_ms, "milliseconds above 0")
        require(self.max_size_mb > 0, "max_size_mb", self.max_size_mb, "megabytes above 0")


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
        require(self.min_gain >= 0, "min_gain", self.min_gain, "0 or more")
        require(0 < self.level < 1, "level", self.level, "a probability between 0 and 1, such as 0.05")
        fits = self.significance != "mcnemar" or self.select_by == "accuracy"
        require(
            fits, "significance", self.significance, f"bootstrap: McNemar's test is of accuracy, not {self.select_by}"
        )
