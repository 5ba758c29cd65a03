"""The leaderboard as people read it, from leaderboard.json alone: Markdown for a page, aligned text for a terminal."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

METRIC_NAMES = {"accuracy": "accuracy", "macro_f1": "macro-F1", "balanced_accuracy": "balanced accuracy"}
DASH = "–"  # for what cannot be computed


@dataclass(frozen=True)
class Column:
    """`needed`: the lower, the sooner it gives way on a narrow terminal; 9 never does."""

    name: str
    cell: Callable[[Mapping[str, Any]], str]
    needed: int


def _metric(split: str, metric: str, needed: int) -> Column:
    return Column(
        f"{split} {METRIC_NAMES[metric]}", lambda row: _share(row[split][metric]) + _spread(row[split], metric), needed
    )


def _columns(select_by: str, select_on: str) -> list[Column]:
    """The metric that ranks comes first and stays; the other metrics follow."""
    others = [metric for metric in ("macro_f1", "accuracy") if metric != select_by]
    return [
        Column("model", lambda row: str(row["architecture"]), 9),
        _metric(select_on, select_by, 9),
        *(_metric(select_on, metric, 4) for metric in others),
        _metric("test", select_by, 8),
        *(_metric("test", metric, 7) for metric in others),
        Column(f"test {METRIC_NAMES[select_by]} 95%", lambda row: _interval(row, select_by), 6),
        Column("test lowest recall", _lowest_recall, 5),
        Column("p", _p_value, 4),
        Column("ECE", lambda row: _share(row["test"]["ece"]), 2),
        Column(
            "corrupted", lambda row: DASH if row["robustness_drop"] is None else f"−{row['robustness_drop']:.3f}", 2
        ),
        Column("parameters", lambda row: _thousands(row["parameters"]), 3),
        Column("MB", lambda row: f"{row['size_mb']:.1f}", 2),
        Column("ms/face", lambda row: f"{row['latency_ms']:.1f}", 6),
        Column("epoch", lambda row: str(row["best_epoch"]), 1),
    ]


def as_markdown(content: Mapping[str, Any]) -> str:
    """The whole page: what it is sorted by, the table, how to read it, the pictures."""
    columns = _columns(content["select_by"], content["select_on"])
    lines = ["| " + " | ".join(["", *(column.name for column in columns)]) + " |"]
    lines.append("|" + "|".join(["---:", ":---", *["---:"] * (len(columns) - 1)]) + "|")
    for place, row in enumerate(content["rows"], start=1):
        cells = [column.cell(row).replace("|", "\\|") for column in columns]
        lines.append("| " + " | ".join([str(place), *cells]) + " |")
    return "\n".join(
        [
            "# Leaderboard",
            "",
            _sorted_by(content),
            "",
            *lines,
            "",
            *_notes(),
            "",
            "![Macro-F1 and accuracy of every model](comparison.png)",
            "",
            "![Confusion on test of every model](confusions.png)",
            "",
            f"Data `{content['data_digest']}`",
            "",
        ]
    )


def as_text(content: Mapping[str, Any], width: int = 120) -> str:
    """An aligned table no wider than `width`, less needed columns left out, with a line that says how it is sorted."""
    columns = _columns(content["select_by"], content["select_on"])
    while True:
        lines = _aligned(columns, content["rows"])
        spare = min(columns, key=lambda column: column.needed)
        if len(lines[0]) <= width or spare.needed == 9:
            return "\n".join([*lines, "", textwrap.fill(_sorted_by(content), max(width, 40))])
        columns = [column for column in columns if column is not spare]


def _aligned(columns: list[Column], rows: list[Mapping[str, Any]]) -> list[str]:
    """Names to the left, numbers to the right; every line as long as the first."""
    table = [["", *(column.name for column in columns)]]
    table += [[str(place), *(column.cell(row) for column in columns)] for place, row in enumerate(rows, start=1)]
    widths = [max(len(line[place]) for line in table) for place in range(len(table[0]))]
    lines = []
    for line in table:
        cells = [
            cell.ljust(wide) if place == 1 else cell.rjust(wide)
            for place, (cell, wide) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(cells))
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _sorted_by(content: Mapping[str, Any]) -> str:
    faces = content["faces"]
    metric, split = METRIC_NAMES[content["select_by"]], content["select_on"]
    return (
        f"Sorted by {metric} on {split} ({faces[split]:,} faces); ties: {content['ties']}. "
        f"The test columns ({faces['test']:,} faces) were not used to choose."
        f"{_folds(content['rows'])}"
    )


def _folds(rows: Sequence[Mapping[str, Any]]) -> str:
    if rows[0]["seeds"]:
        return (
            f" Means and standard deviations of {rows[0]['seeds']} seeds; p and the lowest recall are the best seed's."
        )
    if rows[0]["folds"]:
        return f" Means and standard deviations of {rows[0]['folds']} folds, in which every face was tested once."
    return ""


def _notes() -> list[str]:
    return [
        "- 95%: by bootstrap over the test faces, people drawn whole where they are known.",
        "- test lowest recall: the worst of the emotions, and which it is.",
        "- p: exact McNemar test against the first row on the test faces, each person's together where people are "
        "known, by Holm for all pairs of rows.",
        "- ECE: confidence against accuracy, after calibration.",
        "- corrupted: accuracy lost, on average, to noise, blur, JPEG, brightness, contrast and a covered part.",
        "- ms/face: median of one face at a time on one thread, as measured when the model was evaluated.",
        "- Macro averages leave out emotions without a face in the split.",
    ]


def _share(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _spread(numbers: Mapping[str, Any], metric: str) -> str:
    """Of folds, the standard deviation between them."""
    spread = numbers.get("sd", {}).get(metric)
    return "" if spread is None else f" ± {spread:.3f}"


def _interval(row: Mapping[str, Any], metric: str) -> str:
    low, high = row["test"]["intervals"][metric]
    return f"{low:.3f}–{high:.3f}"


def _lowest_recall(row: Mapping[str, Any]) -> str:
    return f"{_share(row['test']['min_class_recall'])} {row['test']['min_class']}"


def _p_value(row: Mapping[str, Any]) -> str:
    if row["p_versus_best"] is None:
        return DASH
    p = row["p_versus_best"]
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _thousands(count: int) -> str:
    return f"{count / 1e6:.1f}M" if count >= 1e6 else f"{count / 1e3:.0f}k"
