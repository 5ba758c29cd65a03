"""The folds or the seeds of one architecture as one Evaluation: means, spreads, and which model stands for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferline.artifact import link_or_copy, staging, write_json
from ferline.errors import FerlineError
from ferline.evaluation import bootstrap, robustness
from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.metrics import weakest_class
from ferline.evaluation.predictions import SCORED, arrays_of
from ferline.evaluation.scores import resampling_of, scores_of
from ferline.evaluation.slices import slices_of
from ferline.models.trained import CARD, HISTORY
from ferline.params import EvaluationParams


def pool(
    members: Sequence[Evaluation], select_by: str, params: EvaluationParams | None = None, target: Path | None = None
) -> Evaluation:
    """One row of the comparison from the evaluations of every fold, or of every seed.

    A single number is the mean over the members, has its standard deviation under `sd`, and its interval is the mean's.
    Of folds every face is told by the one model that had not seen it, and all of them make the confusion matrix, the
    emotions' numbers and the slices; the first fold's model may be promoted. Of seeds all tell the same faces: that
    part, and what may be promoted, is the seed's that is best by `select_by` on validation.
    """
    from ferline.evaluation import pictures  # matplotlib, for which nobody should wait who draws nothing

    params = params or EvaluationParams()
    kind = _kind(members)
    chosen = members[0] if kind == "folds" else _best(members, select_by)
    predictions = _together(members) if kind == "folds" else chosen.predictions
    probed = robustness.together([each.corrupted for each in (members if kind == "folds" else [chosen])])
    history = _mean_history(members)
    content = chosen.content | {
        "fold": None,
        "member_seed": None,
        "bootstrap": resampling_of(predictions, params),
        "splits": {split: _pooled(members, kind, split, predictions, params) for split in SCORED},
        "robustness": robustness.summary(probed, params.resamples, params.seed),
        "slices": slices_of(predictions, chosen.emotions, params),
        kind: [{split: _numbers(each.scores(split)) for split in SCORED} for each in members],
        "best_epoch": round(float(np.mean([each.content["best_epoch"] for each in members]))),
        "promotable": _numbers_for_gates(chosen),
    }
    with staging(target) as folder:
        write_json(folder / "evaluation.json", content)
        write_json(folder / HISTORY, history)
        predictions.to_parquet(folder / "predictions.parquet", index=False)
        if probed is not None:
            probed.to_parquet(folder / robustness.FILE, index=False)
        for name in (CARD, "latency.json"):
            link_or_copy(chosen.folder / name, folder / name)
        pictures.draw(folder, content, history, chosen.emotions)
    return Evaluation(target or folder)


def _kind(members: Sequence[Evaluation]) -> str:
    names = {each.architecture for each in members}
    if len(members) < 2 or len(names) > 1:
        raise FerlineError(
            f"folds or seeds of one architecture are pooled, two or more; got {len(members)} of {sorted(names)}"
        )
    for kind, marks in (
        ("folds", [each.fold for each in members]),
        ("seeds", [each.seed for each in members]),
    ):
        if None not in marks:
            if len(set(marks)) < len(marks):
                raise FerlineError(f"{members[0].architecture}: the same of its {kind} was given twice: {marks}")
            (_require_apart if kind == "folds" else _require_the_same)(members)
            return kind
    raise FerlineError(f"{members[0].architecture}: these evaluations are neither all folds nor all seeds")


def _require_apart(members: Sequence[Evaluation]) -> None:
    for split in SCORED:
        ids = pd.concat([each.predictions.loc[each.predictions["split"] == split, "id"] for each in members])
        if ids.duplicated().any():
            again = ids[ids.duplicated()].iloc[0]
            raise FerlineError(f"{members[0].architecture}: {again} is in the {split} part of two folds")


def _require_the_same(members: Sequence[Evaluation]) -> None:
    first = members[0].predictions[["split", "id", "label"]]
    for each in members[1:]:
        if not each.predictions[["split", "id", "label"]].equals(first):
            raise FerlineError(f"{each.architecture}: its seeds {members[0].seed} and {each.seed} told different faces")


def _best(members: Sequence[Evaluation], select_by: str) -> Evaluation:
    """The first of equals."""
    return max(members, key=lambda each: each.scores("validation")[select_by])


def _together(folds: Sequence[Evaluation]) -> pd.DataFrame:
    parts = [each.predictions.assign(fold=each.fold) for each in folds]
    return pd.concat(parts).sort_values(["split", "id"], ignore_index=True)


def _pooled(
    members: Sequence[Evaluation], kind: str, split: str, predictions: pd.DataFrame, params: EvaluationParams
) -> dict[str, Any]:
    emotions = members[0].emotions
    pooled = scores_of(predictions[predictions["split"] == split], emotions, params)
    each = pd.DataFrame([_numbers(member.scores(split)) for member in members]).drop(columns="faces")
    known = each.columns[each.notna().any()]
    # An emotion that a small fold lacks leaves some numbers of that fold uncomputed: the mean is of the others.
    means = {name: float(each[name].mean()) for name in known}
    spread = {name: float(each[name].std(ddof=1)) for name in known if each[name].notna().sum() > 1}
    return pooled | {
        **means,
        "sd": spread,
        "pooled": {name: pooled[name] for name in known},
        "intervals": pooled["intervals"] | _intervals(members, kind, split, list(known), params),
        "calibration": _calibration(members, split),
    }


def _intervals(
    members: Sequence[Evaluation], kind: str, split: str, names: Sequence[str], params: EvaluationParams
) -> dict[str, Any]:
    """Of the means. Seeds tell the same faces, so the same are drawn for all; folds are drawn each for itself.

    Where every resample of every member says the same, nothing was learnt from them: the pooled answers' stands.
    """
    answers = []
    for number, member in enumerate(members):
        of_split = member.predictions[member.predictions["split"] == split]
        seed = params.seed + (number if kind == "folds" else 0)
        answers.append(bootstrap.Answers(*arrays_of(of_split, member.emotions), seed))
    found = bootstrap.mean_intervals(answers, members[0].emotions, params.resamples)
    return {name: ends for name in names if (ends := found[name]) is None or ends[0] < ends[1]}


def _calibration(members: Sequence[Evaluation], split: str) -> dict[str, Any]:
    """Means over the members; the diagram's bins are of all their answers."""
    found = [member.scores(split)["calibration"] for member in members]
    means = {
        when: {name: float(np.mean([each[when][name] for each in found])) for name in found[0][when]}
        for when in ("before", "after")
    }
    return means | {bins: _bins([each[bins] for each in found]) for bins in ("bins_before", "bins")}


def _bins(diagrams: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    result = []
    for same in zip(*diagrams, strict=True):
        faces = sum(each["faces"] for each in same)
        told = {
            name: sum(each["faces"] * each[name] for each in same if each["faces"]) / faces if faces else None
            for name in ("confidence", "accuracy")
        }
        result.append({"low": same[0]["low"], "high": same[0]["high"], "faces": faces} | told)
    return result


def _numbers_for_gates(chosen: Evaluation) -> dict[str, float | None]:
    """What a gate asks of the one model that may be promoted; the row's own numbers are of all of them."""
    test, probed = chosen.scores("test"), chosen.content["robustness"]
    return {
        "macro_f1": test["macro_f1"],
        "min_class_recall": weakest_class(test)[1],
        "ece": test["ece"],
        "robustness_drop": probed["drop"] if probed else None,
    }


def _numbers(scores: dict[str, Any]) -> dict[str, float | None]:
    return {name: value for name, value in scores.items() if value is None or isinstance(value, int | float)}


def _mean_history(members: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """The mean curve over those that were still training; the epoch is the same in all of them."""
    records = pd.DataFrame([record for each in members for record in each.history])
    means = records.groupby("epoch", as_index=False).mean()
    return [
        {str(key): int(value) if key == "epoch" else float(value) for key, value in record.items()}
        for record in means.to_dict(orient="records")
    ]
