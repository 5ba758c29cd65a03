"""The MLflow store: whichever server or file the environment names, and what is said of a run in it.

Only the environment decides (MLFLOW_TRACKING_URI), so the pipeline, the `ferline` command and `mlflow ui` look at one
place.
"""

import os
import platform
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ferline.artifact import alive, sha256_of
from ferline.errors import FerlineError
from ferline.tracking import view

EXPERIMENT = "fer_training"
COMMIT, CHANGED, CHANGED_FILES, LOCK = "git.commit", "git.changed", "git.changed_files", "ferline.lock"
SOURCES = (":/src", ":/steps", ":/pipelines")
# On the experiment's page, and what keeps MLflow from asking there which kind of experiment this is.
ABOUT = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": (
        "To choose between architectures: Views > Architectures, then the table or the charts. A run is a pipeline "
        "run; under it is a row for each architecture, and under that one for each fold or seed.\n\n"
        "Models are chosen on `validation/...`; `test/...` is what they are held to, `..._low` and `..._high` are the "
        "ends of a 95% interval, `robustness/...` is the accuracy left under a disturbance (`robustness_drop` the mean "
        "loss), `gap/...` the macro recall between the best and the worst group of faces, `curves/...` an epoch a step."
    ),
}


def client() -> MlflowClient:
    return MlflowClient()


def experiment_id() -> str:
    """The experiment of the pipeline, made at first use; a store on this disk keeps its artifacts beside itself."""
    found = mlflow.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(mlflow.create_experiment(EXPERIMENT, artifact_location=_artifact_folder(), tags=ABOUT | view.tag()))
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
    """The git commit that runs, whether files differ from it, and the digest of the environment's lock."""
    commit = git("rev-parse", "HEAD")
    told = {COMMIT: commit or "none", CHANGED: str(bool(changed_files())).lower()}
    lock = Path(git("rev-parse", "--show-toplevel")) / "requirements.lock"
    return told | ({LOCK: sha256_of(lock)} if commit and lock.exists() else {})


@cache
def changed_files() -> tuple[str, ...]:
    """What differs from the commit, and code that is in none."""
    new = git("ls-files", "--others", "--exclude-standard", "--full-name", *SOURCES)
    return (*git("diff", "--name-only", "HEAD").splitlines(), *new.splitlines())


def shortened(names: Sequence[str], limit: int = 4000) -> str:
    """A line a name, and `...` where they are more than a tag holds."""
    text = "\n".join(names)
    return text if len(text) <= limit else text[:limit].rsplit("\n", 1)[0] + "\n..."


def git(*arguments: str, folder: Path = Path(__file__).parent) -> str:
    """What git says of the checkout that this code runs from (or of another folder); nothing where there is none."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=folder)
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
    for key, value in plain(content).items():
        name = f"{prefix}{key}"
        result |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return result


def plain(content: Any) -> Any:
    """As it comes back from JSON: tuples are lists."""
    if isinstance(content, dict):
        return {key: plain(value) for key, value in content.items()}
    return [plain(each) for each in content] if isinstance(content, list | tuple) else content
