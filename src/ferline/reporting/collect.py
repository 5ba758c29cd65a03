"""What `ferline report` is made from, collected from the store."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from ferline.artifact import scratch_folder
from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import Leaderboard
from ferline.reporting.material import Material, Run
from ferline.reporting.paper_runs import paper_runs
from ferline.tracking import rows, store
from ferline.tracking.results import champion_evaluation, evaluations, latest_parent, leaderboard_of


def material(run: str | None, registered_name: str) -> Material:
    """Of the pipeline run that `run` names (ZenML's id or name of it, or MLflow's id); None: the newest whole one."""
    store.require_reachable()
    parent = _found(run) if run else store.client().get_run(latest_parent())
    parent_id = str(parent.info.run_id)
    if "pairs" not in leaderboard_of(parent_id):
        raise FerlineError(
            f"MLflow run {parent_id} is of an earlier version of ferline, which measured less. Run the pipeline again"
        )
    return Material(
        _told(parent),
        Leaderboard(_download(parent_id, "leaderboard")).verify(),
        tuple(evaluations(parent_id)),
        _decision(parent_id),
        champion_evaluation(registered_name),
        paper_runs(),
    )


def _found(run: str) -> MlflowRun:
    quote = '"' if "'" in run else "'"
    for field in (f"tags.`{rows.PARENT}`", "attributes.run_id", "attributes.run_name"):
        found = store.search(f"{field} = {quote}{run}{quote}", 1) if quote not in run else []
        if found:
            return _above(found[0])
    raise FerlineError(
        f"{mlflow.get_tracking_uri()} has no pipeline run {run!r}. `mlflow ui` shows the runs; without --run the "
        "newest is reported"
    )


def _above(run: MlflowRun) -> MlflowRun:
    """The pipeline run that a row belongs to."""
    while above := run.data.tags.get("mlflow.parentRunId"):
        run = store.client().get_run(above)
    return run


def _told(parent: MlflowRun) -> Run:
    tags = parent.data.tags
    return Run(
        run_id=str(parent.info.run_id),
        name=str(parent.info.run_name),
        store=str(mlflow.get_tracking_uri()),
        started=_time(parent.info.start_time),
        ended=_time(parent.info.end_time) if parent.info.end_time else None,
        commit=tags.get(store.COMMIT, "none"),
        changed=tags.get(store.CHANGED) == "true",
        host=tags.get("ferline.host", ""),
    )


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _decision(parent_id: str) -> dict[str, Any] | None:
    """None where the run did not come so far."""
    if not store.client().list_artifacts(parent_id, "promotion"):
        return None
    return dict(mlflow.artifacts.load_dict(f"runs:/{parent_id}/promotion/promotion.json"))


def _download(run_id: str, name: str) -> Path:
    try:
        return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name, dst_path=scratch_folder()))
    except (MlflowException, OSError) as error:
        raise FerlineError(f"MLflow run {run_id}: its {name} cannot be read ({error})") from None
