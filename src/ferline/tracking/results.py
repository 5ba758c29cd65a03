"""What the store says about finished runs: leaderboards, evaluations, the champion, and files for DVC to compare."""

import csv
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.exceptions import MlflowException

from ferline.artifact import scratch_folder, write_json
from ferline.errors import FerlineError
from ferline.tracking import exported, own_run, registry, rows, store

if TYPE_CHECKING:
    from ferline.evaluation.evaluate import Evaluation


def latest_parent() -> str:
    """The MLflow run of the newest pipeline run that got as far as a leaderboard."""
    found = store.search("tags.`ferline.kind` = 'pipeline' and tags.`ferline.leaderboard` LIKE '%'", 1)
    if not found:
        raise FerlineError(
            f"{mlflow.get_tracking_uri()} holds no finished run yet. Run: zenml pipeline run fer_training"
        )
    return str(found[0].info.run_id)


def latest_leaderboard() -> dict[str, Any]:
    return leaderboard_of(latest_parent())


def leaderboard_of(parent_id: str) -> dict[str, Any]:
    """leaderboard.json of a pipeline run."""
    try:
        return dict(mlflow.artifacts.load_dict(f"runs:/{parent_id}/leaderboard/leaderboard.json"))
    except (MlflowException, OSError) as error:
        raise FerlineError(
            f"MLflow run {parent_id} has no leaderboard to read: its pipeline run did not come so far ({error})"
        ) from None


def evaluations(parent_id: str) -> "list[Evaluation]":
    """Of a pipeline run, what its leaderboard compares, best first; downloaded into scratch space and verified."""
    found = []
    for row in leaderboard_of(parent_id)["rows"]:
        run_id = rows.find_row(parent_id, row["architecture"])
        if run_id is None:
            raise FerlineError(
                f"MLflow run {parent_id}: the row of {row['architecture']} was deleted. Run the pipeline"
            )
        found.append(_downloaded(run_id))
    return found


def champion_evaluation(name: str) -> "Evaluation | None":
    """The newest evaluation of the champion's weights; None without a champion, or where its rows were deleted."""
    champion = registry.champion(name)
    if champion is None:
        return None
    condition = f"tags.`{rows.MODEL}` = '{champion.digest}' and tags.`ferline.kind` = 'architecture'"
    found = store.search(condition, 1)
    return _downloaded(found[0].info.run_id) if found else None


def _downloaded(run_id: str) -> "Evaluation":
    from ferline.evaluation.evaluate import Evaluation

    folder = scratch_folder()
    try:
        mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(folder))
    except (MlflowException, OSError) as error:
        raise FerlineError(f"MLflow run {run_id}: its files cannot be read ({error})") from None
    return Evaluation(folder).verify()


def export(folder: Path) -> list[Path]:
    """metrics.json, promotion.json and .md, confusion.csv (a line a test face), curves.csv (a line an epoch).

    Of the newest run of this checkout; where it made none, of the newest in the store.
    """
    parent = own_run.own_parent() or latest_parent()
    board = leaderboard_of(parent)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metrics.json", {row["architecture"]: _numbers(row) for row in board["rows"]})
    exported.write_decision(folder, parent)
    _write_csv(folder / "confusion.csv", ["actual", "predicted"], _answers(board["rows"][0]["model_digest"]))
    curves = [point for row in board["rows"] for point in _curves(parent, row["architecture"])]
    names = sorted({key for point in curves for key in point} - {"architecture", "epoch"})
    _write_csv(
        folder / "curves.csv",
        ["architecture", "epoch", *names],
        ([p.get(k, "") for k in ("architecture", "epoch", *names)] for p in curves),
    )
    return sorted(folder.glob("*.*"))


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """What should be compared between commits: not digests, and not times measured on a busy machine."""
    kept = {key: row[key] for key in ("validation", "test", "parameters", "best_epoch") if key in row}
    return {key: _of_split(value) if isinstance(value, dict) else value for key, value in kept.items()}


def _of_split(values: dict[str, Any]) -> dict[str, Any]:
    """Its numbers and their intervals."""
    numbers = {
        key: value for key, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return numbers | {key: values[key] for key in ("intervals",) if key in values}


def _answers(model_digest: str) -> Iterable[list[str]]:
    import pandas as pd

    from ferline.models.trained import CARD

    rows = store.search(f"tags.`model.digest` = '{model_digest}' and tags.`ferline.kind` = 'architecture'", 1)
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(
            run_id=rows[0].info.run_id, artifact_path="predictions.parquet", dst_path=folder
        )
        table = pd.read_parquet(path)
    table = table[table["split"] == "test"]
    emotions = mlflow.artifacts.load_dict(f"runs:/{rows[0].info.run_id}/{CARD}")["emotions"]
    return [[emotions[a], emotions[p]] for a, p in zip(table["label"], table["predicted"], strict=True)]


def _curves(parent: str, architecture: str) -> list[dict[str, Any]]:
    """The row's own history; for a run served wholly from the cache, the newest row of that architecture."""
    kind = f"tags.`ferline.architecture` = '{architecture}'"
    kind += " and tags.`model.digest` LIKE '%'"  # a row that is whole
    found = store.search(f"{kind} and tags.`mlflow.parentRunId` = '{parent}'", 1) or store.search(kind, 1)
    history = mlflow.artifacts.load_dict(f"runs:/{found[0].info.run_id}/history.json")
    return [{"architecture": architecture, **record} for record in history]


def _write_csv(path: Path, header: list[str], lines: Iterable[Iterable[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(lines)
