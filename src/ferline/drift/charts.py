"""Small charts in SVG: both sides over each other. Colours and fonts are the page's, which follow light and dark."""

from collections.abc import Mapping, Sequence

import numpy as np

WIDTH, HEIGHT, FOOT = 300, 96, 18
BINS = 30
TAILS = (0.5, 99.5)  # percentiles; what lies beyond is counted into the outermost bin, or one image would set the scale
ROW, LABEL = 20, 74


def histogram(reference: np.ndarray, new: np.ndarray, log: bool, form: str | tuple[str, str, str]) -> str:
    """The share of images in each bin: the reference filled, the new as a line.

    `form`: of the scale's numbers, or words in their place.
    """
    scale = np.log if log else np.asarray
    values = [scale(side[~np.isnan(side)]) for side in (reference, new)]
    low, high = np.percentile(np.concatenate(values), TAILS)
    low, high = (low - 0.5, high + 0.5) if high - low < 1e-9 else (low, high)
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(np.clip(side, low, high), edges)[0] / len(side) for side in values]
    top = max(float(max(share.max() for share in shares)), 1e-9)
    steps = [_steps(share / top) for share in shares]
    numbers = [float(np.exp(mark) if log else mark) for mark in np.linspace(low, high, 3)]
    marks = [form.format(number) for number in numbers] if isinstance(form, str) else form
    return _svg(
        HEIGHT + FOOT,
        f'<path class="reference" d="{steps[0]}V{HEIGHT}H0Z"/><path class="new" d="{steps[1]}"/>'
        f'<path class="base" d="M0 {HEIGHT}H{WIDTH}"/>{_scale(marks)}',
    )


def bars(reference: Mapping[str, float], new: Mapping[str, float], names: Sequence[str]) -> str:
    """For each name the share on both sides, the new below the reference's."""
    most = max([*reference.values(), *new.values(), 1e-9])
    room = WIDTH - LABEL - 40
    drawn = []
    for place, name in enumerate(names):
        top = place * ROW + 2
        pair = (reference.get(name, 0.0), new.get(name, 0.0))
        drawn.append(f'<text x="0" y="{top + 11}">{name}</text>')
        for kind, value, down in (("reference", pair[0], 0), ("fresh", pair[1], 8)):
            width = room * value / most
            drawn.append(f'<rect class="{kind}" x="{LABEL}" y="{top + down}" width="{width:.1f}" height="7"/>')
        end = LABEL + room * max(pair) / most + 5
        drawn.append(
            f'<text x="{end:.1f}" y="{top + 11}">{pair[1] - pair[0]:+.0%}</text>'.replace("+0%", "0%").replace(
                "-0%", "0%"
            )
        )
    return _svg(len(names) * ROW + 4, "".join(drawn))


def _steps(heights: np.ndarray) -> str:
    """A path along the tops of the bins, from the left edge to the right."""
    width = WIDTH / len(heights)
    tops = [f"{(1 - height) * (HEIGHT - 6) + 6:.1f}" for height in heights]
    return f"M0 {HEIGHT}" + "".join(f"V{top}H{(place + 1) * width:.1f}" for place, top in enumerate(tops))


def _scale(marks: Sequence[str]) -> str:
    places = zip(marks, (0, WIDTH / 2, WIDTH), ("start", "middle", "end"), strict=True)
    return "".join(
        f'<text x="{x:g}" y="{HEIGHT + 14}" text-anchor="{anchor}">{mark}</text>' for mark, x, anchor in places
    )


def _svg(height: int, inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-hidden="true">{inside}</svg>'
