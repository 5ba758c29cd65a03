"""Trained models by name: one that comes with Ferline, or one's own by its folder."""

from pathlib import Path

from ferline.errors import FerlineError
from ferline.home import ROOT
from ferline.models.trained import TrainedModel

SHIPPED = ROOT / "data" / "models"


def shipped() -> list[str]:
    """The names of the models that come with this checkout."""
    return sorted(pointer.stem for pointer in SHIPPED.glob("*.dvc") if "." not in pointer.stem)  # no file beside one


def shipped_model(name: str) -> TrainedModel:
    folder = SHIPPED / name
    if not folder.is_dir():
        raise FerlineError(f"{name} comes with Ferline and is not here yet; run `dvc pull {folder}.dvc`")
    return TrainedModel(folder)


def named(name: str, key: str, others: str = "") -> TrainedModel:
    """The model that the parameter `key` names; `others` are the words that it may be instead."""
    if name in shipped():
        try:
            return shipped_model(name)
        except FerlineError as error:
            raise FerlineError(f"{key}: {error}") from None
    if (Path(name) / "model.json").is_file():
        return TrainedModel(name)
    ours = f"a model that comes with Ferline ({', '.join(shipped())}), " if shipped() else ""
    raise FerlineError(f"{key}: {name!r} is not allowed; write {others}{ours}or a model's folder")
