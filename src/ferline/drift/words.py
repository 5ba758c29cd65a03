"""A comparison in words: for the screen, and the numbers of it as the page tells them too."""

from ferline.drift.compare import Drift
from ferline.drift.judge import DRIFT, SMALL, Line
from ferline.drift.limits import Quantity
from ferline.drift.measure import Measured
from ferline.drift.shuffles import tells_people

VERDICTS = {DRIFT: "DRIFT", SMALL: "too little to count"}
COLUMNS = ("", "reference", "new", "differs by", "counts from", "p (Holm)", "")


def as_text(drift: Drift) -> str:
    """The table and what must be known to read it."""
    rows = [COLUMNS, *(told(line) for line in drift.verdict.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:6], widths[1:6], strict=True)), row[6]])
        for row in rows
    ]
    notes = [f"- {note}" for note in drift.notes]
    return "\n".join(
        [heading(drift), how(drift), "", *(f"  {line}".rstrip() for line in table), "", *notes, conclusion(drift)]
    )


def heading(drift: Drift) -> str:
    return f"{side(drift.new)} against {side(drift.reference)}"


def side(measured: Measured) -> str:
    count, there = len(measured.table), measured.batch.there
    subjects = measured.table["subject"]
    people = f" of {subjects.nunique():,} people" if tells_people(subjects) else ""
    return f"{measured.batch.name} ({count:,}{f' of {there:,}' if there > count else ''} images{people})"


def how(drift: Drift) -> str:
    model = f"{drift.model['architecture']} {drift.model['digest'][:12]}" if drift.model else "no model"
    dealt = "people" if drift.verdict.people else "images"
    return (
        f"{model}; level {drift.settings.level:g} over {len(drift.verdict.lines)} lines, "
        f"{drift.verdict.shuffles:,} dealings of {dealt}, seed {drift.settings.seed}"
    )


def conclusion(drift: Drift) -> str:
    if not drift.found:
        return "No drift"
    return f"DRIFT: {', '.join(line.quantity.title.lower() for line in drift.found)}"


def told(line: Line) -> tuple[str, ...]:
    """A line's cells, in COLUMNS."""
    quantity = line.quantity
    reference, new = both(line)
    least = amount(quantity, quantity.least)
    return (
        quantity.title,
        reference,
        new,
        amount(quantity, line.effect),
        least,
        f"{line.p_adjusted:.2g}" if line.p_adjusted < 0.995 else "1",
        VERDICTS.get(line.verdict, ""),
    )


def both(line: Line) -> tuple[str, str]:
    """What is typical of each side; of the emotions the one whose share changed most."""
    if isinstance(line.reference, dict) and isinstance(line.new, dict):
        first, second = line.reference, line.new
        most = max(sorted(first.keys() | second.keys()), key=lambda name: abs(second.get(name, 0) - first.get(name, 0)))
        return f"{most} {first.get(most, 0):.0%}", f"{most} {second.get(most, 0):.0%}"
    return typical(line.name, line.reference), typical(line.name, line.new)


def typical(name: str, value: float | dict[str, float] | None) -> str:
    if not isinstance(value, float):
        return ""
    if name in ("found", "face_size"):
        return f"{value:.1%}"
    return f"{value:.0f}" if name in ("size", "brightness", "contrast", "colour") else f"{value:.2f}"


def amount(quantity: Quantity, effect: float) -> str:
    if quantity.unit == "AUC":
        return f"{effect:.0%}"
    if quantity.unit == "factor":
        return f"× {effect:.2f}"
    if quantity.unit == "share":
        return f"{100 * effect:.1f} points"
    return f"{effect:.1f} levels" if quantity.unit == "levels" else f"{effect:.2f}"
