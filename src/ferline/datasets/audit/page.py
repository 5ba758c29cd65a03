"""The page of an audit: its figures, and pictures to judge them by; one file that needs no other and no network."""

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

import cv2
import numpy as np
import pandas as pd

from ferline.datasets.audit.findings import Across, Findings, Group, Member
from ferline.datasets.audit.picture import Pictures

_GROUPS, _MEMBERS, _ACROSS = 24, 6, 20  # shown of each kind: some 400 pictures of 2 KB make a page of 1 MB

_HEADINGS = {
    "exact": "Identical images",
    "conflict": "Identical images with different labels",
    "near": "Near-duplicates",
}


def render(title: str, findings: Findings, table: pd.DataFrame, pictures: Pictures) -> str:
    """The whole page. `table` and `pictures` are those that were audited."""
    places = {int(row): place for place, row in enumerate(table.index)}
    sections = [
        _section(heading, findings.of_kind(kind), pictures.thumbs, places) for kind, heading in _HEADINGS.items()
    ]
    sections += [
        _across(heading, found)
        for heading, found in (
            ("Subjects in more than one split", findings.subjects_across),
            ("Sequences in more than one split", findings.sequences_across),
        )
    ]
    page = Template((files(__package__) / "page.html").read_text(encoding="utf-8"))
    return page.substitute(title=escape(title), figures=_figures(findings), sections="".join(sections))


def _figures(findings: Findings) -> str:
    rows = (line.split(": ", 1) if ": " in line else ("images", line) for line in findings.lines())
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table><tbody>{cells}</tbody></table>"


def _section(heading: str, groups: Sequence[Group], thumbs: np.ndarray, places: dict[int, int]) -> str:
    if not groups:
        return f"<h2>{heading}</h2><p>None.</p>"
    # What crosses a split first, and of near-duplicates the least alike: there the threshold can be judged.
    shown = sorted(groups, key=lambda group: (not group.across, group.likeness))[:_GROUPS]
    across = sum(group.across for group in groups)
    note = f"{len(groups):,} groups, {across:,} of them across splits or sets (marked red)"
    more = f"; {len(shown)} of them are shown, all are in groups.parquet" if len(shown) < len(groups) else ""
    drawn = "".join(_group(group, thumbs, places) for group in shown)
    return f'<h2>{heading}</h2><p>{note}{more}.</p><div class="groups">{drawn}</div>'


def _group(group: Group, thumbs: np.ndarray, places: dict[int, int]) -> str:
    figures = "".join(_figure(member, thumbs[places[member.row]]) for member in _one_of_each_place(group))
    left = len(group.members) - _MEMBERS
    note = [f"likeness {group.likeness:.2f}"] if group.kind == "near" else []
    note += [f"and {left:,} more"] if left > 0 else []
    told = f"<p>{', '.join(note)}</p>" if note else ""
    return f'<div class="group{" across" if group.across else ""}">{figures}{told}</div>'


def _one_of_each_place(group: Group) -> list[Member]:
    """The first few members, with at least one of each split and label among them."""
    kinds: dict[tuple[str | None, ...], Member] = {}
    for member in group.members:
        kinds.setdefault((member.dataset, member.split, member.label), member)
    first = {member.row: member for member in [*kinds.values(), *group.members]}
    return list(first.values())[:_MEMBERS]


def _figure(member: Member, thumb: np.ndarray) -> str:
    source = base64.b64encode(cv2.imencode(".png", thumb)[1].tobytes()).decode()
    words = [member.dataset, member.split, member.label, member.subject]
    caption = "<br>".join(escape(word) for word in [", ".join(word for word in words if word), member.id])
    return f'<figure><img alt="" src="data:image/png;base64,{source}"><figcaption>{caption}</figcaption></figure>'


def _across(heading: str, found: Sequence[Across]) -> str:
    if not found:
        return f"<h2>{heading}</h2><p>None.</p>"
    rows = "".join(
        f"<tr><th>{escape(' '.join(filter(None, (each.dataset, each.name))))}</th>"
        f"<td>{escape(', '.join(f'{split} {count:,}' for split, count in each.images.items()))}</td></tr>"
        for each in found[:_ACROSS]
    )
    first = f"; the first {_ACROSS}" if len(found) > _ACROSS else ""
    return (
        f"<h2>{heading}</h2><p>{len(found):,}{first}:</p>"
        f"<table><thead><tr><th>name</th><th>images</th></tr></thead><tbody>{rows}</tbody></table>"
    )
