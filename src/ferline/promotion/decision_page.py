"""A promotion's decision as a page of Markdown."""

from collections.abc import Mapping
from typing import Any

from ferline.evaluation.tables import METRIC_NAMES

_TESTS = {
    "bootstrap": "paired bootstrap, people drawn whole where they are known",
    "mcnemar": "McNemar's exact test, of no difference at all",
    "none": "not asked for",
}


def as_markdown(content: dict[str, Any]) -> str:
    """What was decided, against whom, by which gates, and from what the model came."""
    name = content["candidate"]["architecture"]
    lines = [f"# {title(content)}: {name}", "", f"{content['reason']}.", ""]
    lines += [f"Outcome `{content['outcome']}`, mode {content['mode']}, decided {content['decided_at']}.", ""]
    lines += _comparison(content) + _gates(content["gates"])
    lines += [f"Champion now: {content['registered_name']} version {content['champion_version'] or '(none)'}.", ""]
    lines += ["## Where the candidate comes from", "", *_lineage(content)]
    return "\n".join(lines) + "\n"


def title(content: Mapping[str, Any]) -> str:
    """The decision in a few words."""
    if content["outcome"] == "off":
        return "Nothing decided"
    if content["outcome"] == "same":
        return "The champion already"
    if content["mode"] == "dry-run":
        return "Would be promoted" if content["would_promote"] else "Would not be promoted"
    return "Promoted" if content["promoted"] else "Not promoted"


def _comparison(content: dict[str, Any]) -> list[str]:
    champion, rules = content["previous_champion"], content["policy"]
    if not champion or not champion["comparison"]:
        return []
    found = champion["comparison"]
    low, high = found["interval"]
    asked = f"more than {rules['min_gain']:g}"
    asked += "" if found["p"] is None else f", p below {rules['level']:g}"
    p = "-" if found["p"] is None else f"{found['p']:.3g}"
    left_out = f"; {found['left_out']:,} others are left out, which one of them was trained on" * bool(
        found["left_out"]
    )
    return [
        "## Against the champion",
        "",
        f"| test {METRIC_NAMES[found['metric']]} | | |",
        "|---|---|---|",
        f"| {content['candidate']['architecture']} | {found['candidate']:.4f} | |",
        f"| champion, version {champion['version']} | {found['champion']:.4f} | |",
        f"| gain | {found['gain']:+.4f} | 95% interval {low:+.4f} to {high:+.4f} |",
        f"| p | {p} | {_TESTS[found['significance']]} |",
        f"| needed | {asked} | |",
        "",
        f"On {found['faces']:,} test faces that neither was trained or chosen on{left_out}.",
        *(f"{note}." for note in found["notes"]),
        "",
    ]


def _gates(gates: list[dict[str, Any]]) -> list[str]:
    if not gates:
        return []
    lines = ["## Gates", "", "| gate (test split) | value | needed | |", "|---|---|---|---|"]
    for gate in gates:
        value = "not measured" if gate["value"] is None else f"{gate['value']:.4g}"
        verdict = "passed" if gate["passed"] else "FAILED"
        lines.append(f"| {gate['name']} | {value} | {gate['rule']} {gate['threshold']:g} | {verdict} |")
    return [*lines, ""]


def _lineage(content: dict[str, Any]) -> list[str]:
    row = content["candidate"]
    known = {
        "model": row["model_digest"],
        "data": row["data_digest"],
        "protocol": row["protocol"],
        **content["lineage"],
    }
    return [f"- {key}: `{value}`" for key, value in known.items()]
