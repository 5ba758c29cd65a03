"""A team's place on one machine: S3, the servers of MLflow and ZenML, and a checkout with the stacks imported."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import warm
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "pipelines"))  # project_folder: commands as a user runs them
from checkout import COPIED, HERE, IMAGE, KEYS, STACKS, copy
from project_folder import Project, small

from ferline.datasets.raw import RawSet
from ferline.datasets.synthetic import faces


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def bucket() -> Iterator[Any]:
    """boto3's view of an S3 server that is a process of its own; `bucket.url` is where it is."""
    port = free_port()
    server = subprocess.Popen(
        [warm.BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while socket.socket().connect_ex(("127.0.0.1", port)):
        assert server.poll() is None, "the S3 server ended"
        assert time.monotonic() < until, "the S3 server does not answer"
        time.sleep(0.1)
    url = f"http://127.0.0.1:{port}"
    keys = {key.lower(): value for key, value in KEYS.items()}
    s3 = boto3.resource("s3", endpoint_url=url, region_name="us-east-1", **keys)
    made = s3.create_bucket(Bucket="my-bucket")
    made.url = url
    yield made
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a runner sets to reach MLflow and ZenML (.ci/servers)."""
    folder = tmp_path_factory.mktemp("servers")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ZENML", "MLFLOW"))}
    environment |= {"PORTS": f"{free_port()} {free_port()}", "PATH": f"{warm.BIN}:{os.environ['PATH']}"} | KEYS
    process = subprocess.Popen(
        [HERE / ".ci" / "servers", folder], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    assert (said := process.stdout.readline()).startswith("Both answer."), said
    yield dict(line.split("=", 1) for line in (folder / "runner.env").read_text().splitlines())
    process.terminate()
    process.communicate(timeout=60)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, bucket: Any, servers: dict[str, str]) -> Project:
    """A checkout with a tiny set, which is in a DVC remote in the bucket, and with both stacks imported."""
    root = tmp_path_factory.mktemp("a team")
    project = Project(root / "checkout", _environment(root, servers))
    project.folder.mkdir()
    for name in COPIED:
        copy(HERE / name, project.folder / name)
    project.change(one_small_network)
    RawSet(project.folder / "data" / "raw" / "tiny").append(faces(10, 1, seed=3))
    project.git("init", "--quiet")
    project.run("dvc", "init", "--quiet")
    project.run("dvc", "remote", "add", "--quiet", "--default", "storage", "s3://my-bucket/dvc")
    project.run("dvc", "remote", "modify", "--quiet", "storage", "endpointurl", bucket.url)
    project.run("dvc", "add", "--quiet", "data/raw/tiny")
    project.run("dvc", "push", "--quiet", **KEYS)
    (project.folder / ".zen").mkdir()  # `zenml init`, whose settings would win over the environment's
    project.commit("a tiny dataset")
    commands = [["secret", "create", "ferline", *(f"--{key}={value}" for key, value in KEYS.items())]]
    for name in ("kubernetes", "kubeflow"):
        _edit(project.folder / STACKS / f"{name}.yaml", {"https://s3.eu-central-1.amazonaws.com": bucket.url})
        # A process has no /state of its own; `cluster.py` mounts it beside /app, in which every pod stands.
        places = {
            "https://mlflow.example.org": servers["MLFLOW_TRACKING_URI"],
            "SCRATCH: /state": "SCRATCH: ../state",
        }
        _edit(project.folder / STACKS / f"run-{name}.yaml", places)
        commands.append(["stack", "import", f"{STACKS}/{name}.yaml"])
    zenml(project, *commands)
    image = {"image": IMAGE, "contains_code": True, "requires_code_download": False}
    images = {"orchestrator": image, "kubernetes_step_operator": image}
    build = {"images": images, "is_local": False, "contains_code": True}
    (project.folder / "build.yaml").write_text(yaml.safe_dump(build))
    return project


def zenml(project: Project, *commands: list[str]) -> None:
    """Several of its commands in one process, whose start takes longer than they do."""
    script = "from zenml.cli.cli import cli\nfor each in {}: cli(each, standalone_mode=False)"
    project.run("python", "-c", script.format(list(commands)))


def _environment(root: Path, servers: dict[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ZENML", "MLFLOW", "AWS"))}
    state = root / "checkout" / ".ferline"
    return kept | {
        **{key: value for key, value in servers.items() if key != "ZENML_ACTIVE_STACK_ID"},
        "ZENML_CONFIG_PATH": str(state / "zenml"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "FERLINE_SCRATCH": str(state / "scratch"),
        "DVC_SITE_CACHE_DIR": str(state / "dvc"),
        "PYTHONPATH": f"{root / 'checkout' / 'src'}:{root / 'checkout'}",
        "PATH": warm.path(),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }


def _edit(path: Path, changes: dict[str, str]) -> None:
    """What a user edits; a value that is not there any more would be edited in vain."""
    text = path.read_text()
    for old, new in changes.items():
        assert old in text, f"{path}: no {old}"
        text = text.replace(old, new)
    path.write_text(text)


def one_small_network(content: dict[str, Any]) -> None:
    small(content)
    content["architectures"] = {"cnn_lstm": content["architectures"]["cnn_lstm"]}
    content["architectures"]["cnn_lstm"]["training"].update(epochs=12)
    content["compute"]["checkpoint_seconds"] = 0
