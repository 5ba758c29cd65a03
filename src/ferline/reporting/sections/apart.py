"""What can be said of one model against another, and of the first alone: sentences from the tests and intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from ferline.evaluation.evaluate import Evaluation
from ferline.reporting.blocks import Block, Spans, bullets, cell, code, joined, section, table, text
from ferline.reporting.material import Material
from ferline.reporting.words import counted, p_number, p_value, told

LEVEL = 0.05
Pair = Mapping[str, Any]


def said(material: Material) -> Block:
    """In sentences."""
    names = [row["architecture"] for row in material.leaderboard.rows]
    pairs = material.leaderboard.content["pairs"]
    lines = [line for name in names for line in _of_one(name, names, pairs)]
    return section(
        "What can be said",
        [
            text(_how(material.leaderboard.rows[0]), tone="note") if pairs else None,
            bullets(lines) if pairs else text("One model alone: there is nothing to hold it against."),
            text("Of ", code(names[0]), ", the first of the leaderboard:"),
            bullets(_alone(material.ranked[0])),
        ],
    )


def pairwise(material: Material) -> Block | None:
    """The tests themselves."""
    pairs = material.leaderboard.content["pairs"]
    if not pairs:
        return None
    rows = [
        [
            cell(code(pair["first"])),
            cell(code(pair["second"])),
            cell(f"{pair['only_first']:,}", best=pair["only_first"] > pair["only_second"]),
            cell(f"{pair['only_second']:,}", best=pair["only_second"] > pair["only_first"]),
            cell(p_number(pair["p"])),
            cell(p_number(pair["p_adjusted"]), best=pair["p_adjusted"] < LEVEL),
        ]
        for pair in pairs
    ]
    names = ["first", "second", "only first right", "only second right", "p", "p by Holm"]
    faces = material.leaderboard.content["faces"]["test"]
    whose = {"subject": "person", "sequence": "video"}.get(material.ranked[0].content["bootstrap"]["by"])
    together = f", each {whose}'s together" if whose else ""
    note = (
        f"McNemar's exact test on the {faces:,} test faces: it counts only the faces that one of the two tells right "
        f"and the other wrong{together}. By Holm: corrected for {counted(len(pairs), 'comparison')}; bold where below "
        f"{LEVEL}."
    )
    return section("Model against model", [table(names, rows, left=2), text(note, tone="note")])


def _how(row: Mapping[str, Any]) -> str:
    of_one = " Of several seeds, the one that is best on validation answers." if row.get("seeds") else ""
    return (
        f"Better, worse: in the share of test faces told right, at {100 * LEVEL:.0f} % after Holm's correction.{of_one}"
    )


def _of_one(name: str, names: Sequence[str], pairs: Sequence[Pair]) -> list[Spans]:
    """Against those that stand below it."""
    below = names[names.index(name) + 1 :]
    verdicts: dict[str, list[Spans]] = {"better than": [], "worse than": [], "alike": []}
    for other in below:
        pair = _pair(name, other, pairs)
        if pair is not None:
            verdicts[_verdict(name, pair)].append([code(other), f" ({p_value(pair['p_adjusted'])})"])
    parts: list[Spans] = [
        [f"is {verdict} ", *joined(found)] for verdict, found in verdicts.items() if found and verdict != "alike"
    ]
    if verdicts["alike"]:
        parts.append(["cannot be told apart from ", *joined(verdicts["alike"], " or ")])
    return [[code(name), " ", *joined(parts, "; it ")]] if parts else []


def _pair(one: str, other: str, pairs: Sequence[Pair]) -> Pair | None:
    return next((pair for pair in pairs if {pair["first"], pair["second"]} == {one, other}), None)


def _verdict(name: str, pair: Pair) -> str:
    if pair["p_adjusted"] >= LEVEL:
        return "alike"
    more = pair["first"] if pair["only_first"] > pair["only_second"] else pair["second"]
    return "better than" if more == name else "worse than"


def _alone(first: Evaluation) -> list[Spans]:
    scores, content = first.scores("test"), first.content
    ends = scores["intervals"]
    chance = max(sum(row) for row in scores["confusion"]) / max(sum(map(sum, scores["confusion"])), 1)
    lines: list[Spans] = [
        [
            f"Test accuracy {told(scores['accuracy'], ends.get('accuracy'))}, macro-F1 "
            f"{told(scores['macro_f1'], ends.get('macro_f1'))}; calling every face the commonest emotion would get "
            f"{chance:.3f} right."
        ],
        *_extremes(scores),
        [
            f"Its confidence is {told(scores['ece'], ends.get('ece'))} off its accuracy (ECE), after calibration; "
            f"{scores['calibration']['before']['ece']:.3f} before."
        ],
    ]
    if content["robustness"]:
        drop = content["robustness"]
        lines.append([f"Corrupted pictures cost it {told(drop['drop'], drop['interval'])} of accuracy on average."])
    return lines + [_gap(each) for each in content["slices"] if each["gap"]]


def _extremes(scores: Mapping[str, Any]) -> list[Spans]:
    known = {name: each["recall"] for name, each in scores["per_class"].items() if each["recall"] is not None}
    worst, best = min(known, key=lambda name: known[name]), max(known, key=lambda name: known[name])
    if worst == best:
        return []
    ends = scores["intervals"]
    high, low = (told(known[name], ends.get(f"recall/{name}")) for name in (best, worst))
    return [[f"It tells {best} best, recall {high}, and {worst} worst, {low}."]]


def _gap(slices: Mapping[str, Any]) -> Spans:
    gap = slices["gap"]
    verdict = "more than chance makes" if gap["p"] < LEVEL else "which chance makes as well"
    return [
        "Between the groups of ",
        code(slices["column"]),
        f" its mean recall differs by {told(gap['macro_recall'], gap['interval'])}, {verdict} ({p_value(gap['p'])}).",
    ]
