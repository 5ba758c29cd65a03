"""The registry: versions, their tags and aliases, and what lies behind them, on a disk and behind a real server."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from promoting import World, aliases, files_of, logged, rewritten, trained, versions, world_in

from ferline.errors import FerlineError
from ferline.models.trained import WEIGHTS
from ferline.tracking import registry
from ferline.tracking.registry import CHAMPION, Unreadable


@pytest.fixture(scope="module")
def world(tmp_path_factory, faces_in) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("world"), faces_in) as made:
        yield made


@pytest.fixture
def name(world) -> str:
    return world.policy().registered_name


def test_a_name_that_nobody_has_used_has_no_champion_and_no_versions(name):
    assert registry.champion(name) is None
    assert registry.versions(name) == []
    assert registry.of_digest(name, "d" * 64) is None


def test_versions_are_registered_once_for_their_bytes(world, name):
    first = registry.register(name, world.first, {"a": "1"})
    second = registry.register(name, world.second, {"a": "2"})
    again = registry.register(name, world.first, {"a": "3", "b": "4"})
    assert [each.version for each in (first, second, again)] == ["1", "2", "1"]
    assert [each.version for each in registry.versions(name)] == ["2", "1"]
    assert registry.of_digest(name, world.first.digest) == again
    assert (again.tags["a"], again.tags["b"], again.digest) == ("3", "4", world.first.digest)


def test_a_registered_name_without_an_alias_has_no_champion(world, name):
    version = registry.register(name, world.first, {})
    assert registry.champion(name) is None
    registry.point(CHAMPION, version)
    assert registry.champion(name) == version


def test_tags_come_and_go(world, name):
    version = registry.tag(registry.register(name, world.first, {}), {"x": "1", "y": "2"})
    assert registry.versions(name) == [version]
    registry.untag(version, "x", "never there")
    left = registry.versions(name)[0].tags
    assert ("x" in left, left["y"]) == (False, "2")


def test_a_model_that_was_never_logged_cannot_be_registered(world, name):
    with pytest.raises(FerlineError, match=r"small: its model is not in sqlite:.*; evaluate it again"):
        registry.register(name, rewritten(world.first, seed=1234), {})
    assert registry.versions(name) == []


def test_a_store_on_this_disk_is_read_in_place(world, name):
    version = registry.register(name, world.first, {})
    assert version.model().digest == world.first.digest
    assert world.folder in version.model().folder.parents


def test_a_version_of_which_the_model_was_deleted_is_unreadable(world, name):
    own = logged(rewritten(world.first, seed=4321))
    version = registry.register(name, own, {})
    shutil.rmtree(files_of(version).parent)
    with pytest.raises(Unreadable, match=r"models:/of-test-\d+/1: its files are gone"):
        version.model()


def test_files_that_cannot_be_read_now_are_no_unreadable_model(world, name, monkeypatch):
    """A disk that fails may be well tomorrow."""
    version = registry.register(name, logged(rewritten(world.first, seed=5)), {})

    def fail(self):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("ferline.models.trained.TrainedModel.verify", fail)
    with pytest.raises(FerlineError, match="Input/output error") as error:
        version.model()
    assert not isinstance(error.value, Unreadable)


# ---- behind a server, which hands out the files itself


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[tuple[str, Path, subprocess.Popen]]:
    """A real one: its address, where it keeps its files, and its process."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "files"), "--port", str(port), "--workers", "1"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, *command], stdout=log, stderr=log, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait_for(uri, process, folder / "log")
        yield uri, folder / "files", process
    finally:
        _stop(process)


def _wait_for(uri: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(1200):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{uri}/health").close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(log.read_text())


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_behind_a_server_gone_and_corrupt_and_out_of_reach_are_told_apart(server, faces_in, tmp_path, monkeypatch):
    uri, files, process = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        faces = faces_in(tmp_path, train=140, test=70)
        model = logged(trained(faces, epochs=1))
        params = World.policy()
        World(uri, tmp_path, faces, model, model).crown(params)
        assert (aliases(params)["champion"], versions(params)) == ("1", ["1"])
        champion = registry.champion(params.registered_name)
        assert champion.model().digest == model.digest
        assert Path(os.environ["FERLINE_SCRATCH"]) in champion.model().folder.parents

        (weights,) = files.rglob(WEIGHTS)
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(Unreadable, match="corrupt"):
            champion.model()
        weights.unlink()
        with pytest.raises(Unreadable, match="missing, though"):
            champion.model()
        shutil.rmtree(weights.parents[2])
        with pytest.raises(Unreadable, match="its files are gone"):
            champion.model()

        _stop(process)
        with pytest.raises(FerlineError, match=f"MLflow at {uri} does not answer") as error:
            champion.model()
        assert not isinstance(error.value, Unreadable)
    finally:
        mlflow.set_tracking_uri(before)
