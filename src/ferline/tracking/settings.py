"""What a pipeline run ran under, kept with it: params.yaml as it was and as it was read, and DVC's pointer to the data.

Together with the commit and the lock's digest, which are tags, this is what `ferline reproduce` goes back to.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow
import yaml

from ferline.params import Params, load
from ferline.tracking import dataset, store

FOLDER = "settings"
USED = "params_used.yaml"
REVISION = "dvc.pointer"
SET = "dataset"


def log(run_id: str, project: Path) -> None:
    """The settings of the project in that folder; a row that is written from elsewhere has none to log."""
    file = project / "params.yaml"
    if not file.exists():
        return
    params, client = load(file), store.client()
    pointer = dataset.pointer_of(params.dataset.name, project)
    client.log_artifact(run_id, str(file), FOLDER)
    client.log_text(run_id, as_yaml(params), f"{FOLDER}/{USED}")
    client.set_tag(run_id, SET, params.dataset.name)
    if revision := dataset.revision_of(pointer):
        client.log_artifact(run_id, str(pointer), FOLDER)
        client.set_tag(run_id, REVISION, revision)


def as_yaml(params: Params) -> str:
    """All parameters as used, the profile laid over them; `ferline.params.load` reads it back to the same."""
    content = store.plain(asdict(params)) | {"profiles": {params.profile: {}}}
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def read(run_id: str) -> dict[str, Any]:
    """What `as_yaml` wrote for a pipeline run."""
    return dict(yaml.safe_load(mlflow.artifacts.load_text(f"runs:/{run_id}/{FOLDER}/{USED}")))
