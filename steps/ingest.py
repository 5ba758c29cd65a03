"""Raw set -> Samples."""

from pathlib import Path

from zenml import step

from ferline.datasets.ingest import ingest as read
from ferline.datasets.samples import Samples
from ferline.errors import FerlineError
from ferline.params import DatasetParams
from steps._caching import following


@step(cache_policy=following("ferline.datasets.ingest"))
def ingest(dataset: DatasetParams) -> Samples:
    """Open the versioned raw set, check its bytes and split it."""
    fetch(dataset.name)
    require_versioned(dataset.name)
    return read(Path.cwd(), dataset)


def fetch(name: str) -> None:
    """Bring the images where none is: a pod's image has the set's pointer and manifest, the remote has the rest."""
    raw = Path("data") / "raw"
    pointer = raw / f"{name}.dvc"
    if not pointer.exists() or any((raw / name).glob("*.parquet")):
        return
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(Path.cwd())) as repo:
            repo.pull(targets=[str(pointer)])
    except (DvcException, OSError) as error:
        raise FerlineError(
            f"data/raw/{name}: not here, and DVC could not bring it ({error}). `dvc push {pointer}` where the set is, "
            "and give this machine the remote's credentials"
        ) from None


def require_versioned(name: str) -> None:
    """A number is worth something only where DVC can bring back the data that it was measured on."""
    from dvc.repo import Repo  # here: its import takes a second, and only this step needs it

    pointer = Path("data") / "raw" / f"{name}.dvc"
    if not pointer.exists():
        raise FerlineError(
            f"data/raw/{name} is not under DVC, so no run on it could be repeated. Run: dvc add data/raw/{name}"
        )
    with Repo(str(Path.cwd())) as repo:
        if repo.status(targets=[str(pointer)]):
            raise FerlineError(
                f"data/raw/{name} differs from {pointer}. Keep the change: dvc add data/raw/{name}; "
                f"drop it: dvc checkout {pointer}"
            )


def versions(dataset: DatasetParams) -> tuple[Path, ...]:
    """The files whose change means new data: DVC's pointer, and the set's manifest for data not yet added to DVC."""
    raw = Path.cwd() / "data" / "raw"
    return tuple(path for path in (raw / f"{dataset.name}.dvc", raw / dataset.name / "manifest.json") if path.exists())
