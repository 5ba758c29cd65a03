"""Train a model of the store once more, from its own commit, data and parameters, and say whether it is the same."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from ferline.errors import FerlineError
from ferline.lineage.checkout import bring_data, worktree
from ferline.lineage.difference import Difference, difference
from ferline.lineage.trace import lineage
from ferline.models.predecessors import name_of, on_a_card
from ferline.models.trained import TrainedModel
from ferline.tracking import registry, rows, settings, store
from ferline.tracking.logged_model import DIGEST, trained_model

# Changed files that change no model, or are kept with the run itself and put back from there.
HARMLESS = ("params.yaml", "dvc.lock", "reports/", "README.md", "docs/", "tests/", "benchmarks/", ".github/", ".ci/")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What the command line allows."""

    keep: Path | None = None
    anyway: bool = False  # go on where the model was trained from files that no commit holds
    setup: bool = False  # make the environment of its lock first, in the worktree


def reproduce(model: str, name: str, project: Path, asked: Asked, say: Say) -> Difference:
    """Run the pipeline for this one model in a worktree of its commit, and compare."""
    story = lineage(model, name)
    used, pointer = _require_known(story, asked), Path(story["data"]["dvc_pointer"])
    with worktree(project, story["code"]["git_commit"], asked.keep) as there:
        say(f"{story['architecture']} at commit {story['code']['git_commit'][:12]} in {there}")
        bin_folder = _environment(there, story["code"]["environment_lock"], asked, say)
        _put_back(there, pointer, story)
        bring_data(project, there, pointer, story["data"]["dvc_md5"])
        original = _original(story)
        content = with_models(project, there, reduced(used, story), story["architecture"], original.card)
        (there / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        environment = _own_state(there, bin_folder)
        require_its_own_code(there, bin_folder, environment)
        _run(there, bin_folder, environment, say)
        client = MlflowClient(environment["MLFLOW_TRACKING_URI"])
        again = _row_of(client, story)
        return difference(story, original, _model(client, again), _metrics(story), again.data.metrics)


def _require_known(story: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """The parameters of the run, where all is known that is needed to go back to it."""
    code, runs = story["code"], story["runs"]
    if not code["git_commit"]:
        raise FerlineError("the model was trained outside git, so the code that made it is not known")
    if not runs["trained_here"]:
        raise FerlineError(
            f"the run that trained the model is not in {runs['mlflow']}: it was stored from ZenML's cache by a later "
            "run, perhaps of other code, so the commit that made it is not known"
        )
    if not story["data"]["dvc_md5"] or not runs["parent"]:
        raise FerlineError("the version of its data is not known: the project had no params.yaml or no DVC pointer")
    changed = [name for name in code["git_changed_files"] if not _harmless(name, story["data"]["dvc_pointer"])]
    if changed and not asked.anyway:
        raise FerlineError(
            f"the model was trained from files that differ from commit {code['git_commit'][:12]} and are kept nowhere "
            f"({', '.join(changed[:5])}{' ...' if len(changed) > 5 else ''}), so it can be reproduced approximately "
            "only. --anyway goes on without those changes"
        )
    with registry.answering():
        return settings.read(runs["parent"])


def _harmless(name: str, pointer: str) -> bool:
    return name == pointer or any(name == one or (one.endswith("/") and name.startswith(one)) for one in HARMLESS)


def _environment(there: Path, lock: str | None, asked: Asked, say: Say) -> Path:
    """Where the programs are: this environment's, if its lock is the one of that time, or one made for the worktree."""
    if asked.setup:
        say(f"make setup in {there}")
        if subprocess.run(["make", "setup"], cwd=there, check=False, stdout=sys.stderr).returncode:
            raise FerlineError(f"{there}: `make setup` failed there")
        return there / ".venv" / "bin"
    here = store.code_version().get(store.LOCK)
    if lock is not None and here != lock:
        raise FerlineError(
            f"the model was trained in the environment of another requirements.lock (SHA-256 {lock[:12]}, this one has "
            f"{str(here)[:12]}). --setup makes that environment in the worktree first: it runs `make setup` there"
        )
    return Path(sys.executable).parent


def _put_back(there: Path, pointer: Path, story: dict[str, Any]) -> None:
    """DVC's pointer as it was, which is the commit's unless it had not been committed yet."""
    with registry.answering():
        text = mlflow.artifacts.load_text(f"runs:/{story['runs']['parent']}/{settings.FOLDER}/{pointer.name}")
    (there / pointer).parent.mkdir(parents=True, exist_ok=True)
    (there / pointer).write_text(text)


def reduced(used: dict[str, Any], story: dict[str, Any]) -> dict[str, Any]:
    """The run's parameters with this one architecture only, promoting nothing.

    The model of one seed among several is trained alone. Folds are all trained, as they are one parameter.
    """
    name = story["architecture"]
    architecture = dict(used["architectures"][name])
    content = used | {"architectures": {name: architecture}, "promotion": used["promotion"] | {"mode": "off"}}
    if story["member_seed"] is not None:
        architecture["training"] = architecture["training"] | {"seed": story["member_seed"]}
        content["seeds"] = 1
    stated, was = on_a_card(architecture), story["parameters"]
    was = was | {"weights": name_of(was.get("weights", stated["weights"]))}  # older cards say where it lay
    now = store.flat({key: stated[key] for key in ("model", "input", "weights", "options", "training")})
    if differing := [key for key, value in now.items() if was.get(key, value) != value]:
        raise FerlineError(
            f"params.yaml was changed while the run had begun: {', '.join(differing)} of {name} is not what it was "
            "trained with, so the rest of the parameters is not known for certain"
        )
    return content


def with_models(
    project: Path, there: Path, content: dict[str, Any], name: str, card: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters with every model that this one begins with or learns from within reach of the worktree: one that
    comes with Ferline as it was at that commit, one of a folder where it lies. `card`: the original's, which has their
    digests."""
    architecture = content["architectures"][name]
    training = architecture["training"]

    def reached(model: str, digest: str | None) -> str:
        pointer, named = Path("data", "models", f"{model}.dvc"), model
        if model == name_of(model) and (there / pointer).is_file():
            bring_data(project, there, pointer, None)
            folder = there / pointer.with_suffix("")
        elif (project / model / "model.json").is_file():
            folder = (project / model).resolve()
            named = str(folder)
        else:
            return model
        if digest and (now := TrainedModel(folder).digest) != digest:
            raise FerlineError(
                f"{folder}: the model was trained with another one that lay there ({digest[:12]}, this is {now[:12]}). "
                "Bring that one back"
            )
        return named

    own = architecture | {"weights": reached(architecture["weights"], card.get("started_from"))}
    if names := training.get("teachers"):
        digests = card.get("taught_by") or [None] * len(names)
        own["training"] = training | {"teachers": [reached(*pair) for pair in zip(names, digests, strict=True)]}
    return content | {"architectures": {name: own}}


def _own_state(there: Path, bin_folder: Path) -> dict[str, str]:
    """A process of the worktree: its code, its ZenML, its MLflow; whatever server the project uses hears nothing."""
    state = there / ".ferline"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ZENML_", "MLFLOW_", "FERLINE_"))}
    return kept | {
        "PYTHONPATH": f"{there / 'src'}:{there}",
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "ZENML_CONFIG_PATH": str(state / "zenml"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "MLFLOW_TRACKING_URI": f"sqlite:///{state / 'mlflow.db'}",
        "FERLINE_SCRATCH": str(state / "scratch"),
    }


def require_its_own_code(there: Path, bin_folder: Path, environment: dict[str, str]) -> None:
    """An environment may have the project installed in a way that wins over PYTHONPATH; then nothing is reproduced."""
    modules = ("ferline", "fer_training", "steps", "pipelines")
    code = f"from importlib.util import find_spec\nfor name in {modules}: print(find_spec(name).origin)"
    done = subprocess.run(
        [bin_folder / "python", "-c", code], cwd=there, env=environment, capture_output=True, text=True, check=False
    )
    found = [Path(each) for each in done.stdout.splitlines()]
    if done.returncode or not found or any(not each.is_relative_to(there) for each in found):
        raise FerlineError(f"{there}: Python does not take its code from there ({done.stdout or done.stderr[-300:]})")


def _run(there: Path, bin_folder: Path, environment: dict[str, str], say: Say) -> None:
    """What the pipeline prints goes to standard error: standard output is for the verdict."""
    if not (there / ".zen").exists():
        subprocess.run(
            [str(bin_folder / "zenml"), "init"], cwd=there, env=environment, check=False, capture_output=True
        )
    command = [str(bin_folder / "zenml"), "pipeline", "run", "fer_training"]
    say("zenml pipeline run fer_training")
    if subprocess.run(command, cwd=there, env=environment, check=False, stdout=sys.stderr).returncode:
        raise FerlineError(f"the pipeline failed in {there}; what it said is above. --keep FOLDER leaves it to look at")


def _row_of(client: MlflowClient, story: dict[str, Any]) -> Run:
    """The reproduced row: the architecture's, or that of the same fold."""
    condition = f"tags.`{rows.ARCHITECTURE}` = '{story['architecture']}'"
    if story["fold"] is not None:
        condition = f"tags.`ferline.fold` = '{story['fold']}'"
    experiment = client.get_experiment_by_name(store.EXPERIMENT)
    return client.search_runs([experiment.experiment_id], condition, max_results=1)[0]


def _model(client: MlflowClient, row: Run) -> TrainedModel:
    condition = f"tags.`{DIGEST}` = '{row.data.tags[rows.MODEL]}'"
    return trained_model(client.search_logged_models([row.info.experiment_id], condition)[0])


def _original(story: dict[str, Any]) -> TrainedModel:
    with registry.answering():
        return trained_model(mlflow.get_logged_model(story["runs"]["model_id"]))


def _metrics(story: dict[str, Any]) -> dict[str, float]:
    return dict(store.client().get_run(story["runs"]["row"]).data.metrics)
