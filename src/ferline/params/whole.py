"""All of params.yaml, and what no part of it can check alone."""

from dataclasses import dataclass, field, replace

from ferline.params.checks import require
from ferline.params.data import DatasetParams, FaceParams, ValidationParams
from ferline.params.judging import EvaluationParams, PromotionParams
from ferline.params.training import ArchitectureParams, ComputeParams


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
        require(self.seeds >= 1, "seeds", self.seeds, "a whole number of at least 1")
        once = self.seeds == 1 or not self.dataset.folds
        require(once, "seeds", self.seeds, "1 with dataset.folds: folds have a spread of their own")
        require(bool(self.architectures), "architectures", {}, "at least one architecture")
        for name, architecture in self.architectures.items():
            targets, own = architecture.training.targets, self.dataset.labels == "own"
            key = f"architectures.{name}.training.targets"
            ok = targets != "votes" or not own
            require(ok, key, targets, "label or both; or dataset.labels: majority or plurality, which the votes decide")
            ok = targets != "both" or own
            require(ok, key, targets, "label or votes; or dataset.labels: own, beside which votes are a second opinion")
            first, side = architecture.training.grow_from, architecture.input.side
            ok = first == 0 or max(24, side / 2) <= first < side
            require(ok, f"{key[:-8]}.grow_from", first, f"0, or a side from {max(24, -(-side // 2))} to below {side}")

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
