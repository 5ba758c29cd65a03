"""Numbers as the page writes them; everywhere the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from ferline.evaluation.tables import DASH

NBSP = "\u00a0"  # where a line must not break: p = 0.031
SMALLEST = 0.001  # p; below it the exact one depends on the tails of the method


def share(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}".replace("-", "−")


def percent(value: float | None) -> str:
    """Two decimals, as the papers print theirs."""
    return DASH if value is None else f"{100 * value:.2f}"


def interval(ends: Sequence[float | None] | None, write: Any = share) -> str:
    """Of 95 %; empty where it could not be computed."""
    if ends is None or any(end is None for end in ends):
        return ""
    return f"{write(ends[0])}–{write(ends[1])}"


def spread(value: float | None, write: Any = share) -> str:
    return "" if value is None else f"± {write(value)}"


def told(value: float | None, ends: Sequence[float | None] | None) -> str:
    """`0.874 (0.835–0.909)`."""
    between = interval(ends)
    return f"{share(value)} ({between})" if between else share(value)


def p_value(p: float) -> str:
    return f"p{NBSP}{p_number(p)}" if p < SMALLEST else f"p{NBSP}={NBSP}{p_number(p)}"


def p_number(p: float) -> str:
    return f"<{NBSP}{SMALLEST}" if p < SMALLEST else f"{p:.3f}"


def digest(value: object) -> str:
    """Enough of it to find it again."""
    return str(value)[:12]


def counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def members(content: Mapping[str, Any]) -> str:
    """Of a leaderboard's row: `3 seeds`, `10 folds`, or empty for one training."""
    kind = next((kind for kind in ("seeds", "folds") if content.get(kind)), None)
    return f"{content[kind]} {kind}" if kind else ""
