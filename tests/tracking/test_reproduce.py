"""A model trained again from its commit, its data and its parameters, in a project of its own with everything real."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import warm
import yaml

from ferline.datasets.raw import RawSet
from ferline.datasets.synthetic import faces
from ferline.errors import FerlineError
from ferline.lineage.checkout import worktree
from ferline.lineage.reproduce import Asked, reduced, reproduce, require_its_own_code, with_models
from ferline.lineage.trace import lineage
from ferline.tracking import store as tracking

ROOT = Path(__file__).parents[2]


class Clone:
    """A clone of the project with a small set, a DVC remote on disk and state of its own; `code` runs from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("ZENML_", "MLFLOW_", "FERLINE_"))
        }
        state = folder / ".ferline"
        self.environment = kept | {
            "PYTHONPATH": f"{folder / 'src'}:{folder}",
            "PATH": warm.path(),
            "ZENML_CONFIG_PATH": str(state / "zenml"),
            "ZENML_ANALYTICS_OPT_IN": "false",
            "MLFLOW_TRACKING_URI": f"sqlite:///{state / 'mlflow.db'}",
            "FERLINE_SCRATCH": str(state / "scratch"),
            "DVC_SITE_CACHE_DIR": str(state / "dvc"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }

    def run(self, *command: str, status: int = 0) -> str:
        program = warm.program(command[0]) if (warm.BIN / command[0]).exists() else command[0]
        done = subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, (
            f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr[-6000:]}"
        )
        return done.stdout + (done.stderr if status else "")

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run(
            "git", "-c", "user.name=test", "-c", "user.email=t@ferline.invalid", "commit", "--quiet", "-m", message
        )


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Clone:
    """One small network for one epoch, from a commit."""
    folder = tmp_path_factory.mktemp("a user") / "my project"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *SOURCES]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    clone = Clone(folder)
    small(folder / "params.yaml")
    (folder / ".gitignore").write_text(".ferline/\n.zen/\n__pycache__/\n")
    RawSet(folder / "data" / "raw" / "tiny").append(faces(6, 1, seed=3))
    clone.run("git", "init", "--quiet")
    clone.run("dvc", "init", "--quiet")
    clone.run("dvc", "remote", "add", "--quiet", "--default", "disk", "../remote")
    clone.run("dvc", "add", "--quiet", "data/raw/tiny")
    clone.run("dvc", "push", "--quiet")
    clone.run("zenml", "init")
    clone.commit("a tiny project")
    clone.run("zenml", "pipeline", "run", "fer_training")
    return clone


SOURCES = ("src", "steps", "pipelines", "params.yaml", "requirements.lock", "pyproject.toml")


def small(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    content |= {"profile": "quick", "profiles": {"quick": {}}, "dataset": {"name": "tiny", "protocol": "official"}}
    content["validation"] |= {"min_per_class": 2}
    content["promotion"]["gates"] = {}
    content["evaluation"] |= {
        "resamples": 200,
        "robustness": {"faces": 0, "strengths": 1},
        "occlusion": {"faces": 0, "window": 0.25, "stride": 0.25},
    }
    architecture = content["architectures"]["cnn_lstm"]
    architecture["training"] = {"epochs": 1, "batch_size": 16, "learning_rate": 0.001, "device": "cpu", "seed": 0}
    content["architectures"] = {"cnn_lstm": architecture}
    path.write_text(yaml.safe_dump(content))


@pytest.fixture
def here(trained, monkeypatch) -> Iterator[mlflow.MlflowClient]:
    """This process looks at the clone's store, as `ferline` does there; a process of its own takes ten seconds more."""
    uri = trained.environment["MLFLOW_TRACKING_URI"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield mlflow.MlflowClient(uri)
    mlflow.set_tracking_uri("")


@pytest.fixture
def story(here) -> dict:
    return lineage("champion", "ferline")


def refused(clone: Clone, **asked) -> str:
    """The one message, before anything was run."""
    said: list[str] = []
    with pytest.raises(FerlineError) as caught:
        reproduce("champion", "ferline", clone.folder, Asked(**asked), said.append)
    assert "zenml pipeline run fer_training" not in said
    assert clone.run("git", "worktree", "list").count("\n") == 1
    return str(caught.value)


def test_a_model_is_reproduced_bit_for_bit_in_a_worktree_that_goes_away(trained, story):
    """Meanwhile the project has gone on: other parameters are committed, another file is changed, the cache is gone."""
    assert story["code"]["git_commit"] == trained.run("git", "rev-parse", "HEAD").strip()
    assert not story["code"]["git_changed"]
    content = yaml.safe_load((trained.folder / "params.yaml").read_text())
    content["architectures"]["cnn_lstm"]["training"]["epochs"] = 9
    (trained.folder / "params.yaml").write_text(yaml.safe_dump(content))
    trained.commit("longer")
    (trained.folder / "steps" / "train.py").write_text("this is no Python\n")
    shutil.rmtree(trained.folder / ".dvc" / "cache")
    before = trained.run("git", "status", "--porcelain")

    told = trained.run("ferline", "reproduce", "champion")

    assert told.strip() == f"Reproduced: the model is the same bit for bit, {story['model_digest']}"
    assert trained.run("git", "worktree", "list").count("\n") == 1
    assert trained.run("git", "status", "--porcelain") == before
    assert len(tracking.search("tags.`ferline.kind` = 'pipeline'")) == 1, "it happened in a store of its own"


def test_data_that_neither_cache_nor_remote_has_is_said(trained, story):
    away = trained.folder.parent / "remote away"
    (trained.folder.parent / "remote").rename(away)
    shutil.rmtree(trained.folder / ".dvc" / "cache", ignore_errors=True)
    try:
        told = refused(trained)
    finally:
        away.rename(trained.folder.parent / "remote")
    assert f"data/raw/tiny.dvc at md5 {story['data']['dvc_md5']}: neither in this project's DVC cache nor" in told


CHANGED = {"git.changed": "true", "git.changed_files": "params.yaml\nsrc/ferline/models/cnn_lstm.py"}


@pytest.mark.parametrize(
    ("on", "tags", "said"),
    [
        (
            "parent",
            CHANGED,
            "and are kept nowhere (src/ferline/models/cnn_lstm.py), so it can be reproduced approximately",
        ),
        ("row", {"git.commit": "f" * 40}, "commit " + "f" * 40 + " is not in this clone"),
        ("row", {"git.commit": "none"}, "trained outside git"),
        ("row", {"ferline.lock": "e" * 64}, "another requirements.lock (SHA-256 eeeeeeeeeeee, this one has"),
        ("row", {"ferline.trained_in": "another"}, "stored from ZenML's cache by a later run"),
        ("parent", {"dvc.pointer": ""}, "the version of its data is not known"),
    ],
)
def test_what_cannot_be_gone_back_to_is_refused_before_anything_runs(trained, here, story, on, tags, said):
    run_id = story["runs"][on]
    before = here.get_run(run_id).data.tags
    try:
        for key, value in tags.items():
            here.set_tag(run_id, key, value)
        told = refused(trained)
    finally:
        for key in tags:
            here.set_tag(run_id, key, before.get(key, ""))
    assert said in told


def test_a_folder_with_files_in_it_is_not_worked_in(trained, story):
    assert "exists and is not empty" in refused(trained, keep=trained.folder / "src")


def test_code_of_another_place_is_not_passed_off_as_the_commits(trained, tmp_path):
    """As it would be with an environment whose own import hook wins over PYTHONPATH."""
    with pytest.raises(FerlineError, match="Python does not take its code from there"):
        require_its_own_code(tmp_path, warm.BIN, {"PATH": os.environ["PATH"]})


USED = {
    "seeds": 3,
    "promotion": {"mode": "enforce", "min_gain": 0.0},
    "architectures": {
        "small": {
            "model": "cnn_lstm",
            "input": {"side": 48},
            "weights": "none",
            "options": {},
            "training": {"seed": 7},
        },
        "large": {"model": "resnet50_gru"},
    },
}
STORY = {"architecture": "small", "member_seed": None, "parameters": {"model": "cnn_lstm", "training.seed": 7}}


def test_the_parameters_are_those_of_the_run_with_one_architecture_and_no_promotion():
    found = reduced(USED, STORY)
    assert set(found["architectures"]) == {"small"}
    assert (found["promotion"]["mode"], found["seeds"]) == ("off", 3)
    assert USED["promotion"]["mode"] == "enforce"


def test_the_model_of_one_seed_is_trained_alone_with_that_seed():
    story = STORY | {"member_seed": 9, "parameters": {"model": "cnn_lstm", "training.seed": 9}}
    found = reduced(USED, story)
    assert (found["seeds"], found["architectures"]["small"]["training"]["seed"]) == (1, 9)
    assert USED["architectures"]["small"]["training"]["seed"] == 7


def test_parameters_that_were_edited_while_the_run_went_on_are_not_passed_off_as_its_own():
    with pytest.raises(FerlineError, match=r"training\.seed of small is not what it was trained with"):
        reduced(USED, STORY | {"parameters": {"training.seed": 8}})


def test_of_other_models_the_card_has_the_names_and_the_run_the_folders():
    used = {**USED, "architectures": {"small": {**USED["architectures"]["small"], "weights": "kept/first"}}}
    used["architectures"]["small"]["training"] = {"seed": 7, "teachers": ["/kept/second"]}
    parameters = {"model": "cnn_lstm", "weights": "first", "training.teachers": ["second"], "training.seed": 7}
    found = reduced(used, STORY | {"parameters": parameters})["architectures"]["small"]
    assert (found["weights"], found["training"]["teachers"]) == ("kept/first", ["/kept/second"])
    with pytest.raises(FerlineError, match=r"weights of small is not what it was trained with"):
        reduced(used, STORY | {"parameters": parameters | {"weights": "another"}})


def test_the_models_that_it_builds_on_are_within_reach_of_the_worktree(trained):
    """One comes with the project, and the commit has but a pointer; the other lies in a folder that no commit has."""
    ours, mine = trained.folder / "data" / "models" / "ours", trained.folder / "kept" / "mine"
    for folder in (ours, mine):
        folder.mkdir(parents=True)
        (folder / "model.json").write_text(folder.name)
    trained.run("dvc", "add", "--quiet", "data/models/ours")
    trained.run("dvc", "push", "--quiet", "data/models/ours")
    trained.run("git", "add", "data/models")
    trained.run("git", "-c", "user.name=test", "-c", "user.email=t@ferline.invalid", "commit", "--quiet", "-m", "ours")
    shutil.rmtree(ours)
    shutil.rmtree(trained.folder / ".dvc" / "cache")
    small = {"weights": "ours", "training": {"seed": 7, "teachers": ["kept/mine", "ours"]}}
    with worktree(trained.folder, trained.run("git", "rev-parse", "HEAD").strip()) as there:
        found = with_models(trained.folder, there, {"architectures": {"small": small}}, "small", {})["architectures"]
        assert (there / "data" / "models" / "ours" / "model.json").read_text() == "ours"
    assert found == {"small": {"weights": "ours", "training": {"seed": 7, "teachers": [str(mine), "ours"]}}}
