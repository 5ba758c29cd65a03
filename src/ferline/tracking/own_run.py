"""Which run is this checkout's: on a shared server the newest one may be another machine's."""

import json
from pathlib import Path

import mlflow

from ferline.artifact import state_folder, write_json


def remember(parent_id: str) -> None:
    """Note the MLflow run of a pipeline run that came to its end here."""
    path = _note()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"store": mlflow.get_tracking_uri(), "run": parent_id})


def own_parent() -> str | None:
    """The newest one noted, if it is in the store that the environment names now; None where there is none."""
    if not _note().exists():
        return None
    note = json.loads(_note().read_text())
    return str(note["run"]) if note["store"] == mlflow.get_tracking_uri() else None


def _note() -> Path:
    return state_folder("last_run.json")
