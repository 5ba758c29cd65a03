"""The checkout that the stacks' tests run from, and what stands in it."""

import shutil
from pathlib import Path

from project_folder import Project

HERE = Path(__file__).parents[2]
STACKS = "docs/stacks"
KEYS = {"AWS_ACCESS_KEY_ID": "a key", "AWS_SECRET_ACCESS_KEY": "a secret"}
COPIED = ("src", "steps", "pipelines", STACKS, "params.yaml", "requirements.lock", "pyproject.toml", ".gitignore")
STEPS = {"ingest", "validate", "crop_faces", "resize_48x1", "compare", "promote"}
STEPS |= {f"{step}_cnn_lstm" for step in ("augment", "train", "evaluate")}
IMAGE = "registry.example.org/team/ferline@sha256:" + "0" * 64


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def image_of(project: Project, target: Path) -> Path:
    """/app as the Dockerfile makes it: what ZenML puts into the build's context, and the mark of the project's root."""
    from zenml.image_builders import BuildContext

    ignored = str(project.folder / STACKS / "dockerignore")
    for name, source in BuildContext(root=str(project.folder), dockerignore_file=ignored).get_files().items():
        if Path(source).is_file():
            copy(Path(source), target / name)
    return target
