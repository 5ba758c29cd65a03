"""Blocks as one HTML file that needs no other: pictures inside it, no script, nothing from anywhere."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters["tied"] = lambda text: text.replace(" %", "\u00a0%")  # no line begins with a per cent sign


def render(page: Mapping[str, Any], folder: Path) -> str:
    """The whole page; `folder` is where its pictures lie."""

    def uri(file: str) -> str:
        return "data:image/png;base64," + base64.b64encode((folder / file).read_bytes()).decode()

    return TEMPLATES.get_template("page.html").render(page=page, uri=uri)
