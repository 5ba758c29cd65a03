"""The champion for people: which it is, what made it so, and who was it before."""

from typing import Any

import mlflow

from ferline.errors import FerlineError
from ferline.promotion import marks
from ferline.tracking import registry
from ferline.tracking.registry import Registered

_SAID = (
    marks.PROMOTION,
    marks.PROMOTED_AT,
    marks.RESTORED,
    marks.RESTORED_AT,
    marks.DECISION,
    marks.OUTCOME,
    marks.DECIDED_AT,
)


def champion_card(name: str) -> dict[str, Any]:
    """Everything that its version says, for a program."""
    found = _champion(name)
    because, since = _made(found)
    return {
        "name": found.name,
        "version": found.version,
        "uri": f"models:/{found.name}@{registry.CHAMPION}",
        "because": because,
        "since": since,
        **found.tags,
    }


def champion_text(card: dict[str, Any]) -> str:
    lines = [
        f"Champion: {card['architecture']}, registered as {card['name']} version {card['version']}",
        f"  since {card['since']}: {card['because']}",
    ]
    told = {"name", "version", "architecture", "uri", "because", "since", *_SAID}
    lines += [f"  {key:22} {value}" for key, value in card.items() if key not in told]
    return "\n".join([*lines, f"  load it:               mlflow.pyfunc.load_model({card['uri']!r})"])


def history(name: str) -> list[dict[str, Any]]:
    """Every version, newest first: how it became champion, or what was decided instead, and who took it back."""
    now = registry.champion(name)
    return [
        {
            "version": each.version,
            "architecture": each.tags.get("architecture", "?"),
            "champion": now is not None and each.version == now.version,
            **{key: each.tags.get(key) for key in (*_SAID, marks.REPLACED, marks.TAKEN_BACK)},
        }
        for each in registry.versions(name)
    ]


def history_text(versions: list[dict[str, Any]]) -> str:
    return "\n".join(line for each in versions for line in _lines(each)) or "No version is registered yet."


def _lines(each: dict[str, Any]) -> list[str]:
    was = each[marks.PROMOTED_AT] or each[marks.RESTORED_AT]
    stood = "the champion" if each["champion"] else "was champion" if was else "never champion"
    lines = [f"version {each['version']}, {each['architecture']}: {stood}"]
    for key, when in (
        (marks.PROMOTION, marks.PROMOTED_AT),
        (marks.RESTORED, marks.RESTORED_AT),
        *(() if was else ((marks.DECISION, marks.DECIDED_AT),)),
    ):
        lines += [f"  {each[when]}  {each[key]}"] if each[key] else []
    return lines + ([f"  taken back {each[marks.TAKEN_BACK]}"] if each[marks.TAKEN_BACK] else [])


def _made(version: Registered) -> tuple[str, str]:
    """The rollback that put it back, else the promotion that made it, else the last decision about it; and when."""
    for key, when in (
        (marks.RESTORED, marks.RESTORED_AT),
        (marks.PROMOTION, marks.PROMOTED_AT),
        (marks.DECISION, marks.DECIDED_AT),
    ):
        if key in version.tags:
            return version.tags[key], version.tags[when]
    return "nothing is written of it", "an unknown day"


def _champion(name: str) -> Registered:
    found = registry.champion(name)
    if found is None:
        raise FerlineError(
            f"{mlflow.get_tracking_uri()} has no champion of the name {name!r}. Run: zenml pipeline run fer_training"
        )
    return found
