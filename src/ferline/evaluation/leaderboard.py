"""Leaderboard: all evaluations of one dataset side by side, ranked on validation alone."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferline.artifact import Artifact, staging, write_json
from ferline.errors import FerlineError
from ferline.evaluation.bootstrap import numbered
from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.metrics import weakest_class
from ferline.evaluation.predictions import SCORED, together
from ferline.evaluation.significance import pairs
from ferline.evaluation.tables import METRIC_NAMES, as_markdown, as_text
from ferline.params import PromotionParams

COMPARED = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "macro_specificity",
    "macro_roc_auc",
    "ece",
    "brier",
)
WITH_INTERVAL = ("accuracy", "macro_f1", "balanced_accuracy")
TIE_RULE = "fewer parameters, then fewer bytes, then the name in alphabetical order"


class Leaderboard(Artifact):
    """`leaderboard.json`, the same as `leaderboard.md` for people, `comparison.png` and `confusions.png`."""

    @cached_property
    def content(self) -> dict[str, Any]:
        return dict(self.read_json("leaderboard.json"))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One a model, the best first."""
        return list(self.content["rows"])

    @property
    def best(self) -> dict[str, Any]:
        return self.rows[0]

    def text(self, width: int = 120) -> str:
        """The table for a terminal of that many columns."""
        return as_text(self.content, width)

    def summary(self) -> dict[str, Any]:
        select_by = self.content["select_by"]
        return {
            "models": len(self.rows),
            "best": self.best["architecture"],
            f"validation_{select_by}": self.best["validation"][select_by],
            f"test_{select_by}": self.best["test"][select_by],
        }


def compare(evaluations: Sequence[Evaluation], promotion: PromotionParams, target: Path | None = None) -> Leaderboard:
    """Rank evaluations of the same faces by promotion.select_by on validation; the test split is only reported."""
    _check_comparable(evaluations)
    rows = [_row(evaluation) for evaluation in evaluations]
    rows.sort(key=lambda row: _rank(row, promotion.select_by, promotion.select_on))
    by_name = {evaluation.architecture: evaluation for evaluation in evaluations}
    ranked = [by_name[row["architecture"]] for row in rows]
    apart = pairs({evaluation.architecture: _right(evaluation) for evaluation in ranked}, _people(ranked[0]))
    for row in rows:
        row["p_versus_best"] = _p_versus(rows[0]["architecture"], row["architecture"], apart)
    content = {
        "select_by": promotion.select_by,
        "select_on": promotion.select_on,
        "ties": TIE_RULE,
        "data_digest": rows[0]["data_digest"],
        "faces": {split: ranked[0].scores(split)["faces"] for split in SCORED},
        "rows": rows,
        "pairs": apart,
    }
    with staging(target) as folder:
        write_json(folder / "leaderboard.json", content)
        (folder / "leaderboard.md").write_text(as_markdown(content))
        _draw(folder, content, ranked)
    return Leaderboard(target or folder)


def _check_comparable(evaluations: Sequence[Evaluation]) -> None:
    if not evaluations:
        raise FerlineError(
            "nothing to compare: no evaluations were given. Train and evaluate at least one architecture"
        )
    names = [evaluation.architecture for evaluation in evaluations]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FerlineError(
            f"more than one evaluation is named {', '.join(twice)}: give every architecture its own name"
        )
    digests = {evaluation.architecture: str(evaluation.content["data_digest"]) for evaluation in evaluations}
    if len(set(digests.values())) > 1:
        seen = ", ".join(f"{name} on {digest[:12]}" for name, digest in digests.items())
        raise FerlineError(f"models trained on different data cannot be ranked: {seen}. Train them all on one dataset")
    first = _faces(evaluations[0])
    for evaluation in evaluations[1:]:
        if not _faces(evaluation).equals(first):
            raise FerlineError(
                f"{evaluations[0].architecture} and {evaluation.architecture} were scored on different faces: "
                f"ids, splits or labels differ. Evaluate both on faces of the same samples"
            )


def _faces(evaluation: Evaluation) -> pd.DataFrame:
    """Which faces were scored, in an order that does not depend on theirs in the file."""
    return evaluation.predictions[["split", "id", "label"]].sort_values(["split", "id"], ignore_index=True)


def _row(evaluation: Evaluation) -> dict[str, Any]:
    content = evaluation.content
    return {
        "architecture": evaluation.architecture,
        "model_digest": content["model_digest"],
        "data_digest": content["data_digest"],
        "protocol": content["protocol"],
        "folds": len(content.get("folds", [])),
        "seeds": len(content.get("seeds", [])),
        "seed": content["seed"],
        "parameters": content["parameters"],
        "size_bytes": content["size_bytes"],
        "size_mb": content["size_bytes"] / 1e6,
        "latency_ms": evaluation.latency_ms,
        "best_epoch": content["best_epoch"],
        "robustness_drop": content["robustness"]["drop"] if content["robustness"] else None,
        "promotable": content.get("promotable"),  # of several trainings, the numbers of the one that may be promoted
        **{split: _figures_of(evaluation.scores(split)) for split in SCORED},
    }


def _figures_of(scores: dict[str, Any]) -> dict[str, Any]:
    """One split of one row."""
    weakest, recall = weakest_class(scores)
    return {
        **{name: scores[name] for name in COMPARED},
        "intervals": {name: scores["intervals"][name] for name in WITH_INTERVAL},
        "min_class_recall": recall,
        "min_class": weakest,
        **({"sd": {name: scores["sd"].get(name) for name in COMPARED}} if "sd" in scores else {}),
    }


def _rank(row: dict[str, Any], select_by: str, select_on: str) -> tuple[float, int, int, str]:
    """Ascending. Twelve digits: the same mean summed in another order must still be a tie."""
    return -round(row[select_on][select_by], 12), row["parameters"], row["size_bytes"], row["architecture"]


def _p_versus(best: str, other: str, apart: Sequence[dict[str, Any]]) -> float | None:
    """Of the test against the first row, adjusted for all pairs; None of the first row itself."""
    found = (pair["p_adjusted"] for pair in apart if {pair["first"], pair["second"]} == {best, other})
    return next(found, None)


def _right(evaluation: Evaluation) -> np.ndarray:
    """Whether each test face was told right, in order of id."""
    test = _tested(evaluation)
    return (test["label"] == test["predicted"]).to_numpy()


def _people(evaluation: Evaluation) -> np.ndarray | None:
    """Who is in each of them, as a number; None where nobody is named."""
    tested = _tested(evaluation)
    groups = together(tested)
    return None if groups is None else numbered(groups, len(tested))


def _tested(evaluation: Evaluation) -> pd.DataFrame:
    return evaluation.predictions[evaluation.predictions["split"] == "test"].sort_values("id")


def _draw(folder: Path, content: dict[str, Any], ranked: Sequence[Evaluation]) -> None:
    from ferline.evaluation import figures  # matplotlib, for which nobody should wait who draws nothing

    rows, faces = content["rows"], content["faces"]
    models = f"{len(rows)} models" if len(rows) > 1 else "1 model"
    order = f"best {METRIC_NAMES[content['select_by']]} on {content['select_on']} first"
    title = f"{models} on {faces['validation']:,} validation and {faces['test']:,} test faces, {order}"
    figures.save(figures.comparison(rows, title), folder / "comparison.png")
    matrices = {
        f"{evaluation.architecture} (accuracy {evaluation.scores('test')['accuracy']:.1%})": evaluation.scores("test")
        for evaluation in ranked
    }
    title = f"Confusion on test: {faces['test']:,} faces, % of the true emotion (rows) by prediction"
    confusions = {name: scores["confusion"] for name, scores in matrices.items()}
    figures.save(figures.confusions(confusions, ranked[0].emotions, title), folder / "confusions.png")
