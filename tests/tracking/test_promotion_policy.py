"""The decision from numbers alone: every gate, every cause, and their order."""

from dataclasses import replace
from typing import Any

import pytest

from ferline.params import GateParams, PromotionParams
from ferline.promotion.policy import CONTENDING, PROMOTING, Candidate, Comparison, Decision, Reigning, decide, gates

ROW: dict[str, Any] = {
    "architecture": "new",
    "protocol": "subject",
    "model_digest": "n" * 64,
    "latency_ms": 10.0,
    "size_mb": 4.0,
    "robustness_drop": 0.3,
    "test": {"macro_f1": 0.8, "accuracy": 0.7, "min_class_recall": 0.5, "ece": 0.1},
}
CLEAN = {"exact": 0, "subject": 0, "sequence": 0}
NEW = Candidate(ROW, CLEAN)
GAIN = Comparison("macro_f1", 0.78, 0.8, 0.02, (0.01, 0.03), "bootstrap", 0.01, faces=50, left_out=0)
OPEN = GateParams()


def test_of_several_trainings_the_gates_ask_about_the_one_that_may_be_promoted():
    """The mean of three seeds is above the floor, the one that is best on validation below it."""
    own = {"macro_f1": 0.46, "min_class_recall": 0.3, "ece": 0.1, "robustness_drop": 0.2}
    row = ROW | {"promotable": own, "test": ROW["test"] | {"macro_f1": 0.54}}
    decision = decide(Candidate(row, CLEAN), None, PromotionParams(gates=GateParams(min_macro_f1=0.5)))
    assert decision.outcome == "gates"
    assert "min_macro_f1 is 0.46, at least 0.5 is needed" in decision.reason


def over(**changes: Any) -> Reigning:
    """Champion 3, and how the candidate compares with it."""
    return Reigning("3", "o" * 64, replace(GAIN, **changes))


def decided(candidate: Candidate = NEW, reigning: Reigning | None = None, **params: Any) -> Decision:
    return decide(candidate, reigning, PromotionParams(**{"gates": OPEN} | params))


def test_without_a_champion_what_passes_the_gates_is_promoted():
    decision = decided()
    assert (decision.outcome, decision.promotes) == ("first", True)
    assert decision.reason == "new passes every gate and there is no champion yet"


def test_better_and_not_by_chance_is_promoted():
    decision = decided(reigning=over())
    assert (decision.outcome, decision.promotes) == ("better", True)
    assert (
        "test macro_f1 0.8000 against 0.7800 of champion 3 on 50 faces that neither was trained on" in decision.reason
    )
    assert "p = 0.01 (bootstrap)" in decision.reason


@pytest.mark.parametrize(
    ("gain", "p", "min_gain", "outcome"),
    [
        (0.02, 0.049, 0.0, "better"),
        (0.02, 0.05, 0.0, "not_significant"),
        (0.02, 0.5, 0.0, "not_significant"),
        (0.02, 0.01, 0.019, "better"),
        (0.02, 0.01, 0.02, "below_min_gain"),
        (0.71 - 0.70, 0.01, 0.01, "below_min_gain"),  # 0.010000000000000009 in floats
        (0.02, 0.01, 0.03, "below_min_gain"),
        (0.0, 0.6, 0.0, "tie"),
        (0.1 + 0.2 - 0.3, 0.6, 0.0, "tie"),
        (-0.02, 0.9, 0.0, "worse"),
        (-0.02, 0.001, 0.0, "worse"),
    ],
)
def test_what_a_gain_and_its_p_lead_to(gain, p, min_gain, outcome):
    decision = decided(reigning=over(gain=gain, p=p), min_gain=min_gain)
    assert decision.outcome == outcome
    assert decision.promotes is (outcome == "better")
    assert decision.registers, "a contender is registered as the challenger"


def test_what_is_missing_is_said():
    chance = decided(reigning=over(p=0.2), level=0.1)
    assert "new is better, and that may be chance" in chance.reason
    assert "p = 0.2 (bootstrap), and below 0.1 is needed" in chance.reason
    assert "not better by more than 0.05" in decided(reigning=over(), min_gain=0.05).reason


def test_where_no_test_is_asked_for_the_gain_alone_decides():
    assert decided(reigning=over(p=None), significance="none").outcome == "better"


def test_a_gate_is_passed_at_its_very_threshold():
    limits = GateParams(0.8, 0.5, 0.1, 0.3, 10.0, 4.0)
    assert [gate.verdict for gate in gates(ROW, limits)] == ["passed"] * 6
    assert decided(gates=limits).promotes


@pytest.mark.parametrize(
    ("name", "threshold", "told"),
    [
        ("min_macro_f1", 0.9, "min_macro_f1 is 0.8, at least 0.9 is needed"),
        ("min_class_recall", 0.6, "min_class_recall is 0.5, at least 0.6 is needed"),
        ("max_ece", 0.05, "max_ece is 0.1, at most 0.05 is needed"),
        ("max_robustness_drop", 0.2, "max_robustness_drop is 0.3, at most 0.2 is needed"),
        ("max_latency_ms", 5.0, "max_latency_ms is 10, at most 5 is needed"),
        ("max_size_mb", 3.0, "max_size_mb is 4, at most 3 is needed"),
    ],
)
def test_each_gate_alone_keeps_a_model_from_promotion_and_registration(name, threshold, told):
    decision = decided(gates=GateParams(**{name: threshold}))
    assert (decision.outcome, decision.promotes, decision.registers) == ("gates", False, False)
    assert decision.reason == f"new fails the gates: {told}"
    assert [gate.name for gate in decision.gates if not gate.passed] == [name]


def test_all_gates_that_fail_are_told_at_once():
    decision = decided(gates=GateParams(min_macro_f1=0.9, max_size_mb=1))
    assert decision.reason.count("is needed") == 2


def test_what_was_not_measured_fails_a_gate_that_asks_for_something():
    blind = Candidate(ROW | {"robustness_drop": None}, CLEAN)
    strict = decided(blind, gates=GateParams(max_robustness_drop=0.99))
    assert (strict.outcome, strict.gates[3].verdict) == ("gates", "not measured, FAILED")
    assert "max_robustness_drop is not measured, at most 0.99 is needed" in strict.reason
    indifferent = decided(blind, gates=GateParams(max_robustness_drop=1.0))
    assert (indifferent.outcome, indifferent.gates[3].verdict) == ("first", "not measured, passed")


def test_a_papers_protocol_is_never_promoted():
    decision = decided(Candidate(ROW | {"protocol": "paper:cnn_lstm"}, CLEAN))
    assert (decision.outcome, decision.promotes, decision.registers) == ("paper", False, False)
    assert "trained under paper:cnn_lstm, whose split leaks by design" in decision.reason
    assert "Write dataset.protocol: subject" in decision.reason


@pytest.mark.parametrize(
    ("leak", "told", "write"),
    [
        ("exact", "3 with a pixel-for-pixel copy also elsewhere", "validation.leakage.exact: drop"),
        ("subject", "3 with a person who is also elsewhere", "dataset.protocol: subject"),
        ("sequence", "3 with a video that is also elsewhere", "dataset.protocol: sequence"),
    ],
)
def test_leaking_data_are_never_promoted_and_the_way_out_is_said(leak, told, write):
    decision = decided(Candidate(ROW, CLEAN | {leak: 3}))
    assert (decision.outcome, decision.promotes, decision.registers) == ("leaks", False, False)
    assert told in decision.reason
    assert f"In params.yaml: {write}" in decision.reason


def test_data_that_nobody_audited_are_never_promoted():
    decision = decided(Candidate(ROW, None))
    assert (decision.outcome, decision.promotes, decision.registers) == ("unaudited", False, False)
    assert "has no leakage audit" in decision.reason


def test_a_cause_that_excludes_counts_before_a_gate_and_a_gate_before_the_champion():
    failing = GateParams(min_macro_f1=0.9)
    paper = Candidate(ROW | {"protocol": "paper:cnn_lstm"}, CLEAN | {"exact": 1})
    assert decided(paper, over(), gates=failing).outcome == "paper"
    assert decided(Candidate(ROW, CLEAN | {"exact": 1}), over(), gates=failing).outcome == "leaks"
    assert decided(NEW, over(), gates=failing).outcome == "gates"


def test_the_same_bytes_are_the_champion_already():
    decision = decided(reigning=Reigning("3", ROW["model_digest"]))
    assert (decision.outcome, decision.promotes, decision.registers) == ("same", False, False)
    assert "is the champion already (version 3" in decision.reason


def test_what_a_person_took_back_is_not_promoted_by_a_machine():
    back = Candidate(ROW, CLEAN, taken_back="version 2 was taken back by ann@here")
    for champion in (None, over()):
        decision = decided(back, champion)
        assert (decision.outcome, decision.promotes, decision.registers) == ("taken_back", False, False)
        assert "version 2 was taken back by ann@here" in decision.reason


@pytest.mark.parametrize("outcome", ["champion_incompatible", "other_emotions", "seen"])
def test_a_champion_that_cannot_be_compared_stays(outcome):
    decision = decided(reigning=Reigning("3", "o" * 64, outcome=outcome, problem="for some reason"))
    assert (decision.outcome, decision.promotes, decision.registers) == (outcome, False, True)
    assert "new is not promoted, for champion 3 cannot be scored: for some reason" in decision.reason


def test_a_champion_that_nobody_can_use_gives_way():
    decision = decided(reigning=Reigning("3", "o" * 64, outcome="champion_unreadable", problem="its files are gone"))
    assert decision.promotes
    assert decision.reason == "new passes every gate; champion 3 cannot be scored: its files are gone"


def test_whatever_promotes_is_registered():
    assert PROMOTING < CONTENDING
    assert not CONTENDING & {"off", "paper", "leaks", "unaudited", "gates", "same", "taken_back"}
