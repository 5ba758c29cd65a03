"""The model registry: one name, the alias `champion` on the version in use, `challenger` on the latest contender."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import url2pathname

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ferline.artifact import scratch_folder
from ferline.errors import FerlineError
from ferline.tracking import store
from ferline.tracking.logged_model import DIGEST, log_model, logged_model, say_registered

if TYPE_CHECKING:  # torch, for which `ferline champion` should not wait
    from ferline.models.trained import TrainedModel

CHAMPION, CHALLENGER = "champion", "challenger"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # SQL stores say the second of a missing alias


class Unreadable(FerlineError):  # noqa: N818 (it reads as what it is)
    """The store answers, and what it holds under a version is not the model that was registered."""


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

    def model(self) -> "TrainedModel":
        """The registered weights and card, downloaded where the store is remote, and checked byte by byte.

        Unreadable: they are gone or others, for everybody. Any other FerlineError: they cannot be had for now.
        """
        from ferline.models.trained import TrainedModel

        model = TrainedModel(self._files())
        try:
            model.verify()
        except FerlineError as error:
            raise Unreadable(f"{self.uri}: {error}") from None
        except OSError as error:
            raise FerlineError(
                f"{self.uri}: {model.folder} cannot be read ({error}). Run it again when it can"
            ) from None
        if model.digest != self.digest:
            raise Unreadable(f"{self.uri}: {model.folder} holds another model than the one that was registered")
        return model

    def _files(self) -> Path:
        """The folder of the model's card. Listed first: what fails after that is the store, not a missing file."""
        files = f"{self.uri}/artifacts"
        with answering():
            location = self._location()
            if location is None or not mlflow.artifacts.list_artifacts(artifact_uri=files):
                raise Unreadable(f"{self.uri}: its files are gone")
            # A store on this disk is read in place.
            aside = None if _folder(location) else str(scratch_folder())
            cards = list(Path(mlflow.artifacts.download_artifacts(files, dst_path=aside)).glob("*/model.json"))
        if not cards:
            raise Unreadable(f"{self.uri}: there is no model.json in its files")
        return cards[0].parent

    def _location(self) -> str | None:
        """Where its files lie; None where the store has deleted the model."""
        try:
            location = str(store.client().get_model_version_download_uri(self.name, self.version))
            if location.startswith("models:/"):
                location = str(mlflow.get_logged_model(location.removeprefix("models:/")).artifact_location)
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise
        folder = _folder(location)
        if folder is not None and not (models := folder.parent.parent).is_dir():  # of models/ID/artifacts
            # A disk that is not mounted, or another machine's.
            raise FerlineError(f"{self.uri}: its files are in {models}, which is not there. Run it where it is")
        return location


def _folder(location: str) -> Path | None:
    """Where on this disk; None where it is elsewhere."""
    url = urlparse(location)
    return Path(url2pathname(url.path)) if url.scheme in ("", "file") else None


@contextmanager
def answering() -> Iterator[None]:
    """Whatever a client of the store raises, or the driver under it, as the one message."""
    try:
        yield
    except FerlineError:
        raise
    except Exception as error:  # SQLAlchemy's, requests', a cloud client's own: there is no common base
        said = " ".join(str(error).split())[:300]
        raise FerlineError(
            f"MLflow at {mlflow.get_tracking_uri()} does not answer ({said}). Run it again when it does: "
            "a champion changes in one write, the last one, or not at all"
        ) from error


def champion(name: str) -> Registered | None:
    """The version that carries the alias, or None when there is none yet."""
    with answering():
        try:
            return _registered(store.client().get_model_version_by_alias(name, CHAMPION))
        except MlflowException as error:
            if error.error_code in ABSENT:
                return None
            raise


def versions(name: str) -> list[Registered]:
    """All versions of the name, newest first."""
    with answering():
        found = store.client().search_model_versions(f"name = '{name}'")
    return sorted(map(_registered, found), key=lambda each: -int(each.version))


def of_digest(name: str, digest: str) -> Registered | None:
    """The version of exactly these bytes."""
    return next((each for each in versions(name) if each.digest == digest), None)


def register(name: str, model: "TrainedModel", tags: dict[str, str]) -> Registered:
    """A version for these bytes: the one that exists already, or a new one made from the logged model.

    Where the store has lost what it held of them, they are put there again, as a model and a version of their own.
    """
    known = of_digest(name, model.digest)
    if known is not None and _whole(known):
        return tag(known, tags)
    with answering():
        source = logged_model(model.digest)
        if source is None:
            raise FerlineError(
                f"{model.card['architecture']}: its model is not in {mlflow.get_tracking_uri()}; evaluate it again"
            )
        if known is not None:
            source = log_model(str(source.source_run_id), model)
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
        say_registered(source, name, str(made.version))
    return _registered(made)


def _whole(registered: Registered) -> bool:
    try:
        registered.model()
    except Unreadable:
        return False
    return True


def tag(registered: Registered, tags: dict[str, str]) -> Registered:
    """The version with these tags besides its own."""
    with answering():
        for key, value in tags.items():
            store.client().set_model_version_tag(registered.name, registered.version, key, value)
    return Registered(**vars(registered) | {"tags": registered.tags | tags})


def untag(registered: Registered, *keys: str) -> None:
    with answering():
        for key in registered.tags.keys() & set(keys):
            store.client().delete_model_version_tag(registered.name, registered.version, key)


def point(alias: str, registered: Registered) -> None:
    with answering():
        store.client().set_registered_model_alias(registered.name, alias, registered.version)


def _registered(version: ModelVersion) -> Registered:
    tags = dict(version.tags)
    return Registered(version.name, str(version.version), tags.get(DIGEST, ""), tags)
