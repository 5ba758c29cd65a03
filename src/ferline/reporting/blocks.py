"""What a page consists of, as plain data: HTML and Markdown are two ways to write the same blocks.

A span is a text, or {"code": text}, {"strong": text}, {"muted": text}; a cell is spans with, perhaps, a smaller line
under them. Whoever writes a page escapes every text; nothing here is markup.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

Span = str | dict[str, str]
Spans = list[Span]
Block = dict[str, Any]


def code(text: object) -> Span:
    return {"code": str(text)}


def strong(text: object) -> Span:
    return {"strong": str(text)}


def muted(text: object) -> Span:
    return {"muted": str(text)}


def joined(parts: Sequence[Spans], last: str = " and ") -> Spans:
    """`a, b and c`."""
    result: Spans = []
    for place, part in enumerate(parts):
        between = "" if place == 0 else last if place == len(parts) - 1 else ", "
        result += [between, *part]
    return [span for span in result if span != ""]


def text(*spans: Span, tone: str = "") -> Block:
    """`tone`: lead, note, warning."""
    return {"kind": "text", "spans": list(spans), "tone": tone}


def bullets(items: Iterable[Spans]) -> Block:
    return {"kind": "list", "items": list(items)}


def facts(rows: Iterable[tuple[str, Spans]]) -> Block:
    """A short list of names and what they are."""
    return {"kind": "facts", "rows": [[name, spans] for name, spans in rows]}


def cell(
    *spans: Span, small: str = "", best: bool = False, tone: str = "", across: int = 1, shade: float = 0.0
) -> dict[str, Any]:
    """`small`: a line or more below, such as an interval; `tone`: good, bad, muted.

    `across`: how many columns it fills; `shade`: how strongly it is tinted, from 0 to 1.
    """
    return {"spans": list(spans), "small": small, "best": best, "tone": tone, "across": across, "shade": shade}


def group(*spans: Span) -> dict[str, Any]:
    """A line of a table that heads those under it."""
    return {"group": list(spans)}


def table(names: Sequence[str], rows: Sequence[Any], left: int = 1, caption: str = "") -> Block:
    """`rows`: lists of cells, or a `group`. The first `left` columns are words, the others numbers."""
    columns = [{"name": name, "align": "left" if place < left else "right"} for place, name in enumerate(names)]
    made = [row if isinstance(row, dict) else {"cells": row} for row in rows]
    return {"kind": "table", "columns": columns, "rows": made, "caption": caption}


def picture(file: str, alt: str, *caption: Span, narrow: bool = False) -> Block:
    """`alt`: what it shows, for those who do not see it; `narrow`: no wider than the text."""
    return {"kind": "picture", "file": file, "alt": alt, "caption": list(caption), "narrow": narrow}


def section(title: str, blocks: Iterable[Block | None], parts: Iterable[Block] = ()) -> Block:
    """`parts`: sections of their own, a level down."""
    kept = [block for block in blocks if block is not None]
    return {"title": [title], "id": anchor(title), "blocks": kept, "parts": list(parts)}


def part(title: Spans, id_: str, blocks: Iterable[Block | None]) -> Block:
    return {"title": title, "id": id_, "blocks": [block for block in blocks if block is not None], "parts": []}


def anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def plain(spans: Spans) -> str:
    """The words alone."""
    return "".join(span if isinstance(span, str) else next(iter(span.values())) for span in spans)
