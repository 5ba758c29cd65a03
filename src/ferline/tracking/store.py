"""The MLflow store: whichever server or file the environment names, and what is said of a run in it.

Only the environment decides (MLFLOW_TRACKING_URI), so the pipeline, the `ferline` command and `mlflow ui` look at one
place.
"""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ferline.artifact import alive
from ferline.errors import FerlineError

EXPERIMENT = "fer_training"


def client() -> MlflowClient:
    return MlflowClient()


def experiment_id() -> str:
    """The experiment of the pipeline, made at first use; a store on this disk keeps its artifacts beside itself."""
    found = mlflow.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(mlflow.create_experiment(EXPERIMENT, artifact_location=_artifact_folder()))
    except MlflowException:  # another process made it in between
        return str(mlflow.get_experiment_by_name(EXPERIMENT).experiment_id)


def _artifact_folder() -> str | None:
    """MLflow's own default for SQLite is `mlruns` in whatever folder the process happens to stand."""
    uri = mlflow.get_tracking_uri()
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).absolute().parent / "mlartifacts").as_uri()


def search(condition: str, limit: int = 100) -> list[Run]:
    """Runs of the experiment, newest first."""
    return list(
        client().search_runs([experiment_id()], condition, max_results=limit, order_by=["attributes.start_time DESC"])
    )


def require_reachable() -> None:
    """Say what is wrong before hours of training, not after."""
    try:
        mlflow.search_experiments(max_results=1)
    except Exception as error:
        raise FerlineError(
            f"MLflow at {mlflow.get_tracking_uri()} does not answer ({error}). "
            "Start it, or unset MLFLOW_TRACKING_URI for the local store"
        ) from None


@cache
def code_version() -> dict[str, str]:
    """The git commit that runs, and whether files differ from it."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {"git.commit": commit or "none", "git.changed": str(bool(changed)).lower()}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def process_tags() -> dict[str, str]:
    return {"ferline.host": platform.node(), "ferline.pid": str(os.getpid())}


def close_abandoned() -> None:
    """Runs of this machine whose process was killed are marked so; they would say RUNNING for ever."""
    for run in search("attributes.status = 'RUNNING'"):
        tags = run.data.tags
        if tags.get("ferline.host") == platform.node() and not alive(int(tags["ferline.pid"])):
            client().set_terminated(run.info.run_id, "KILLED")


def flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters under dotted names, as they stand in params.yaml."""
    result: dict[str, Any] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        plain = list(value) if isinstance(value, tuple) else value  # as it comes back from JSON
        result |= flat(plain, f"{name}.") if isinstance(plain, dict) else {name: plain}
    return result
