"""The champion is chosen: compared and decided under a lock, written down, and moved in one write, the last.

A crash at any moment leaves the old champion in place: a version that is registered and not yet pointed at is only a
version, and the next run goes on from there. `mode: dry-run` does all but the writing into the registry.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ferline.artifact import Artifact, staging, write_json
from ferline.evaluation.leaderboard import Leaderboard
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import PromotionParams
from ferline.promotion import policy
from ferline.promotion.comparison import reign
from ferline.promotion.decision_page import as_markdown, title
from ferline.promotion.marks import (
    DECIDED_AT,
    DECISION,
    NOBODY,
    OUTCOME,
    PROMOTED_AT,
    PROMOTION,
    REPLACED,
    RESTORED,
    RESTORED_AT,
    TAKEN_BACK,
    now,
)
from ferline.promotion.policy import Candidate, Decision, Reigning
from ferline.tracking import registry, rows, store
from ferline.tracking.lock import Lock, exclusive
from ferline.tracking.registry import Registered, Unreadable


class Promotion(Artifact):
    """`promotion.json` and `promotion.md`: the decision, every gate with its value, and where the model came from."""

    @property
    def decision(self) -> dict[str, Any]:
        return dict(self.read_json("promotion.json"))

    @property
    def text(self) -> str:
        """For people: a page of Markdown."""
        return (self.folder / "promotion.md").read_text()

    def summary(self) -> dict[str, Any]:
        decision = self.decision
        return {key: str(decision[key]) for key in ("promoted", "outcome", "reason", "champion_version")}


def promote(
    leaderboard: Leaderboard,
    models: list[TrainedModel],
    faces: FaceSet,
    params: PromotionParams,
    lineage: dict[str, str],
    target: Path | None = None,
) -> Promotion:
    """Hold the leaderboard's first row against the policy, alone with the registry from reading it to changing it."""
    row = leaderboard.rows[0]
    model = next(each for each in models if each.digest == row["model_digest"])
    content: dict[str, Any] = {
        "registered_name": params.registered_name,
        "mode": params.mode,
        "candidate": row,
        "lineage": lineage,
        "decided_at": now(),
    }
    with _alone(params) as lock, staging(target) as folder:
        champion = registry.champion(params.registered_name)
        candidate = Candidate(row, model.card.get("leaks"), _taken_back(params.registered_name, model))
        reigning = _reigning(candidate, champion, model, faces, params, lock)
        decision = _decided(candidate, reigning, params)
        version = None
        if lock is not None and decision.registers:
            lock.renew()
            version = _register(candidate, model, decision, content)
        promoted = version is not None and decision.promotes
        content |= _told(decision, reigning, params) | {"promoted": promoted}
        content |= {"champion_version": _number(version if promoted else champion)}
        write_json(folder / "promotion.json", content)
        (folder / "promotion.md").write_text(as_markdown(content))
        if lock is not None and version is not None and promoted:
            _crown(lock, version, champion, content)
    return Promotion(target or folder)


@contextmanager
def _alone(params: PromotionParams) -> Iterator[Lock | None]:
    """The lock, where anything is going to be changed."""
    if params.mode != "enforce":
        yield None
        return
    with exclusive(params.registered_name) as lock:
        yield lock


def _reigning(
    candidate: Candidate,
    champion: Registered | None,
    model: TrainedModel,
    faces: FaceSet,
    params: PromotionParams,
    lock: Lock | None,
) -> Reigning | None:
    """The champion beside the candidate; only named where the comparison could change nothing."""
    if champion is None:
        return None
    if params.mode == "off" or policy.never(candidate):
        return Reigning(champion.version, champion.digest)
    if champion.digest == candidate.digest:
        return _same(champion)
    return reign(champion, model, faces, params, lock.renew) if lock else reign(champion, model, faces, params)


def _same(champion: Registered) -> Reigning:
    """The very bytes that are offered; where the registry has lost its own, these take their place."""
    try:
        champion.model()
    except Unreadable as error:
        return Reigning(champion.version, champion.digest, outcome="champion_unreadable", problem=str(error))
    return Reigning(champion.version, champion.digest)


def _decided(candidate: Candidate, reigning: Reigning | None, params: PromotionParams) -> Decision:
    if params.mode == "off":
        return Decision("off", "promotion.mode is off: nothing was compared and nothing is registered")
    decision = policy.decide(candidate, reigning, params)
    if params.mode == "enforce":
        return decision
    return Decision(decision.outcome, f"dry run, nothing is changed: {decision.reason}", decision.gates)


def _taken_back(name: str, model: TrainedModel) -> str:
    """What a person said who rolled these very bytes back; empty where nobody did."""
    known = registry.of_digest(name, model.digest)
    told = known.tags.get(TAKEN_BACK, "") if known else ""
    return f"version {known.version} was taken back {told}" if known and told else ""


def _register(candidate: Candidate, model: TrainedModel, decision: Decision, content: dict[str, Any]) -> Registered:
    tags = {
        **content["lineage"],
        "architecture": candidate.name,
        "protocol": str(candidate.row["protocol"]),
        "data.digest": str(candidate.row["data_digest"]),
        DECISION: decision.reason,
        OUTCOME: decision.outcome,
        DECIDED_AT: content["decided_at"],
    }
    version = registry.register(content["registered_name"], model, tags)
    registry.point(registry.CHALLENGER, version)
    return version


def _crown(lock: Lock, version: Registered, champion: Registered | None, content: dict[str, Any]) -> None:
    """Whom it replaces is written before, or a rollback would not know; that it is champion only when it is."""
    version = registry.tag(version, {REPLACED: _number(champion) or NOBODY})
    lock.renew()
    registry.point(registry.CHAMPION, version)
    registry.tag(version, {PROMOTED_AT: content["decided_at"], PROMOTION: content["reason"]})
    registry.untag(version, RESTORED, RESTORED_AT)


def _told(decision: Decision, reigning: Reigning | None, params: PromotionParams) -> dict[str, Any]:
    return {
        "outcome": decision.outcome,
        "reason": decision.reason,
        "would_promote": decision.promotes,
        "gates": [asdict(gate) for gate in decision.gates],
        "previous_champion": asdict(reigning) if reigning else None,
        "policy": asdict(params),
    }


def _number(version: Registered | None) -> str | None:
    return version.version if version else None


def log_decision(parent_id: str, promotion: Promotion) -> None:
    """The decision with its reasons, and the end of the pipeline run."""
    client, decision = store.client(), promotion.decision
    client.log_artifacts(parent_id, str(promotion.folder), "promotion")
    client.set_tag(parent_id, "ferline.promoted", str(decision["promoted"]).lower())
    client.set_tag(parent_id, "ferline.outcome", decision["outcome"])
    client.set_tag(parent_id, "ferline.reason", decision["reason"])
    told = title(decision)
    leaderboard = client.get_run(parent_id).data.tags.get(rows.NOTE, "")
    client.set_tag(parent_id, rows.NOTE, f"**{told}**: {decision['reason']}\n\n{leaderboard}")
    client.set_terminated(parent_id)
