"""A DVC project of its own, with synthetic faces to add and with a set of them added."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_commands import HERE, MINE, PEOPLE, changes, everything, run

from ferline.datasets.raw import RawSet
from ferline.datasets.synthetic import faces


@pytest.fixture(scope="module", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("dvc")))
        patch.setenv("FERLINE_SCRATCH", str(tmp_path_factory.mktemp("state") / "scratch"))
        yield


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with synthetic faces beside it that nobody has added yet; its path has a space in it."""
    project = tmp_path_factory.mktemp("a user") / "project"
    for row in faces(PEOPLE, 1, seed=3):
        path = project / "my_faces" / row["label"] / f"{row['id']}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row["image"])
    for name in ("params.yaml", ".dvcignore"):
        shutil.copy(HERE / name, project)
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    run("dvc", "init", "--quiet", cwd=project)
    (project / ".dvc" / "config").write_text("[core]\n    remote = disk\n['remote \"disk\"']\n    url = ../../store\n")
    return project


@pytest.fixture(scope="session")
def first(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The project with the faces added by a process of its own, and what that printed."""
    project = tmp_path_factory.mktemp("another user") / "project"
    shutil.copytree(empty, project)
    return project, run("ferline", "data", *MINE, cwd=project)


@pytest.fixture
def project(first: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project with the set, to change; commands run in it."""
    shutil.copytree(first[0], tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def bare(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project in which nothing was added."""
    shutil.copytree(empty, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def intact(project: Path) -> Iterator[Path]:
    """The project, in which the test must change nothing of the set that is there."""
    before = everything(project)
    yield project
    assert everything(project) == before
    assert len(RawSet(project / "data" / "raw" / "mine").verify()) == 7 * PEOPLE
    assert changes(project) == {}
