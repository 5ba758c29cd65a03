"""Who becomes champion, and why: a decision made from numbers alone.

Every case has a name, the `outcome`; docs/promotion.md lists them with the tests. In this order:

    off                    nothing was decided
    paper                  a paper's protocol leaks by design: never promoted
    leaks, unaudited       test faces have a copy, a person or a video in training, or nobody looked: never promoted
    gates                  a floor or a ceiling of params.yaml is not kept
    same                   the candidate is the champion, byte for byte
    taken_back             a person has rolled these very bytes back
    first                  PROMOTED: there is no champion
    champion_unreadable    PROMOTED: the champion's files are gone or corrupt, so nobody can use it
    champion_incompatible  this code cannot build the champion; it stays
    other_emotions         the champion tells other emotions; it stays
    seen                   too few test faces are new to both; the champion stays
    worse, tie             the champion is at least as good on the same faces
    below_min_gain         better, by no more than min_gain
    not_significant        better by more than that, and it may be chance
    better                 PROMOTED
"""

from dataclasses import dataclass, field
from typing import Any

from ferline.datasets.protocols import leaks_by_design
from ferline.params import GateParams, PromotionParams

PROMOTING = {"first", "champion_unreadable", "better"}
# What passed every gate and is new: registered as the challenger where it is not promoted.
CONTENDING = PROMOTING | {
    "champion_incompatible",
    "other_emotions",
    "seen",
    "worse",
    "tie",
    "below_min_gain",
    "not_significant",
}
ANEW = "Another promotion.registered_name starts anew"
ROUNDING = 1e-12  # 0.71 - 0.70 is above 0.01 by 1e-17
_NO_LIMIT = {"min_macro_f1": 0.0, "min_class_recall": 0.0, "max_ece": 1.0, "max_robustness_drop": 1.0}
_LEAKS = {
    "exact": ("a pixel-for-pixel copy", "validation.leakage.exact: drop"),
    "subject": ("a person who is", "dataset.protocol: subject"),
    "sequence": ("a video that is", "dataset.protocol: sequence (or subject)"),
}


@dataclass(frozen=True)
class Gate:
    """One condition on the candidate, with what was found; of what was not measured the value is None."""

    name: str
    value: float | None
    threshold: float
    passed: bool
    rule: str

    @property
    def verdict(self) -> str:
        measured = "" if self.value is not None else "not measured, "
        return measured + ("passed" if self.passed else "FAILED")

    @property
    def found(self) -> str:
        return "not measured" if self.value is None else f"{self.value:.4g}"


@dataclass(frozen=True)
class Comparison:
    """Candidate and champion on the same test faces, none of which either was trained or chosen on."""

    metric: str
    champion: float
    candidate: float
    gain: float
    interval: tuple[float, float]  # of the gain, 95%
    significance: str
    p: float | None  # of "no more than min_gain"; None where params.yaml asks for no test
    faces: int
    left_out: int  # test faces that one of them was trained or chosen on
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reigning:
    """The champion before the decision; where it was not compared, the outcome that follows from it, and why."""

    version: str
    digest: str
    comparison: Comparison | None = None
    outcome: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Candidate:
    """The leaderboard's first row, what its model's card says of leaks, and whether a person has taken it back."""

    row: dict[str, Any]
    leaks: dict[str, int] | None
    taken_back: str = ""

    @property
    def name(self) -> str:
        return str(self.row["architecture"])

    @property
    def digest(self) -> str:
        return str(self.row["model_digest"])


@dataclass(frozen=True)
class Decision:
    outcome: str
    reason: str
    gates: tuple[Gate, ...] = field(default=())

    @property
    def promotes(self) -> bool:
        return self.outcome in PROMOTING

    @property
    def registers(self) -> bool:
        return self.outcome in CONTENDING


def gates(row: dict[str, Any], limits: GateParams) -> tuple[Gate, ...]:
    """The candidate against params.yaml, all on the test split; of several trainings, the one that may be promoted."""
    test = row.get("promotable") or {**row["test"], "robustness_drop": row["robustness_drop"]}
    return (
        _gate("min_macro_f1", test["macro_f1"], limits),
        _gate("min_class_recall", test["min_class_recall"], limits),
        _gate("max_ece", test["ece"], limits),
        _gate("max_robustness_drop", test["robustness_drop"], limits),
        _gate("max_latency_ms", row["latency_ms"], limits),
        _gate("max_size_mb", row["size_mb"], limits),
    )


def _gate(name: str, value: float | None, limits: GateParams) -> Gate:
    threshold = float(getattr(limits, name))
    floor = name.startswith("min_")
    rule = "at least" if floor else "at most"
    if value is None:  # passes only where anything would
        return Gate(name, None, threshold, threshold == _NO_LIMIT.get(name), rule)
    return Gate(name, value, threshold, value >= threshold if floor else value <= threshold, rule)


def never(candidate: Candidate) -> Decision | None:
    """Why this model may not be promoted whatever it scores; None where nothing stands against it."""
    name, protocol = candidate.name, str(candidate.row["protocol"])
    if leaks_by_design(protocol):
        told = f"{name} was trained under {protocol}, whose split leaks by design; such a model is never promoted"
        return Decision("paper", f"{told}. Write dataset.protocol: subject (or official) for one that may be")
    if candidate.leaks is None:
        told = f"{name} is not promoted: its card has no leakage audit, so nobody knows what its score is worth"
        return Decision("unaudited", f"{told}. Train it in the pipeline, whose validate step audits every set")
    found = {kind: count for kind, count in candidate.leaks.items() if count}
    if not found:
        return None
    told = ", ".join(f"{count:,} with {_LEAKS[kind][0]} also elsewhere" for kind, count in found.items())
    write = "; ".join(_LEAKS[kind][1] for kind in found)
    return Decision(
        "leaks", f"{name} is never promoted, for its test faces leak ({told} in the split). In params.yaml: {write}"
    )


def decide(candidate: Candidate, reigning: Reigning | None, params: PromotionParams) -> Decision:
    """Promote what leaks nothing, passes every gate and beats the champion, on the same faces, by more than chance."""
    checked = gates(candidate.row, params.gates)
    found = never(candidate) or _failed(candidate, checked) or _known(candidate, reigning)
    if found is None:
        found = _against(candidate, reigning, params)
    return Decision(found.outcome, found.reason, checked)


def _failed(candidate: Candidate, checked: tuple[Gate, ...]) -> Decision | None:
    failed = [
        f"{gate.name} is {gate.found}, {gate.rule} {gate.threshold:g} is needed" for gate in checked if not gate.passed
    ]
    return Decision("gates", f"{candidate.name} fails the gates: {', '.join(failed)}") if failed else None


def _known(candidate: Candidate, reigning: Reigning | None) -> Decision | None:
    """Bytes that have been decided on before."""
    name = candidate.name
    if reigning is not None and reigning.digest == candidate.digest and not reigning.problem:
        return Decision("same", f"{name} is the champion already (version {reigning.version}, the same bytes)")
    if candidate.taken_back:
        told = f"{name} is not promoted again: {candidate.taken_back}"
        return Decision("taken_back", f"{told}. `ferline rollback VERSION` puts it back")
    return None


def _against(candidate: Candidate, reigning: Reigning | None, params: PromotionParams) -> Decision:
    name = candidate.name
    if reigning is None:
        return Decision("first", f"{name} passes every gate and there is no champion yet")
    if reigning.comparison is not None:
        return _compared(name, reigning.version, reigning.comparison, params)
    told = f"champion {reigning.version} cannot be scored: {reigning.problem}"
    stays = reigning.outcome not in PROMOTING
    return Decision(
        reigning.outcome, f"{name} is not promoted, for {told}" if stays else f"{name} passes every gate; {told}"
    )


def _compared(name: str, version: str, found: Comparison, params: PromotionParams) -> Decision:
    told = (
        f"test {found.metric} {found.candidate:.4f} against {found.champion:.4f} of champion {version} "
        f"on {found.faces:,} faces that neither was trained on"
    )
    if found.gain <= ROUNDING:
        tied = abs(found.gain) <= ROUNDING
        return Decision("tie" if tied else "worse", f"{name} is {'no better' if tied else 'worse'}: {told}")
    if found.gain <= params.min_gain + ROUNDING:
        return Decision("below_min_gain", f"{name} is not better by more than {params.min_gain:g}: {told}")
    if found.p is None:
        return Decision("better", f"{name} is better: {told}")
    if found.p >= params.level:
        doubt = f"p = {found.p:.3g} ({found.significance}), and below {params.level:g} is needed"
        return Decision("not_significant", f"{name} is better, and that may be chance: {told}; {doubt}")
    return Decision("better", f"{name} is better: {told}; p = {found.p:.3g} ({found.significance})")
