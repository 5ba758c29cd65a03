"""The leaderboard: every model in one line, intervals under the numbers."""

from collections.abc import Callable, Mapping
from typing import Any

from ferline.evaluation.tables import METRIC_NAMES
from ferline.reporting.blocks import Block, cell, code, muted, picture, section, table, text
from ferline.reporting.material import Material
from ferline.reporting.words import DASH, NBSP, interval, members, share, spread

Row = Mapping[str, Any]


def ranking(material: Material, comparison: str | None) -> Block:
    """`comparison`: the file of the leaderboard's picture."""
    content = material.leaderboard.content
    chosen, split = content["select_by"], content["select_on"]
    others = [metric for metric in ("macro_f1", "accuracy") if metric != chosen]
    shown = [(split, chosen), ("test", chosen), *(("test", metric) for metric in others)]
    names = ["model", *(f"{METRIC_NAMES[metric]}, {split}" for split, metric in shown), *_COSTS]
    best = {column: _best(content["rows"], *column) for column in shown}
    lowest = {name: _least(content["rows"], value) for name, (value, _, least) in _COSTS.items() if least}
    rows = [
        [
            cell(muted(f"{place}{NBSP}"), code(row["architecture"])),
            *(_score(row, column, best[column]) for column in shown),
        ]
        + [_cost(row, name, lowest.get(name)) for name in _COSTS]
        for place, row in enumerate(content["rows"], start=1)
    ]
    return section(
        "Leaderboard",
        [
            text(_sorted_by(content)),
            table(names, rows),
            text(_how_to_read(content["rows"][0]), tone="note"),
            picture(comparison, "Macro-F1 and accuracy of every model with their intervals") if comparison else None,
        ],
    )


def _score(row: Row, column: tuple[str, str], best: float | None) -> dict[str, Any]:
    split, metric = column
    numbers = row[split]
    told = [interval(numbers["intervals"][metric]), spread((numbers.get("sd") or {}).get(metric))]
    return cell(share(numbers[metric]), small="\n".join(filter(None, told)), best=numbers[metric] == best)


def _best(rows: list[Row], split: str, metric: str) -> float | None:
    """None where there is nothing to be better than."""
    values = {row[split][metric] for row in rows}
    return max(values) if len(values) > 1 else None


# name: (value, how it is written, whether the least is the best)
_COSTS: dict[str, tuple[Callable[[Row], Any], Callable[[Any], str], bool]] = {
    "lowest recall": (lambda row: row["test"]["min_class_recall"], share, False),
    "ECE": (lambda row: row["test"]["ece"], share, True),
    "lost when corrupted": (lambda row: row["robustness_drop"], share, True),
    "parameters": (lambda row: row["parameters"], lambda count: _thousands(count), True),
    "MB": (lambda row: row["size_mb"], lambda size: f"{size:.1f}", True),
    "ms a face": (lambda row: row["latency_ms"], lambda time: f"{time:.1f}", True),
}


def _cost(row: Row, name: str, least: float | None) -> dict[str, Any]:
    value, write, _ = _COSTS[name]
    found = value(row)
    if found is None:
        return cell(DASH, tone="muted")
    small = str(row["test"]["min_class"]) if name == "lowest recall" else ""
    return cell(write(found), small=small, best=found == least)


def _least(rows: list[Row], value: Callable[[Row], Any]) -> float | None:
    known = {found for found in (value(row) for row in rows) if found is not None}
    return min(known) if len(known) > 1 else None


def _thousands(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"


def _sorted_by(content: Mapping[str, Any]) -> str:
    faces, metric = content["faces"], METRIC_NAMES[content["select_by"]]
    return (
        f"Sorted by {metric} on {content['select_on']} ({faces[content['select_on']]:,} faces), on which models are "
        f"chosen; the test columns ({faces['test']:,} faces) had no part in that. Ties: {content['ties']}."
    )


def _how_to_read(row: Row) -> str:
    each = members(row)
    of = f"Numbers are means of {each}, ± their standard deviation. " if each else ""
    return (
        f"{of}Under a number: its 95 % interval, by bootstrap. Bold: the best of the column. Lowest recall: of the "
        "emotion told worst. ECE: confidence against accuracy, after calibration. Lost when corrupted: accuracy, on "
        "average over noise, blur, JPEG, light, contrast and a covered part. ms a face: median, one face at a time on "
        "one CPU thread."
    )
