"""What a report is made from: artifacts and plain data, wherever they came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.leaderboard import Leaderboard


@dataclass(frozen=True)
class Run:
    """One pipeline run as the store knows it; times in UTC, as text."""

    run_id: str
    name: str
    store: str
    started: str
    ended: str | None
    commit: str
    changed: bool  # whether files differed from the commit
    host: str


@dataclass(frozen=True)
class PaperRun:
    """What one paper's network reached on one set under one protocol, by the newest runs that had the same settings.

    `numbers[split][metric]`: shares, means where there are several seeds or folds, and then `sd` has their spread;
    `intervals` are there of a single training only.
    """

    paper: str
    architecture: str
    dataset: str
    protocol: str
    optimiser: str
    numbers: Mapping[str, Mapping[str, float | None]]
    faces: Mapping[str, int]
    data_digest: str
    commit: str
    device: str
    run_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    folds: int = 0
    fraction: float = 1.0
    emotions: int = 7
    sd: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)

    @property
    def of_the_paper(self) -> bool:
        """Whether the split is the paper's own, leaks included."""
        return self.protocol == f"paper:{self.paper}"


@dataclass(frozen=True)
class PaperRuns:
    """`left_out`: why, and how many, results are not among the honest ones."""

    found: tuple[PaperRun, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """`evaluations` are those of the leaderboard's rows; `decision` is promotion.json, where the run came to one."""

    run: Run
    leaderboard: Leaderboard
    evaluations: tuple[Evaluation, ...]
    decision: dict[str, Any] | None
    champion: Evaluation | None
    papers: PaperRuns

    @property
    def ranked(self) -> list[Evaluation]:
        """In the leaderboard's order."""
        by_name = {each.architecture: each for each in self.evaluations}
        return [by_name[row["architecture"]] for row in self.leaderboard.rows]
