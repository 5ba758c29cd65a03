"""What the store holds for the papers' tables: each paper's network on its own split, and on honest ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ferline.evaluation.predictions import SCORED
from ferline.models.trained import CARD, HISTORY
from ferline.reporting.claims import METRICS, PAPERS, Paper
from ferline.reporting.material import PaperRun, PaperRuns
from ferline.tracking import store

MOST = 5000  # rows looked at, newest first: a thousand pipeline runs of five models
UNAUDITED, LEAKING = (
    "nothing says that their split does not leak",
    "test images have a copy, a person or a video in training",
)
GONE = "their files cannot be read"
_NO_SETTINGS = ("training.seed", "training.device", "fold")
Numbers = dict[str, dict[str, float | None]]


class _Row:
    """One architecture's row of a paper's network; its files are read when they are asked for."""

    def __init__(self, run: Run, paper: Paper) -> None:
        params, tags = run.data.params, run.data.tags
        self.paper, self.run_id = paper, str(run.info.run_id)
        self.commit, self.architecture = tags.get(store.COMMIT, "none"), tags["ferline.architecture"]
        self.seed, self.optimiser = int(params["training.seed"]), params["training.optimiser"]
        self.dataset, self.protocol, self.digest = params["dataset.name"], tags["protocol"], tags["data.digest"]
        self.of_the_paper = self.protocol == f"paper:{paper.key}"
        self.pooled = "test/accuracy_sd" in run.data.metrics  # the mean of folds or seeds
        # Rows that are equal in these are repetitions of one another.
        same = sorted((key, value) for key, value in params.items() if key not in _NO_SETTINGS)
        self.settings = (self.digest, self.pooled, *same)

    @property
    def key(self) -> tuple[str, ...]:
        """Of equal ones, the newest settings are shown."""
        return self.paper.key, self.dataset, self.protocol, self.optimiser if self.paper.by_optimiser else ""

    def read(self, name: str) -> Any:
        return mlflow.artifacts.load_dict(f"runs:/{self.run_id}/{name}")


def paper_runs() -> PaperRuns:
    """For each paper, set and protocol the newest settings; of several trainings under these, mean and spread."""
    by_key: dict[tuple[str, ...], list[_Row]] = {}
    for row in _rows():
        by_key.setdefault(row.key, []).append(row)
    found: list[PaperRun] = []
    left_out: dict[str, int] = {}
    for rows in by_key.values():
        made = _newest(rows)
        if isinstance(made, PaperRun):
            found.append(made)
        else:
            left_out[made] = left_out.get(made, 0) + 1
    places = [paper.key for paper in PAPERS]
    found.sort(
        key=lambda run: (places.index(run.paper), not run.of_the_paper, run.dataset, run.protocol, run.optimiser)
    )
    return PaperRuns(tuple(found), left_out)


def _rows() -> Iterator[_Row]:
    """Whole rows of the papers' networks, newest first, but for those on the split of another paper."""
    papers = {paper.key: paper for paper in PAPERS}
    for run in store.search("tags.`ferline.kind` = 'architecture' and tags.`model.digest` LIKE '%'", MOST):
        if (paper := papers.get(run.data.params.get("model", ""))) is not None:
            row = _Row(run, paper)
            if row.of_the_paper or not row.protocol.startswith("paper:"):
                yield row


def _newest(rows: Sequence[_Row]) -> PaperRun | str:
    """Of the newest settings that may be shown; without any, why the newest may not.

    A variant under another name counts only where no row has the paper's own.
    """
    named, reasons = [row for row in rows if row.architecture == row.paper.key] or rows, []
    for settings in dict.fromkeys(row.settings for row in named):
        same = [row for row in named if row.settings == settings]
        try:
            card = same[0].read(CARD)
            if same[0].of_the_paper or not (reason := _not_honest(card.get("leaks"))):
                return _made(_one_a_seed(same), card)
        except (MlflowException, OSError):
            reason = GONE
        reasons.append(reason)
    return reasons[0]


def _one_a_seed(same: Sequence[_Row]) -> list[_Row]:
    """The newest of each, newest first; a row that is a mean of seeds or folds is no repetition of an older one."""
    newest: dict[int, _Row] = {}
    for row in same:
        newest.setdefault(row.seed, row)
    return [same[0]] if same[0].pooled else list(newest.values())


def _not_honest(leaks: Mapping[str, int] | None) -> str:
    if leaks is None:
        return UNAUDITED
    return LEAKING if any(leaks.values()) else ""


def _made(rows: Sequence[_Row], card: Mapping[str, Any]) -> PaperRun:
    """`rows`: one a seed."""
    newest, contents = rows[0], [row.read("evaluation.json") for row in rows]
    numbers = [_numbers(row, content) for row, content in zip(rows, contents, strict=True)]
    scores, several = contents[0]["splits"], len(rows) > 1
    return PaperRun(
        paper=newest.paper.key,
        architecture=newest.architecture,
        dataset=newest.dataset,
        protocol=newest.protocol,
        optimiser=newest.optimiser,
        numbers=_over(numbers, mean),
        sd=_over(numbers, stdev) if several else {split: scores[split].get("sd", {}) for split in SCORED},
        intervals={} if several else {split: scores[split].get("intervals", {}) for split in SCORED},
        faces={split: scores[split]["faces"] for split in SCORED},
        data_digest=newest.digest,
        commit=newest.commit,
        device=", ".join(sorted({str(content.get("device", "unknown")) for content in contents})),
        run_ids=tuple(row.run_id for row in rows),
        seeds=_seeds(newest) if newest.pooled else tuple(sorted(row.seed for row in rows)),
        folds=len(contents[0].get("folds", [])),
        fraction=float(card["dataset"].get("fraction", 1.0)),
        emotions=len(card["emotions"]),
    )


def _numbers(row: _Row, content: Mapping[str, Any]) -> Numbers:
    found: Numbers = {split: {name: content["splits"][split][name] for name in METRICS.values()} for split in SCORED}
    if any(claim.split == "train" for claim in row.paper.claims) and not row.pooled:
        kept = [record for record in row.read(HISTORY) if record["epoch"] == content["best_epoch"]]
        found["train"] = {"accuracy": kept[0]["train_accuracy"]} if kept else {}
    return found


def _over(numbers: Sequence[Numbers], what: Callable[[list[float]], float]) -> Numbers:
    """Mean or spread of every number; None where one of the trainings lacks it."""
    result: Numbers = {}
    for split, first in numbers[0].items():
        values = {name: [each[split].get(name) for each in numbers] for name in first}
        result[split] = {
            name: None if any(one is None for one in each) else what([float(one) for one in each if one is not None])
            for name, each in values.items()
        }
    return result


def _seeds(row: _Row) -> tuple[int, ...]:
    """Of a row that is a mean of several, those of the rows under it."""
    members = store.search(f"tags.`mlflow.parentRunId` = '{row.run_id}'")
    return tuple(
        sorted({int(run.data.params["training.seed"]) for run in members if "training.seed" in run.data.params})
    )
