"""A project of its own: a tiny DVC-tracked dataset, small networks, and its own ZenML and MLflow."""

import os
import shutil
from pathlib import Path

import pytest
import warm
from project_folder import Project, bad_rows, small

from ferline.datasets.raw import RawSet
from ferline.datasets.synthetic import faces


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Its path has a space in it, as people's paths do."""
    folder = tmp_path_factory.mktemp("a user") / "my project"
    folder.mkdir()
    state = folder / ".ferline"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("ZENML", "MLFLOW"))},
        "ZENML_CONFIG_PATH": str(state / "zenml"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "MLFLOW_TRACKING_URI": f"sqlite:///{state / 'mlflow.db'}",
        "FERLINE_SCRATCH": str(state / "scratch"),
        "PATH": warm.path(),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }
    project = Project(folder, environment)
    shutil.copy(Path(__file__).parents[2] / "params.yaml", folder)
    project.change(small)
    raw = RawSet(folder / "data" / "raw" / "tiny")
    raw.append(faces(10, 1, seed=3))
    raw.append(bad_rows())
    for name in ("dvc.yaml", "requirements.lock"):
        shutil.copy(Path(__file__).parents[2] / name, folder)
    project.git("init", "--quiet")
    project.run("dvc", "init", "--quiet")
    project.run("dvc", "add", "--quiet", "data/raw/tiny")
    project.run("zenml", "init")
    (folder / ".gitignore").write_text(".ferline/\n.zen/\n")
    project.commit("a tiny dataset")
    return project
