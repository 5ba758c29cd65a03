"""A person puts an earlier champion back: under the promotions' lock, and written down like a promotion."""

import getpass
import os
import platform
from dataclasses import asdict, dataclass

from ferline.errors import FerlineError
from ferline.promotion import marks
from ferline.tracking import registry, store
from ferline.tracking.lock import exclusive
from ferline.tracking.registry import Registered

KIND = "rollback"


@dataclass(frozen=True)
class Rollback:
    """What was done, as it stands in rollback.json."""

    registered_name: str
    from_version: str | None
    to_version: str
    when: str
    who: str
    reason: str
    chosen: str  # how the version was found, in words

    @property
    def text(self) -> str:
        was = f"in place of version {self.from_version}" if self.from_version else "where there was no champion"
        why = f": {self.reason}" if self.reason else ""
        return (
            f"{self.registered_name} version {self.to_version} is champion again, {was} ({self.chosen}). "
            f"{self.when}, {self.who}{why}"
        )


def rollback(name: str, version: str | None = None, reason: str = "") -> Rollback:
    """Make `version` champion, or without one the last before today's that nobody has taken back."""
    with exclusive(name) as lock:
        champion = registry.champion(name)
        known = {each.version: each for each in registry.versions(name)}
        to, chosen = _asked(name, version, champion, known) if version else _before(name, champion, known)
        _require_usable(to)
        number = champion.version if champion else None
        done = Rollback(name, number, to.version, marks.now(), _who(), reason, chosen)
        lock.renew()
        run_id = _audit(done)
        try:
            _mark(done, champion, to)
            registry.point(registry.CHAMPION, to)
        except BaseException:
            store.client().set_terminated(run_id, "FAILED")
            raise
        with registry.answering():
            store.client().set_terminated(run_id)
    return done


def _asked(
    name: str, version: str, champion: Registered | None, known: dict[str, Registered]
) -> tuple[Registered, str]:
    if version not in known:
        there = ", ".join(reversed(known)) or "none"
        raise FerlineError(f"{name} has no version {version}; there are: {there}. Nothing was changed")
    if champion is not None and champion.version == version:
        raise FerlineError(f"{name} version {version} is the champion already. Nothing was changed")
    return known[version], "as asked for"


def _before(name: str, champion: Registered | None, known: dict[str, Registered]) -> tuple[Registered, str]:
    """Back along the chain of who replaced whom, past those that were taken back themselves."""
    if champion is None:
        raise FerlineError(f"{name} has no champion to go back from. Name the version: ferline rollback VERSION")
    step, seen = champion, {champion.version}
    passed: list[str] = []
    while True:
        before = known.get(step.tags.get(marks.REPLACED, marks.NOBODY))
        if before is None or before.version in seen:
            raise FerlineError(_nowhere(name, champion, passed))
        if marks.TAKEN_BACK not in before.tags:
            skipped = f", past {_listed(passed)}, taken back earlier" if passed else ""
            return before, f"the champion before it{skipped}"
        seen.add(before.version)
        passed.append(before.version)
        step = before


def _nowhere(name: str, champion: Registered, passed: list[str]) -> str:
    after = f" but {_listed(passed)}, taken back earlier" if passed else ""
    return (
        f"{name} version {champion.version} has no champion before it{after}. Nothing was changed. "
        "`ferline champion --history` lists the versions; name one: ferline rollback VERSION"
    )


def _listed(versions: list[str]) -> str:
    return " and ".join(f"version {each}" for each in versions)


def _require_usable(to: Registered) -> None:
    """Its bytes are those that were registered, and they make a network."""
    try:
        to.model().network()
    except FerlineError as error:
        raise FerlineError(f"version {to.version} cannot be champion: {error}. Nothing was changed") from None


def _audit(done: Rollback) -> str:
    """An MLflow run of its own beside the pipeline's, written before anything is changed; its id."""
    tags = {
        "ferline.kind": KIND,
        "ferline.registered_name": done.registered_name,
        "ferline.from": str(done.from_version),
        "ferline.to": done.to_version,
        "mlflow.note.content": done.text,
        **store.code_version(),
        **store.process_tags(),
    }
    with registry.answering():
        title = f"rollback to version {done.to_version}"
        run_id = str(store.client().create_run(store.experiment_id(), tags=tags, run_name=title).info.run_id)
        store.client().log_dict(run_id, asdict(done), "rollback.json")
    return run_id


def _mark(done: Rollback, champion: Registered | None, to: Registered) -> None:
    """Before the alias moves: after a crash in between the same command does the same again, and goes no further."""
    why = f": {done.reason}" if done.reason else ""
    place = f"in place of version {done.from_version}" if champion else "where there was no champion"
    if champion is not None:
        told = f"by {done.who} on {done.when} for version {to.version}{why}"
        registry.tag(champion, {marks.TAKEN_BACK: told, marks.TAKEN_BACK_AT: done.when})
        registry.untag(champion, marks.RESTORED, marks.RESTORED_AT)
    told = f"put back by {done.who} {place} ({done.chosen}){why}"
    registry.tag(to, {marks.RESTORED: told, marks.RESTORED_AT: done.when})
    registry.untag(to, marks.TAKEN_BACK, marks.TAKEN_BACK_AT)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = f"uid {os.getuid()}"
    return f"{user}@{platform.node()}"
