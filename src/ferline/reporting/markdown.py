"""Blocks as Markdown. Every text is escaped: a name may hold pipes, brackets or HTML."""

import re
from collections.abc import Mapping
from typing import Any

from ferline.reporting.blocks import Block, Span, Spans

_LIST = re.compile(r"^(\d*)([-+=.)])")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def render(page: Mapping[str, Any]) -> str:
    """The whole page; pictures are links to the files beside it."""
    lines = [f"# {_spans(page['title'])}", ""]
    for block in page["lead"]:
        lines += _block(block)
    lines += [f"- [{_spans(each['title'])}](#{each['id']})" for each in page["sections"]] + [""]
    for each in page["sections"]:
        lines += _section(each, 2)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(section: Block, level: int) -> list[str]:
    lines = [f"{'#' * level} {_spans(section['title'])}", ""]
    for block in section["blocks"]:
        lines += _block(block)
    for each in section["parts"]:
        lines += _section(each, level + 1)
    return lines


def _block(block: Block) -> list[str]:
    kind = block["kind"]
    if kind == "text":
        return [("> " if block["tone"] == "warning" else "") + _line(block["spans"]), ""]
    if kind == "list":
        return [f"- {_line(spans)}" for spans in block["items"]] + [""]
    if kind == "facts":
        return [
            "| | |",
            "|:---|:---|",
            *(f"| {escaped(name)} | {_in_cell(spans)} |" for name, spans in block["rows"]),
            "",
        ]
    if kind == "table":
        return _table(block)
    caption = [f"*{_spans(block['caption'])}*", ""] if block["caption"] else []
    return [f"![{escaped(block['alt'])}]({block['file']})", "", *caption]


def _table(block: Block) -> list[str]:
    columns = block["columns"]
    lines = [f"**{escaped(block['caption'])}**", ""] if block["caption"] else []
    lines.append("| " + " | ".join(escaped(column["name"]) for column in columns) + " |")
    lines.append("|" + "|".join(":---" if column["align"] == "left" else "---:" for column in columns) + "|")
    for row in block["rows"]:
        if "group" in row:
            cells = [_in_cell(row["group"])] + [""] * (len(columns) - 1)
        else:
            cells = [text for cell in row["cells"] for text in [_cell(cell)] * cell["across"]]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _cell(cell: Mapping[str, Any]) -> str:
    text = _in_cell(cell["spans"])
    text = f"**{text}**" if cell["best"] else text
    return f"{text} ({escaped(cell['small'])})" if cell["small"] else text


def _in_cell(spans: Spans) -> str:
    """A pipe ends a cell even inside code, where a backslash before it is taken away again."""
    return "".join(_span(span).replace("|", "\\|") if _is_code(span) else _span(span) for span in spans)


def _line(spans: Spans) -> str:
    """At the beginning of a line a dash or a number would begin a list."""
    return _LIST.sub(r"\1\\\2", _spans(spans))


def _spans(spans: Spans) -> str:
    return "".join(map(_span, spans))


def _is_code(span: Span) -> bool:
    return not isinstance(span, str) and "code" in span


def _span(span: Span) -> str:
    if isinstance(span, str):
        return escaped(span)
    ((kind, text),) = span.items()
    if kind == "code":
        return _code(text)
    return f"**{escaped(text)}**" if kind == "strong" else escaped(text)


def _code(text: str) -> str:
    """Fenced by one backtick more than the longest run of them inside."""
    text = " ".join(text.split()) or " "
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def escaped(text: str) -> str:
    """As plain words on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split("\n")))
