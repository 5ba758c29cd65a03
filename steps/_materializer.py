"""How an artifact of ours goes into ZenML's artifact store and comes back: file by file, as it lies on disk."""

from pathlib import Path
from typing import Any, ClassVar

from zenml.enums import VisualizationType
from zenml.io import fileio
from zenml.materializers.base_materializer import BaseMaterializer

from ferline.artifact import MANIFEST, Artifact, link_or_copy, scratch_folder

SHOWN = {".png": VisualizationType.IMAGE, ".md": VisualizationType.MARKDOWN, ".csv": VisualizationType.CSV}


class FolderMaterializer(BaseMaterializer):
    """One for every artifact: each is a sealed folder. A local store links the files, a remote one gets copies."""

    ASSOCIATED_TYPES: ClassVar[tuple[type, ...]] = (Artifact,)

    def load(self, data_type: type[Artifact]) -> Artifact:
        """In place where the store is on this disk (a memory map stays one), else downloaded and verified."""
        if Path(self.uri).is_dir():
            return data_type(Path(self.uri))
        folder = scratch_folder()
        for name in [MANIFEST, *_names(self.uri)]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            fileio.copy(f"{self.uri}/{name}", str(folder / name))
        return data_type(folder).verify()

    def save(self, data: Artifact) -> None:
        local = Path(self.uri).parent.is_dir()
        for name in [*data.manifest, MANIFEST]:
            if local:
                link_or_copy(data.folder / name, Path(self.uri) / name)
            else:
                fileio.makedirs(f"{self.uri}/{name}".rsplit("/", 1)[0])
                fileio.copy(str(data.folder / name), f"{self.uri}/{name}")

    def compute_content_hash(self, data: Artifact) -> str:
        """Steps that follow are cached by this: equal bytes from another run stop a re-run here."""
        return data.digest

    def extract_metadata(self, data: Artifact) -> dict[str, Any]:
        return {"digest": data.digest, **data.summary()}

    def save_visualizations(self, data: Artifact) -> dict[str, VisualizationType]:
        """Pictures and tables of the artifact, for the dashboard."""
        shown = {
            name: SHOWN[Path(name).suffix] for name in data.manifest if Path(name).suffix in SHOWN and "/" not in name
        }
        return {f"{self.uri}/{name}": kind for name, kind in shown.items()}


def _names(uri: str) -> list[str]:
    import json

    with fileio.open(f"{uri}/{MANIFEST}", "r") as file:
        return sorted(json.load(file)["files"])
