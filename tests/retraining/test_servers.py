"""Runners that keep nothing, and a real MLflow and a real ZenML server that do, pointed at by the environment alone."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from project_folder import Project, cached, ran, small
from workshop import ASIDE, HERE, Runner, Workshop, grow, people, workshop

SERVERS = HERE / ".ci" / "servers"
EVERY_STEP = {"ingest", "validate", "crop_faces", "resize_48x1", "compare"}
EVERY_STEP |= {f"{step}_cnn_lstm" for step in ("augment", "train", "evaluate")}


def free_ports() -> str:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return " ".join(ports)


class Servers:
    """Both servers, and what a runner sets to reach them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ports = folder, free_ports()
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(ASIDE)}
        self.environment |= {"PORTS": self.ports, "PATH": f"{warm.BIN}:{os.environ['PATH']}"}

    def start(self) -> None:
        self.process = subprocess.Popen(
            [SERVERS, str(self.folder)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        assert (said := self.process.stdout.readline()).startswith("Both answer."), said
        lines = (self.folder / "runner.env").read_text().splitlines()
        self.settings = dict(line.split("=", 1) for line in lines)

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)

    def champion(self) -> tuple[str, str]:
        """Version and architecture."""
        client = MlflowClient(self.settings["MLFLOW_TRACKING_URI"])
        version = client.get_model_version_by_alias("ferline", "champion")
        return str(version.version), version.tags["architecture"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    def one_architecture(project: Project) -> None:
        project.change(small)
        project.change(lambda content: content["architectures"].pop("cnn_lstm_svm"))

    return workshop(
        tmp_path_factory.mktemp("a team") / "our place", one_architecture, lambda raw: raw.append(people(10, seed=3))
    )


@pytest.fixture(scope="module")
def servers(place: Workshop) -> Iterator[Servers]:
    made = Servers(place.root / "servers")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def trial(place: Workshop, servers: Servers) -> tuple[Runner, str]:
    """A pull request with more data, retrained on a runner of its own; what its training printed."""
    author = place.runner("author")
    author.git("switch", "--quiet", "--create", "more-data")
    grow(author, people(8, seed=4))
    runner = place.runner("trial", "more-data")
    runner.environment |= servers.settings
    runner.retrain("pull")
    printed = runner.retrain("train", RETRAIN_TRIAL="true")
    runner.retrain("comment", "origin/main")
    runner.retrain("push", "more-data")
    return runner, printed


@pytest.fixture(scope="module")
def merged(place: Workshop, servers: Servers, trial: tuple[Runner, str]) -> tuple[Runner, str]:
    """The pull request is merged, and main retrained on another fresh runner."""
    place.runner("maintainer", "more-data").git("push", "--quiet", "origin", "more-data:main")
    runner = place.runner("main-runner")
    runner.environment |= servers.settings
    runner.retrain("pull")
    printed = runner.retrain("train")
    runner.retrain("comment")
    runner.retrain("push", "main")
    return runner, printed


def test_everything_of_a_run_goes_to_the_servers(place: Workshop, servers: Servers, trial: tuple[Runner, str]) -> None:
    runner, printed = trial
    assert ran(printed) == EVERY_STEP | {"promote"}
    artifacts = {path.name for path in (place.root / "servers" / "artifacts").iterdir()}
    assert artifacts >= EVERY_STEP
    assert list((place.root / "servers" / "mlflow" / "artifacts").rglob("model.safetensors"))
    here = {path.name for path in runner.folder.rglob("*") if path.is_file()}
    assert not here & {"mlflow.db", "zenml.db", "model.safetensors"}


def test_the_key_does_not_stay_on_the_runner(servers: Servers, trial: tuple[Runner, str]) -> None:
    runner, _ = trial
    files = [path for path in runner.folder.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert not [path for path in files if servers.settings["ZENML_STORE_API_KEY"].encode() in path.read_bytes()]


def test_a_trial_decides_and_leaves_the_champion(servers: Servers, trial: tuple[Runner, str]) -> None:
    runner, _ = trial
    with pytest.raises(MlflowException, match="Registered Model with name=ferline not found"):
        servers.champion()
    assert runner.comment.startswith("## `cnn_lstm` is best and would become champion\n")
    assert runner.report("promotion.json")["mode"] == "dry-run"
    assert runner.says("show", "--format=", "--name-only", "HEAD").count("params.yaml") == 0


def test_a_fresh_clone_is_served_from_the_cache_and_promotes(servers: Servers, merged: tuple[Runner, str]) -> None:
    runner, printed = merged
    assert ran(printed) == {"compare", "promote"}, "what knows the policy, which is no trial any more"
    assert cached(printed) == EVERY_STEP - {"compare"}
    assert servers.champion() == ("1", "cnn_lstm")
    assert runner.comment.startswith("## `cnn_lstm` is best and becomes champion (ferline version 1)\n")


def test_a_key_that_the_server_does_not_take_stops_before_anything_runs(
    place: Workshop, servers: Servers, merged: tuple[Runner, str]
) -> None:
    runner = place.runner("stranger")
    runner.environment |= servers.settings
    runner.retrain("pull")
    said = runner.retrain("train", ok=False, ZENML_STORE_API_KEY="ZENKEY_wrong", RETRAIN_FORCE="true")
    assert not ran(said)
    runner.retrain("comment")
    assert runner.comment.startswith("## Retraining failed\n")
    assert "CredentialsNotValid: Authentication error" in runner.comment
