"""The page of a validation: Great Expectations' Data Docs tables under the decision, in one file.

The stock Data Docs site loads 15 scripts and styles from 7 hosts, and its index is empty without them. A report on
people's faces should neither call out nor need a network to be read, so GX renders the tables and the page is ours.
"""

import json
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import pandas as pd

from ferline.datasets.expectations import Finding, text_of

_SHOWN = 20  # rows; the whole list of what is set aside is in quarantine.csv

_OTHERWISE = {"stops": "the run stops", "sets aside": "the image is set aside", "reports": "it is reported here"}


def render(
    title: str,
    summary: str,
    stops: Sequence[str],
    counts: pd.DataFrame | None,
    quarantine: pd.DataFrame,
    leakage: Sequence[str],
    findings: Sequence[Finding],
) -> str:
    """The whole page as HTML that needs no other file and no network; `stops` says why the run stops, if it does."""
    suites = dict.fromkeys(finding.suite for finding in findings)
    page = Template((files(__package__) / "validation_page.html").read_text())
    return page.substitute(
        title=escape(title),
        verdict="stopped" if stops else "passed",
        summary=escape(summary),
        stops=_list(stops),
        counts=_counts(counts),
        aside=_aside(quarantine),
        leakage=_leakage(leakage),
        suites="".join(_suite(suite, [f for f in findings if f.suite == suite]) for suite in suites),
    )


def _list(stops: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in stops)
    return f'<div class="stops"><p>The run stops, because these are not met:</p><ul>{items}</ul></div>' if items else ""


def _counts(counts: pd.DataFrame | None) -> str:
    if counts is None:
        return "<p>Not counted: the table itself is not as it must be.</p>"
    table = counts.assign(all=counts.sum(axis=1))
    table.loc["all"] = table.sum()
    head = "".join(f"<th>{escape(str(name))}</th>" for name in ["", *table.columns])
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th>{''.join(f'<td>{int(n):,}</td>' for n in row)}</tr>"
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    )
    return f'<table class="counts"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _aside(quarantine: pd.DataFrame) -> str:
    if not len(quarantine):
        return "<p>Nothing.</p>"
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>"
        for row in quarantine.head(_SHOWN).itertuples(index=False)
    )
    head = "".join(f"<th>{escape(name)}</th>" for name in quarantine.columns)
    all_of_them = f'<p>{len(quarantine):,} in all, listed in <a href="../quarantine.csv">quarantine.csv</a>'
    first = f"; the first {_SHOWN}:</p>" if len(quarantine) > _SHOWN else ":</p>"
    return f"{all_of_them}{first}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _leakage(lines: Sequence[str]) -> str:
    if not lines:
        return "<p>Not looked for: the table itself is not as it must be.</p>"
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul>{items}</ul><p><a href="leakage.html">The pictures</a></p>'


def _suite(suite: str, findings: Sequence[Finding]) -> str:
    from great_expectations.render.renderer.content_block import ValidationResultsTableContentBlockRenderer

    table = ValidationResultsTableContentBlockRenderer.render([_shown(finding) for finding in findings])
    html = _view().render({"content_block": table.to_json_dict()})
    return f"<h2>{escape(suite)}</h2>{html}"


@cache
def _view() -> Any:
    """One for all tables, so that its templates are compiled once."""
    from great_expectations.render.view import DefaultJinjaComponentView

    return DefaultJinjaComponentView()


def _shown(finding: Finding) -> Any:
    """GX's result, its rows few and escaped: its renderer writes cells as they are, and no page can hold a million."""
    column = finding.column
    rows = [
        {name: escape(text_of(value)) for name, value in row.items() if name not in ("row", "value")}
        | {column: escape(text_of(row["value"]))}
        for row in finding.rows[:_SHOWN]
    ]
    values = Counter(row[column] for row in rows)
    shown = deepcopy(finding.result)
    shown.expectation_config.description = f"{escape(finding.words)}; otherwise {_OTHERWISE[finding.consequence]}"
    # Through JSON, because its renderer takes plain numbers only and fails on NumPy's.
    shown.result = json.loads(json.dumps(shown.to_json_dict()["result"])) | {
        "unexpected_index_list": rows,
        "unexpected_index_column_names": [name for name in (rows[0] if rows else {}) if name != column],
        "partial_unexpected_list": list(values),
        "partial_unexpected_counts": [{"value": value, "count": count} for value, count in values.items()],
        "unexpected_index_query": None,  # a line of pandas for a frame that the reader does not have
    }
    if isinstance(shown.result.get("observed_value"), list):
        shown.result["observed_value"] = escape(", ".join(map(str, shown.result["observed_value"])))
    return shown
