"""The folds of one architecture as one Evaluation: means, their spread, and every face's answer in one matrix."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferline.artifact import link_or_copy, staging, write_json
from ferline.errors import FerlineError
from ferline.evaluation import figures
from ferline.evaluation.evaluate import SCORED, Evaluation, score_of
from ferline.models.trained import CARD, HISTORY


def pool(folds: Sequence[Evaluation], target: Path | None = None) -> Evaluation:
    """One row of the comparison from the evaluations of every fold, in order of fold.

    A single number is the mean over the folds and has its standard deviation under `sd`; the confusion matrix and what
    is said of each emotion come from all faces together, each of them told by the one model that had not seen it.
    The card and the weights' digest are the first fold's: that is the model which may be promoted.
    """
    _require_whole(folds)
    first, predictions = folds[0], _predictions(folds)
    splits = {split: _pooled(folds, split, predictions) for split in SCORED}
    content = first.content | {
        "fold": None,
        "splits": splits,
        "folds": [{split: _numbers(fold.scores(split)) for split in SCORED} for fold in folds],
        "best_epoch": round(float(np.mean([fold.content["best_epoch"] for fold in folds]))),
    }
    history = _mean_history(folds)
    with staging(target) as folder:
        write_json(folder / "evaluation.json", content)
        write_json(folder / HISTORY, history)
        predictions.to_parquet(folder / "predictions.parquet", index=False)
        for name in (CARD, "latency.json"):
            link_or_copy(first.folder / name, folder / name)
        _draw(folder, first, splits, history, len(folds))
    return Evaluation(target or folder)


def _require_whole(folds: Sequence[Evaluation]) -> None:
    names = {fold.architecture for fold in folds}
    if len(folds) < 2 or len(names) > 1:
        raise FerlineError(f"folds of one architecture are pooled, two or more; got {len(folds)} of {sorted(names)}")
    for split in SCORED:
        ids = pd.concat([fold.predictions.loc[fold.predictions["split"] == split, "id"] for fold in folds])
        if ids.duplicated().any():
            again = ids[ids.duplicated()].iloc[0]
            raise FerlineError(f"{folds[0].architecture}: {again} is in the {split} part of two folds")


def _predictions(folds: Sequence[Evaluation]) -> pd.DataFrame:
    parts = [fold.predictions.assign(fold=number) for number, fold in enumerate(folds)]
    return pd.concat(parts).sort_values(["split", "id"], ignore_index=True)


def _pooled(folds: Sequence[Evaluation], split: str, predictions: pd.DataFrame) -> dict[str, Any]:
    pooled = score_of(predictions, split, folds[0].emotions)
    each = pd.DataFrame([_numbers(fold.scores(split)) for fold in folds]).drop(columns="faces")
    known = each.columns[each.notna().any()]
    # An emotion that a small fold lacks leaves some numbers of that fold uncomputed: the mean is of the others.
    means = {name: float(each[name].mean()) for name in known}
    spread = {name: float(each[name].std(ddof=1)) for name in known if each[name].notna().sum() > 1}
    return pooled | means | {"sd": spread, "pooled": {name: pooled[name] for name in known}}


def _numbers(scores: dict[str, Any]) -> dict[str, float | None]:
    return {name: value for name, value in scores.items() if value is None or isinstance(value, int | float)}


def _mean_history(folds: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """The mean curve over the folds that were still training; the epoch is the same in all of them."""
    records = pd.DataFrame([record for fold in folds for record in fold.history])
    means = records.groupby("epoch", as_index=False).mean()
    return [
        {str(key): int(value) if key == "epoch" else float(value) for key, value in record.items()}
        for record in means.to_dict(orient="records")
    ]


def _draw(folder: Path, first: Evaluation, splits: dict[str, Any], history: list[dict[str, Any]], folds: int) -> None:
    name = first.architecture
    for split, numbers in splits.items():
        told = ", ".join(
            f"{words} {numbers[key]:.3f} ± {numbers['sd'][key]:.3f}"
            for key, words in (("accuracy", "accuracy"), ("macro_f1", "macro-F1"))
        )
        title = f"{name} on {split}: {numbers['faces']:,} faces of {folds} folds, {told}"
        figures.save(figures.confusion(numbers["confusion"], first.emotions, title), folder / f"confusion_{split}.png")
    figures.save(figures.curves(history, f"{name}: mean of {folds} folds"), folder / "curves.png")
