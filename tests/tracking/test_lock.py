"""The lock in the store: one holder at a time, none for ever, and nobody loses a lock to another's delay."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from ferline.errors import FerlineError
from ferline.tracking import lock as locking
from ferline.tracking.lock import LEASE, SWEPT, exclusive

HELD = "ferline-lock-m"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    uri = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        mlflow.set_tracking_uri(uri)
        yield uri
        mlflow.set_tracking_uri("")


@pytest.fixture
def client(server: str) -> Iterator[mlflow.MlflowClient]:
    """Of a registry in which nothing is held."""
    client = mlflow.MlflowClient()
    yield client
    for each in client.search_registered_models():
        client.delete_registered_model(each.name)


def names(client: mlflow.MlflowClient) -> list[str]:
    return sorted(each.name for each in client.search_registered_models())


def left(
    client: mlflow.MlflowClient, age: float, machine: str = "elsewhere", token: str = "t", name: str = HELD
) -> None:
    """A lock as another machine left it that many seconds ago."""
    tags = {"token": token, "host": "far", "machine": machine, "pid": "1", "time": str(time.time() - age)}
    client.create_registered_model(name, tags)


def test_it_is_held_inside_and_gone_afterwards(client):
    with exclusive("m") as held:
        (found,) = client.search_registered_models()
        assert (found.name, found.tags["token"]) == (HELD, held.token)
        assert "one at a time works on the same thing" in found.description
    assert names(client) == []


def test_an_error_inside_gives_it_back(client):
    with pytest.raises(KeyError), exclusive("m"):
        raise KeyError
    assert names(client) == []


def test_locks_of_two_names_have_nothing_to_do_with_each_other(client):
    with exclusive("m"), exclusive("other", patience=0):
        assert names(client) == [HELD, "ferline-lock-other"]


def test_who_waits_in_vain_is_told_for_whom_and_what_to_do(client, capsys):
    left(client, age=60)
    with pytest.raises(FerlineError) as error, exclusive("m", patience=1):
        pass
    assert "process 1 on far, last heard of 20" in str(error.value)
    assert "Nothing was changed" in str(error.value)
    assert f"delete the registered model '{HELD}'" in str(error.value)
    assert names(client) == [HELD], "another's lock stays"
    assert capsys.readouterr().out.count("waiting for another promotion or rollback") == 1


def test_who_waits_gets_it_when_it_is_given_back(client):
    left(client, age=60)
    threading.Timer(0.7, client.delete_registered_model, [HELD]).start()
    with exclusive("m", patience=20):
        assert client.get_registered_model(HELD).tags["host"] != "far"


def test_the_lock_of_a_killed_process_is_taken_over_at_once(client, server):
    script = "import os\nfrom ferline.tracking.lock import exclusive\nwith exclusive('m'): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert names(client) == [HELD]
    with exclusive("m", patience=0) as held:
        assert client.get_registered_model(HELD).tags["token"] == held.token


def test_a_lock_of_this_process_number_on_another_machine_is_not_taken_for_a_dead_one(client):
    """Process 1 of another container may well be alive, though here no such number were."""
    client.create_registered_model(
        HELD, {"token": "t", "host": "far", "machine": "far", "pid": "4194304", "time": str(time.time())}
    )
    with pytest.raises(FerlineError, match="did not end"), exclusive("m", patience=0):
        pass


def test_another_machines_lock_is_taken_over_when_nothing_was_heard_of_it_for_a_lease(client):
    left(client, age=LEASE + 1)
    with exclusive("m", patience=0) as held:
        held.renew()
    assert names(client) == [f"{HELD}-left-t"], "what was put aside keeps its name from others for an hour"


def test_the_slower_of_two_that_find_it_abandoned_does_not_remove_the_fasters(client):
    left(client, age=LEASE + 1)
    with exclusive("m", patience=0) as held:
        assert not locking._put_aside(HELD, "t")  # what the slower does, having read the same old token
        assert client.get_registered_model(HELD).tags["token"] == held.token


def test_of_many_at_an_abandoned_lock_one_at_a_time_gets_in(client):
    left(client, age=LEASE + 1)
    inside, most, done, errors = [], [], [], []

    def work(number: int) -> None:
        try:
            with exclusive("m", patience=60):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.02)
                inside.remove(number)
                done.append(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (sorted(done), set(most)) == (list(range(6)), {1})


def test_a_model_that_someone_gave_the_reserved_name_is_told_of_and_not_waited_for_without_end(client):
    client.create_registered_model(HELD)
    with pytest.raises(FerlineError, match=f"delete the registered model '{HELD}'"), exclusive("m", patience=0.3):
        pass


def test_a_holder_who_was_silent_too_long_may_not_go_on(client):
    with exclusive("m") as held:
        client.set_registered_model_tag(HELD, "time", str(time.time() - LEASE - 1))
        with pytest.raises(FerlineError, match="silent for over 15 minutes"):
            held.renew()


def test_a_holder_whose_lock_was_taken_over_leaves_it_to_the_other(client):
    with exclusive("m") as late:
        client.set_registered_model_tag(HELD, "time", str(time.time() - LEASE - 1))
        other = locking._acquire(HELD, patience=0, work="promotion")
        with pytest.raises(FerlineError, match="another may have taken its place"):
            late.renew()
    assert client.get_registered_model(HELD).tags["token"] == other.token
    locking._release(other)


def test_a_late_holder_gives_it_back_without_touching_what_may_come(client):
    with exclusive("m") as late:
        client.set_registered_model_tag(HELD, "time", str(time.time() - LEASE / 2 - 1))
    assert names(client) == [f"{HELD}-left-{late.token}"]


def test_a_renewed_lock_is_not_abandoned(client):
    with exclusive("m") as held:
        client.set_registered_model_tag(HELD, "time", str(time.time() - LEASE + 60))
        held.renew()
        assert time.time() - float(client.get_registered_model(HELD).tags["time"]) < 60


def test_what_was_put_aside_an_hour_ago_is_swept(client):
    left(client, age=SWEPT + 1, token="old", name=f"{HELD}-left-old")
    left(client, age=SWEPT - 60, token="young", name=f"{HELD}-left-young")
    left(client, age=SWEPT + 1, token="other", name="ferline-lock-other-left-old")
    with exclusive("m"):
        pass
    assert names(client) == [f"{HELD}-left-young", "ferline-lock-other-left-old"]


def test_a_store_that_does_not_answer_is_one_message(monkeypatch, tmp_path: Path):
    (tmp_path / "no.db").write_bytes(b"this is no database " * 200)
    uri = f"sqlite:///{tmp_path / 'no.db'}"
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        with pytest.raises(FerlineError, match=f"MLflow at {uri} does not answer"), exclusive("m"):
            pass
    finally:
        mlflow.set_tracking_uri(before)
