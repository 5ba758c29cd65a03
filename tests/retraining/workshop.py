"""What outlives a runner (a git remote, a DVC remote, an MLflow store), and runners: fresh clones with nothing else."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
import warm
import yaml
from project_folder import Project

from ferline.datasets.raw import RawSet
from ferline.datasets.synthetic import faces

HERE = Path(__file__).parents[2]
SCRIPT = str(HERE / ".ci" / "retrain")
# As a workflow sets them where the repository has no such secret.
NO_SECRETS = {"ZENML_STORE_URL": "", "ZENML_STORE_API_KEY": "", "ZENML_ACTIVE_STACK_ID": "", "AWS_ACCESS_KEY_ID": ""}
ASIDE = ("ZENML", "MLFLOW", "GITHUB", "RETRAIN", "GIT_")


@dataclass
class Runner(Project):
    """A clone on a machine that will be thrown away."""

    def retrain(self, *part: str, ok: bool = True, **environment: str) -> str:
        """.ci/retrain, as the workflow calls it."""
        return self.run(SCRIPT, *part, ok=ok, **environment)

    def says(self, *command: str) -> str:
        """What git says."""
        return subprocess.run(
            ["git", *command], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def report(self, name: str, commit: str | None = None) -> dict[str, Any]:
        path = f"reports/{name}"
        return json.loads(self.says("show", f"{commit}:{path}") if commit else (self.folder / path).read_text())

    @property
    def comment(self) -> str:
        return (self.folder / ".ferline" / "retrain" / "comment.md").read_text()


@dataclass
class Workshop:
    """`root`/origin.git, `root`/remote and `root`/mlflow.db stay; runners come and go."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> str:
        return f"sqlite:///{self.root / 'mlflow.db'}"

    def runner(self, name: str, branch: str = "main") -> Runner:
        folder = self.root / name
        git(self.root, "clone", "--quiet", "--branch", branch, "origin.git", name)
        state = folder / ".ferline"
        own = {
            "ZENML_CONFIG_PATH": str(state / "zenml"),
            "FERLINE_SCRATCH": str(state / "scratch"),
            "DVC_SITE_CACHE_DIR": str(state / "dvc"),
        }
        return Runner(folder, self.environment | own)

    def parents(self) -> list[Any]:
        """MLflow's runs of the pipeline, newest first."""
        client = mlflow.MlflowClient(self.store)
        experiment = client.get_experiment_by_name("fer_training")
        if experiment is None:
            return []
        return list(client.search_runs([experiment.experiment_id], "tags.`ferline.kind` = 'pipeline'"))

    def champion(self) -> str:
        return str(mlflow.MlflowClient(self.store).get_model_version_by_alias("ferline", "champion").version)

    def tip(self, branch: str = "main") -> str:
        return git(self.root / "origin.git", "rev-parse", branch)


def workshop(root: Path, setting: Callable[[Project], None], data: Callable[[RawSet], None]) -> Workshop:
    """With one commit on main, in which the data is in the DVC remote and nothing was trained."""
    root.mkdir(parents=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ASIDE)}
    environment |= NO_SECRETS | {
        "ZENML_ANALYTICS_OPT_IN": "false",
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
        "PATH": warm.path(),
        "DVC_SITE_CACHE_DIR": str(root / "dvc"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }
    first = Project(root / "first", environment)
    first.folder.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(HERE / name, first.folder)
    (first.folder / "requirements.lock").write_text("zenml==0.98.0\n")
    (first.folder / ".gitignore").write_text(".ferline/\n.zen/\n__pycache__/\n")
    setting(first)
    data(RawSet(first.folder / "data" / "raw" / "tiny"))
    first.git("init", "--quiet", "--initial-branch=main")
    first.run("dvc", "init", "--quiet")
    first.run("dvc", "remote", "add", "--quiet", "--default", "disk", str(root / "remote"))
    first.run("dvc", "add", "--quiet", "data/raw/tiny")
    first.run("dvc", "push", "--quiet")
    first.commit("a tiny dataset")
    git(root, "clone", "--quiet", "--bare", "first", "origin.git")
    return Workshop(root, environment)


def people(count: int, seed: int) -> list[dict[str, Any]]:
    """An image of every emotion of so many people; other seeds have other people."""
    return [
        {**row, "id": f"{seed}-{row['id']}", "subject": f"{seed}-{row['subject']}"} for row in faces(count, 1, seed)
    ]


def grow(runner: Runner, rows: list[dict[str, Any]], message: str = "more data", push: bool = True) -> None:
    """What a person does who adds images: append, version, push the data, push the commit."""
    runner.run("dvc", "pull", "--quiet")
    RawSet(runner.folder / "data" / "raw" / "tiny").append(rows)
    runner.run("dvc", "add", "--quiet", "data/raw/tiny")
    if push:
        runner.run("dvc", "push", "--quiet")
    runner.commit(message)
    runner.git("push", "--quiet", "origin", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def cells(comment: str) -> dict[str, dict[str, list[float]]]:
    """Of the comment's first table: model, column, then before, now, difference and both ends of the interval."""
    lines = [line for line in comment.split("\n\n<sub>Before")[0].splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {
        row[0].strip("*"): {name: _numbers(cell) for name, cell in zip(header[1:], row[1:], strict=True)}
        for row in rows
    }


def _numbers(cell: str) -> list[float]:
    text = re.sub(r"<[^>]*>", " ", cell).replace("±0", "+0.000").replace("−", "-")
    return [float(number) for number in re.findall(r"[+-]?\d\.\d{3}", text)]


def params(folder: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((folder / "params.yaml").read_text()))
