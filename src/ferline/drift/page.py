"""The page of a comparison: one HTML file that needs no other and no network.

It names images and shows none, since they show people: pictures come in only where they are asked for.
"""

import base64
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ferline.artifact import write_text
from ferline.drift import charts, words
from ferline.drift.compare import Drift
from ferline.drift.judge import DRIFT, SMALL, Line
from ferline.emotions import in_order
from ferline.errors import FerlineError
from ferline.images.decode import UnreadableImage, decode

PICTURE = 112  # pixels of the longer side
FORMS = {"size": "{:.0f}", "brightness": "{:.0f}", "contrast": "{:.0f}", "colour": "{:.0f}"}


def write(drift: Drift, path: Path, show: bool) -> Path:
    """The page at `path`, whole or not at all; with `show` the pictures of the most unusual new images are in it."""
    text = render(drift, show)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise FerlineError(f"{path}: the page could not be written ({error.strerror or error})") from None
    return path


def render(drift: Drift, show: bool = False) -> str:
    template = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string((files(__package__) / "page.html").read_text(encoding="utf-8"))
    lines = sorted(drift.verdict.lines, key=lambda line: (line.verdict != DRIFT, line.verdict != SMALL))
    return template.render(
        title=f"{drift.new.batch.name} against {drift.reference.batch.name}",
        found=[line.quantity.title.lower() for line in drift.found],
        sides=[words.side(drift.reference), words.side(drift.new)],
        how=words.how(drift),
        columns=words.COLUMNS,
        rows=[(line, words.told(line)) for line in drift.verdict.lines],
        charts=[_card(drift, line) for line in lines],
        notes=drift.notes,
        unusual=_unusual(drift, show),
        outside=drift.outside,
        level=drift.settings.level,
        dealt=_dealt(drift.verdict.people),
    )


def _dealt(people: tuple[int, int] | None) -> str:
    if people is None:
        return "the images"
    return f"the people ({people[0]:,} and {people[1]:,}), each with all of their images,"


def _card(drift: Drift, line: Line) -> dict[str, Any]:
    reference, new = words.both(line)
    sides = f"{reference} → {new}" if reference else ""
    return {"line": line, "cells": words.told(line), "sides": sides, "chart": Markup(_chart(drift, line))}


def _chart(drift: Drift, line: Line) -> str:
    """Names of emotions are the only words in it, and those are the library's own."""
    if isinstance(line.reference, dict) and isinstance(line.new, dict):
        return charts.bars(line.reference, line.new, in_order(line.reference.keys() | line.new.keys()))
    if line.name == "found":
        rates = [
            {"found": rate, "not found": 1 - rate} for rate in (line.reference, line.new) if isinstance(rate, float)
        ]
        return charts.bars(rates[0], rates[1], ["found", "not found"])
    if line.name == "embedding":
        fair = int(drift.fair.sum())
        return charts.histogram(
            drift.verdict.scores[:fair], drift.verdict.scores[fair:], False, ("like the reference", "", "new")
        )
    first = drift.reference.table[drift.fair] if line.quantity.of_model else drift.reference.table
    values = [table[line.name].to_numpy(float) for table in (first, drift.new.table)]
    return charts.histogram(values[0], values[1], line.quantity.log, FORMS.get(line.name, "{:.2f}"))


def _unusual(drift: Drift, show: bool) -> list[dict[str, Any]]:
    if not show:
        return drift.unusual
    pictures = _pictures(drift)
    return [row | {"picture": pictures.get(row["id"])} for row in drift.unusual]


def _pictures(drift: Drift) -> dict[str, str]:
    """The images themselves as data addresses, small; read again, since none was kept."""
    wanted = [row["id"] for row in drift.unusual]
    batch = drift.new.batch
    found = {}
    for rows, sources in batch.only(wanted).sources(len(wanted)):
        for name, source in zip(rows["id"], sources, strict=True):
            try:
                rgb = decode(source if isinstance(source, bytes) else source.read_bytes())
            except (OSError, UnreadableImage):
                continue  # it was there a moment ago; the row stands without its picture
            found[str(name)] = _data_address(rgb)
    return found


def _data_address(rgb: np.ndarray) -> str:
    scale = PICTURE / max(rgb.shape[:2])
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    data = cv2.imencode(".png", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
