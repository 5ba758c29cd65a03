"""Models in MLflow: code and safetensors, no pickle; raw image bytes in, emotions out."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pandas as pd
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

import ferline
from ferline.errors import FerlineError
from ferline.tracking import store

if TYPE_CHECKING:
    from ferline.models.trained import TrainedModel

DIGEST = "ferline.model_digest"
NEEDED = (
    "torch",
    "torchvision",
    "opencv-python-headless",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "safetensors",
    "tqdm",
)


def log_model(run_id: str, model: "TrainedModel") -> LoggedModel:
    """Store the model with everything needed to use it, as an output of the row."""
    code = Path(ferline.__file__).parent
    with mlflow.start_run(run_id=run_id, nested=mlflow.active_run() is not None):
        info = mlflow.pyfunc.log_model(
            name=model.card["architecture"],
            python_model=str(code / "tracking" / "pyfunc_model.py"),
            artifacts={"model": str(model.folder)},
            code_paths=[str(code)],
            signature=_signature(model.emotions),
            pip_requirements=[f"{name}=={version(name)}" for name in NEEDED],
            metadata={DIGEST: model.digest},
            tags={
                DIGEST: model.digest,
                "architecture": model.card["architecture"],
                "data.digest": model.card["data_digest"],
            },
        )
    return mlflow.get_logged_model(info.model_id)


def logged_model(digest: str) -> LoggedModel | None:
    """The stored model with exactly these bytes, newest first."""
    found = logged_models(digest)
    return found[0] if found else None


def logged_models(beginning: str) -> list[LoggedModel]:
    """The stored models whose digest begins so, newest first."""
    condition = f"tags.`{DIGEST}` LIKE '{beginning}%'"
    return list(mlflow.search_logged_models([store.experiment_id()], condition, output_format="list"))


def trained_model(found: LoggedModel) -> "TrainedModel":
    """The weights and the card in it, downloaded where the store is remote, and checked byte by byte."""
    from ferline.models.trained import TrainedModel

    try:
        folder = Path(mlflow.artifacts.download_artifacts(f"{found.artifact_location}/artifacts"))
        return TrainedModel(next(folder.glob("*/model.json")).parent).verify()
    except (MlflowException, OSError, StopIteration) as error:
        raise FerlineError(
            f"model {found.model_id}: its files cannot be read ({error or 'no model.json in it'})"
        ) from None


def say_registered(model: LoggedModel, name: str, version: str) -> None:
    """Have the model's page and its rows name the version; MLflow's server does that by itself, a local store not."""
    known = json.loads(model.tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
    if (one := {"name": name, "version": version}) not in known:
        store.client().set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps([*known, one])})


def images(*encoded: bytes) -> pd.DataFrame:
    """What a loaded model's predict takes."""
    return pd.DataFrame({"image": list(encoded)})


def _signature(emotions: Sequence[str]) -> ModelSignature:
    found = [
        ColSpec(DataType.string, "emotion"),
        ColSpec(DataType.double, "confidence"),
        ColSpec(DataType.boolean, "face_found"),
    ]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image")]),
        outputs=Schema(found + [ColSpec(DataType.double, emotion) for emotion in emotions]),
    )
