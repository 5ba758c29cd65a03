"""The decision on the champion: verdict, reason, every gate, and what the champion was held against, as decided."""

from collections.abc import Mapping
from typing import Any

from ferline.evaluation.tables import METRIC_NAMES
from ferline.promotion.decision_page import title
from ferline.reporting.blocks import Block, Spans, cell, code, facts, section, strong, table, text
from ferline.reporting.material import Material
from ferline.reporting.words import counted, p_value

_TESTS = {"bootstrap": "paired bootstrap", "mcnemar": "McNemar's exact test"}


def decision(material: Material) -> Block:
    """promotion.json in words; nothing is decided anew."""
    found = material.decision
    if found is None:
        return section("The decision", [text("This run did not come to one: nothing was promoted.")])
    verdict = text(strong(f"{title(found)}."), f" {found['reason']}.")
    gates = _gates(found["gates"]) if found["gates"] else None
    return section("The decision", [verdict, gates, facts([*_against(found), *_standing(found)])])


def _gates(gates: list[Mapping[str, Any]]) -> Block:
    rows = [
        [
            cell(code(gate["name"])),
            cell("not measured", tone="muted") if gate["value"] is None else cell(f"{gate['value']:.4g}"),
            cell(f"{gate['rule']} {gate['threshold']:g}"),
            cell("passed", tone="good") if gate["passed"] else cell("failed", tone="bad"),
        ]
        for gate in gates
    ]
    return table(["gate, on test", "found", "needed", "verdict"], rows)


def _against(found: Mapping[str, Any]) -> list[tuple[str, Spans]]:
    champion, rules = found["previous_champion"], found["policy"]
    if not champion:
        return [("Held against", ["nothing: there was no champion"])]
    if not champion["comparison"]:
        return [("Held against", [f"nothing; champion then: version {champion['version']}"])]
    compared = champion["comparison"]
    metric, (low, high) = METRIC_NAMES[compared["metric"]], compared["interval"]
    test = "" if compared["p"] is None else f", {p_value(compared['p'])} by {_TESTS[compared['significance']]}"
    asked = "" if compared["p"] is None else f" and p below {rules['level']:g}"
    faces = f"{counted(compared['faces'], 'test face')} that neither was trained or chosen on"
    left_out = f"; {compared['left_out']:,} left out" if compared["left_out"] else ""
    rows: list[tuple[str, Spans]] = [
        ("Held against", [f"champion version {champion['version']}, on {faces}{left_out}"]),
        (f"Test {metric}", [f"{compared['candidate']:.4f} against {compared['champion']:.4f}"]),
        ("Gain", [f"{compared['gain']:+.4f} ({low:+.4f} to {high:+.4f}){test}".replace("-", "−")]),
        ("Needed", [f"a gain of more than {rules['min_gain']:g}{asked}"]),
    ]
    return rows + [("Note", [f"{note}."]) for note in compared["notes"]]


def _standing(found: Mapping[str, Any]) -> list[tuple[str, Spans]]:
    version = found["champion_version"]
    now: Spans = [code(found["registered_name"]), f" version {version}" if version else ": none yet"]
    return [
        ("Champion after it", now),
        ("Decided", [f"{found['decided_at']}, mode {found['mode']}, outcome ", code(found["outcome"])]),
    ]
