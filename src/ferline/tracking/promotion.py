"""Who becomes champion, and why: a decision made from numbers alone, written down before anything is changed."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferline.artifact import Artifact, staging, write_json
from ferline.datasets.protocols import leaks_by_design
from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import Leaderboard
from ferline.evaluation.metrics import score
from ferline.faces.faceset import FaceSet
from ferline.faces.resize import resize
from ferline.models.trained import TrainedModel
from ferline.params import GateParams, InputParams, PromotionParams
from ferline.tracking import registry

FEWEST = 20  # test faces that the champion has not seen; of fewer, one face is over 5 points of accuracy
_ANEW = "Another promotion.registered_name starts anew"


@dataclass(frozen=True)
class Gate:
    """One condition on the candidate, with what was found."""

    name: str
    value: float
    threshold: float
    passed: bool
    rule: str


@dataclass(frozen=True)
class Reigning:
    """The champion before the decision, and the candidate, on those of today's test faces that the champion never saw.

    `score` is None where they cannot be compared, for the reason in `problem`; `stays` says who is champion then.
    """

    version: str
    digest: str
    score: float | None
    rival: float | None = None  # the candidate's score on the same faces
    faces: int = 0
    problem: str = ""
    stays: bool = False


@dataclass(frozen=True)
class Decision:
    promoted: bool
    reason: str
    gates: tuple[Gate, ...]


def gates(row: dict[str, Any], floors: GateParams) -> tuple[Gate, ...]:
    """The candidate's row of the leaderboard against params.yaml's floors, all on the test split."""
    f1, recall, latency = row["test"]["macro_f1"], row["test"]["min_class_recall"], row["latency_ms"]
    return (
        Gate("min_macro_f1", f1, floors.min_macro_f1, f1 >= floors.min_macro_f1, "at least"),
        Gate("min_class_recall", recall, floors.min_class_recall, recall >= floors.min_class_recall, "at least"),
        Gate("max_latency_ms", latency, floors.max_latency_ms, latency <= floors.max_latency_ms, "at most"),
    )


def decide(row: dict[str, Any], digest: str, reigning: Reigning | None, params: PromotionParams) -> Decision:
    """Promote when every gate is passed and the champion, on the same test images, is beaten by more than min_gain."""
    checked = gates(row, params.gates)
    name, metric = row["architecture"], params.select_by
    if leaks_by_design(str(row["protocol"])):
        told = (
            f"{name} was trained under {row['protocol']}, whose split leaks by design; such a model is never promoted"
        )
        return Decision(False, told, checked)
    failed = [gate for gate in checked if not gate.passed]
    if failed:
        listed = ", ".join(
            f"{gate.name} is {gate.value:.4g}, {gate.rule} {gate.threshold:g} is needed" for gate in failed
        )
        return Decision(False, f"{name} fails the gates: {listed}", checked)
    if reigning is None:
        return Decision(True, f"{name} passes every gate and there is no champion yet", checked)
    if reigning.digest == digest:
        return Decision(False, f"{name} is the champion already (version {reigning.version}, the same bytes)", checked)
    if reigning.score is None or reigning.rival is None:
        told = f"champion {reigning.version} cannot be scored: {reigning.problem}"
        outcome = f"{name} is not promoted, for {told}" if reigning.stays else f"{name} passes every gate; {told}"
        return Decision(not reigning.stays, outcome, checked)
    gain = reigning.rival - reigning.score
    told = (
        f"test {metric} {reigning.rival:.4f} against {reigning.score:.4f} of champion {reigning.version} "
        f"on {reigning.faces:,} faces that neither was trained on"
    )
    if gain > params.min_gain:
        return Decision(True, f"{name} is better: {told}", checked)
    return Decision(False, f"{name} is not better by more than {params.min_gain:g}: {told}", checked)


def reign(params: PromotionParams, candidate: TrainedModel, faces: FaceSet) -> Reigning | None:
    """Today's champion beside the candidate."""
    registered = registry.champion(params.registered_name)
    if registered is None:
        return None
    version, digest = registered.version, registered.digest
    try:
        model = registered.model()
        if model.emotions != faces.emotions:
            told = f"it tells {', '.join(model.emotions)}, these faces show {', '.join(faces.emotions)}. {_ANEW}"
            return Reigning(version, digest, None, problem=told, stays=True)
        test = faces.rows("test")
        rows = test[~model.has_seen(faces.table["sha256"].to_numpy()[test])]
        if len(rows) < min(FEWEST, len(test)):
            told = f"it was trained on {len(test) - len(rows):,} of today's {len(test):,} test faces. {_ANEW}"
            return Reigning(version, digest, None, problem=told, stays=True)
        scores = [_scored(each, faces, rows)[params.select_by] for each in (model, candidate)]
    except FerlineError as error:
        return Reigning(version, digest, None, problem=str(error))
    return Reigning(version, digest, scores[0], scores[1], len(rows))


def _scored(model: TrainedModel, faces: FaceSet, rows: np.ndarray) -> dict[str, Any]:
    sized = resize(faces, InputParams(**model.card["input"]))
    return score(sized.labels[rows], model.predict(sized.images[rows]), faces.emotions)


class Promotion(Artifact):
    """`promotion.json` and `promotion.md`: the decision, every gate with its value, and where the model came from."""

    @property
    def decision(self) -> dict[str, Any]:
        return dict(self.read_json("promotion.json"))

    def summary(self) -> dict[str, Any]:
        decision = self.decision
        return {key: str(decision[key]) for key in ("promoted", "reason", "champion_version")}


def promote(
    leaderboard: Leaderboard,
    models: list[TrainedModel],
    faces: FaceSet,
    params: PromotionParams,
    lineage: dict[str, str],
    target: Path | None = None,
) -> Promotion:
    """Decide, register what passed the gates, and move the champion's alias last of all."""
    row = leaderboard.rows[0]
    model = next(each for each in models if each.digest == row["model_digest"])
    reigning = reign(params, model, faces)
    decision = decide(row, model.digest, reigning, params)
    tags = {
        **lineage,
        "architecture": row["architecture"],
        "data.digest": row["data_digest"],
        "decision": decision.reason,
    }
    version = reigning.version if reigning else None
    if all(gate.passed for gate in decision.gates) and not leaks_by_design(str(row["protocol"])):
        registered = registry.register(params.registered_name, model, tags)
        registry.point(registry.CHALLENGER, registered)
        if decision.promoted:
            registry.point(registry.CHAMPION, registered)
            version = registered.version
    return _write(row, decision, reigning, version, params, lineage, target)


def _write(
    row: dict[str, Any],
    decision: Decision,
    reigning: Reigning | None,
    version: str | None,
    params: PromotionParams,
    lineage: dict[str, str],
    target: Path | None,
) -> Promotion:
    content = {
        "registered_name": params.registered_name,
        "promoted": decision.promoted,
        "reason": decision.reason,
        "champion_version": version,
        "candidate": row,
        "previous_champion": asdict(reigning) if reigning else None,
        "gates": [asdict(gate) for gate in decision.gates],
        "select_by": params.select_by,
        "min_gain": params.min_gain,
        "lineage": lineage,
    }
    with staging(target) as folder:
        write_json(folder / "promotion.json", content)
        (folder / "promotion.md").write_text(as_markdown(content))
    return Promotion(target or folder)


def as_markdown(content: dict[str, Any]) -> str:
    verdict = "Promoted" if content["promoted"] else "Not promoted"
    lines = [f"# {verdict}: {content['candidate']['architecture']}", "", f"{content['reason']}.", ""]
    lines += ["| gate (test split) | value | needed | |", "|---|---|---|---|"]
    for gate in content["gates"]:
        mark = "passed" if gate["passed"] else "FAILED"
        lines.append(f"| {gate['name']} | {gate['value']:.4g} | {gate['rule']} {gate['threshold']:g} | {mark} |")
    lines += ["", f"Champion now: {content['registered_name']} version {content['champion_version'] or '(none)'}", ""]
    return "\n".join(lines + [f"- {key}: `{value}`" for key, value in content["lineage"].items()]) + "\n"
