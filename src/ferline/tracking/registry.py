"""The model registry: one name, the alias `champion` on the version in use, `challenger` on the latest contender."""

from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ferline.errors import FerlineError
from ferline.models.trained import TrainedModel
from ferline.tracking import store
from ferline.tracking.logged_model import DIGEST, logged_model

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class Registered:
    """A version in the registry."""

    name: str
    version: str
    digest: str
    tags: dict[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"

    def model(self) -> TrainedModel:
        """The registered weights and card, downloaded where the store is remote."""
        try:
            folder = Path(mlflow.artifacts.download_artifacts(f"{self.uri}/artifacts"))
            return TrainedModel(next(folder.glob("*/model.json")).parent).verify()
        except (MlflowException, OSError, StopIteration) as error:
            raise FerlineError(f"{self.uri}: its files cannot be read ({error or 'no model.json in it'})") from None


def champion(name: str) -> Registered | None:
    """The version that carries the alias, or None when there is none yet."""
    try:
        return _registered(store.client().get_model_version_by_alias(name, CHAMPION))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def register(name: str, model: TrainedModel, tags: dict[str, str]) -> Registered:
    """A version for these bytes: the one that exists already, or a new one made from the logged model."""
    for version in _versions(name):
        if version.tags.get(DIGEST) == model.digest:
            return _registered(version)
    source = logged_model(model.digest)
    if source is None:
        raise FerlineError(
            f"{model.card['architecture']}: its model is not in {mlflow.get_tracking_uri()}; evaluate it again"
        )
    client = store.client()
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    made = client.create_model_version(
        name,
        source.artifact_location,
        run_id=source.source_run_id,
        model_id=source.model_id,
        tags=tags | {DIGEST: model.digest},
    )
    return _registered(made)


def point(alias: str, registered: Registered) -> None:
    store.client().set_registered_model_alias(registered.name, alias, registered.version)


def _versions(name: str) -> list[ModelVersion]:
    return list(store.client().search_model_versions(f"name = '{name}'"))


def _registered(version: ModelVersion) -> Registered:
    tags = dict(version.tags)
    return Registered(version.name, str(version.version), tags.get(DIGEST, ""), tags)
