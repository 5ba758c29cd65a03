"""One process at a time, on whatever machine: the lock lies in the MLflow store, the one place that all of them share.

A lock is a registered model of a reserved name. The name is a primary key of the store, so of many processes that
create it one succeeds. Its tags say who holds it. A holder that was killed leaves it behind, and then the store has no
"delete it if it is still that one": of two that find it abandoned, the slower would delete what the faster has made
since. So an abandoned lock is not deleted but renamed, to a name made from its own token. That too only one can do, and
for the slower the name is taken.
"""

import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from ferline.artifact import alive
from ferline.errors import FerlineError
from ferline.tracking import store
from ferline.tracking.registry import answering

LEASE = 15 * 60  # seconds since a holder was last heard of; scoring two models on a test split takes minutes
PATIENCE = 10 * 60
PAUSE = 0.5
SWEPT = 3600  # by then nobody is left who took an abandoned lock for one to rename
NOTE = "Held so that of several processes one at a time works on the same thing. It is removed by itself."
PROMOTION = "promotion or rollback"


@dataclass(frozen=True)
class Lock:
    """A lock that this process holds."""

    name: str
    token: str

    def renew(self) -> None:
        """Say that the holder is alive; refused where it was silent for so long that another may hold the lock now."""
        with answering():
            found = _tags(self.name)
            if found is None or found["token"] != self.token or _age(found) > LEASE:
                raise FerlineError(
                    f"{self.name}: this process was silent for over {LEASE // 60} minutes, so another may have taken "
                    "its place. The champion was not changed; run it again"
                )
            store.client().set_registered_model_tag(self.name, "time", str(time.time()))


@contextmanager
def exclusive(name: str, patience: float = PATIENCE, work: str = PROMOTION) -> Iterator[Lock]:
    """No other process is in here for the same name; waits for one that is. `work`: what it would be doing."""
    lock = _acquire(f"ferline-lock-{name}", patience, work)
    try:
        yield lock
    finally:
        _release(lock)


def _acquire(name: str, patience: float, work: str) -> Lock:
    lock, until, said = Lock(name, uuid.uuid4().hex), time.monotonic() + patience, False
    while True:
        with answering():
            if _create(lock):
                _sweep(name)
                return lock
            found = _tags(name)
            if found is not None and _abandoned(found) and _put_aside(name, found["token"]):
                continue
        if time.monotonic() > until:
            raise FerlineError(_in_vain(name, patience, found, work))
        if found is not None and not said:
            print(f"waiting for another {work} to end: {_holder(found)}", flush=True)
            said = True
        time.sleep(PAUSE if found else PAUSE / 10)


def _in_vain(name: str, patience: float, found: dict[str, str] | None, work: str) -> str:
    holder = f": {_holder(found)}" if found else ""
    return (
        f"another {work} did not end within {patience / 60:.0f} minutes{holder}. Nothing was changed; "
        f"run it again. If that process is no more, delete the registered model {name!r} in MLflow "
        f"({mlflow.get_tracking_uri()}), or wait {LEASE // 60} minutes"
    )


def _create(lock: Lock) -> bool:
    tags = {"token": lock.token, "host": platform.node(), "machine": _machine(), "pid": str(os.getpid())}
    try:
        store.client().create_registered_model(lock.name, tags | {"time": str(time.time())}, NOTE)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # it was there, and gone before its tags could be read
            return False
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        found = _tags(lock.name)  # ours, where a client repeats a request whose answer was lost
        return found is not None and found["token"] == lock.token
    return True


def _release(lock: Lock) -> None:
    with answering():
        found = _tags(lock.name)
        if found is None or found["token"] != lock.token:
            return
        if _age(found) < LEASE / 2:
            store.client().delete_registered_model(lock.name)
        else:  # so late that another may be about to take it over
            _put_aside(lock.name, lock.token)


def _put_aside(name: str, token: str) -> bool:
    """Rename the lock that has this token; False where it is no more."""
    try:
        store.client().rename_registered_model(name, _aside(name, token))
    except MlflowException as error:
        # BAD_REQUEST: of two at one time the slower finds no row to change.
        if error.error_code in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST"):
            return False
        raise
    return True


def _aside(name: str, token: str) -> str:
    return f"{name}-left-{token}"


def _sweep(name: str) -> None:
    """Remove what was put aside long ago."""
    for left in store.client().search_registered_models(f"name LIKE '{_aside(name, '')}%'"):
        if _age(left.tags) > SWEPT:
            store.client().delete_registered_model(left.name)


def _tags(name: str) -> dict[str, str] | None:
    """Who holds it; None where nobody does, or does no more: a store reads first the name and then the tags."""
    try:
        tags = dict(store.client().get_registered_model(name).tags)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return tags if "token" in tags else None


def _abandoned(tags: dict[str, str]) -> bool:
    dead = tags["machine"] == _machine() and not alive(int(tags["pid"]))
    return dead or _age(tags) > LEASE


def _age(tags: dict[str, str]) -> float:
    return time.time() - float(tags["time"])


def _holder(tags: dict[str, str]) -> str:
    heard = datetime.fromtimestamp(float(tags["time"]), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"process {tags['pid']} on {tags['host']}, last heard of {heard}"


def _machine() -> str:
    """Where a process number means something: two containers of one name each have a process 7."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if not (boot.exists() and space.is_symlink()):
        return platform.node()
    return f"{platform.node()} {boot.read_text().strip()} {space.readlink()}"
