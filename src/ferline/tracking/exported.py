"""What a retraining leaves in git beside the metrics: the decision about the champion, and what the data was."""

from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

from ferline.artifact import MANIFEST, write_json
from ferline.datasets.card import card_of
from ferline.datasets.raw import RawSet
from ferline.errors import FerlineError


def write_decision(folder: Path, parent_id: str) -> None:
    """promotion.json and promotion.md of a pipeline run."""
    for name in ("promotion.json", "promotion.md"):
        try:
            text = mlflow.artifacts.load_text(f"runs:/{parent_id}/promotion/{name}")
        except (MlflowException, OSError) as error:
            raise FerlineError(f"MLflow run {parent_id} has no {name} to read ({error}). Run the pipeline") from None
        (folder / name).write_text(text)


def write_data(folder: Path, project: Path, name: str) -> None:
    """data.json: how many images there are of what the run was trained on, for `dvc metrics diff`."""
    if (content := counts(project, name)) is None:
        raise FerlineError(f"data/raw/{name}: not here, so it cannot be counted. Run: dvc pull data/raw/{name}.dvc")
    write_json(folder / "data.json", content)


def counts(project: Path, name: str) -> dict[str, Any] | None:
    """Images, people and images of every emotion in a raw set; None where it is not on this disk."""
    raw = RawSet(project / "data" / "raw" / name)
    if not (raw.folder / MANIFEST).exists():
        return None
    card = card_of(raw)
    emotions = {emotion: sum(splits.values()) for emotion, splits in card["counts"].items()}
    return {"name": name, "images": card["images"], "subjects": card["subjects"], "emotions": emotions}
