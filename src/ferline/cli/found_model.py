"""The model that a command line names."""

from pathlib import Path
from typing import TYPE_CHECKING

from ferline.artifact import scratch_folder
from ferline.errors import FerlineError

if TYPE_CHECKING:
    from ferline.models.trained import TrainedModel

CHAMPION = "champion"
SHIPPED = "ferline_large"  # trained on real faces, so that nobody needs to train one first


def model_at(where: str, name: str) -> "TrainedModel":
    """The model of this name under data/models/, of this folder or of this address in MLflow, verified; `champion` is
    the one in use under the name `name`. A folder that is called as one of these is ./NAME."""
    from ferline.models.named import shipped, shipped_model
    from ferline.models.trained import TrainedModel

    if where == CHAMPION:
        return _champion(name)
    if where in shipped():
        return shipped_model(where)
    if Path(where).is_dir():
        return TrainedModel(where)
    if ":/" not in where:
        raise FerlineError(
            f"{where!r} is no folder, none of the models that come with Ferline "
            f"({', '.join(shipped()) or 'there are none'}), and no address such as models:/{name}@champion"
        )
    return _downloaded(where)


def named_model(where: str) -> "TrainedModel":
    """`model_at`, the registered name being that of params.yaml, which only the champion asks for."""
    from ferline.params import load

    model = model_at(where, load().promotion.registered_name if where == CHAMPION else "ferline")
    return model.verify()


def device_of(wanted: str) -> str:
    """What `--device` comes to."""
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise FerlineError("--device: 'cuda' was asked for and torch finds none; write auto or cpu")
    return "cuda" if there and wanted != "cpu" else "cpu"


def _champion(name: str) -> "TrainedModel":
    from ferline.tracking import registry

    champion = registry.champion(name)
    if champion is None:
        raise FerlineError(f"there is no champion of the name {name!r} yet; name a folder, or run the pipeline")
    return champion.model()


def _downloaded(address: str) -> "TrainedModel":
    """Any address that MLflow knows: a version or an alias of a registered model, a run's artifact."""
    import mlflow
    from mlflow.exceptions import MlflowException

    from ferline.models.trained import TrainedModel

    try:
        folder = Path(mlflow.artifacts.download_artifacts(address, dst_path=str(scratch_folder())))
    except (MlflowException, OSError) as error:
        said = " ".join(str(error).split())
        raise FerlineError(f"{address} cannot be had from MLflow at {mlflow.get_tracking_uri()} ({said})") from None
    cards = sorted(folder.rglob("model.json"))
    if not cards:
        raise FerlineError(f"{address}: there is no model.json in its files")
    return TrainedModel(cards[0].parent).verify()
