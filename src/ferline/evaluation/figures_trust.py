"""Pictures of how far a model's numbers can be trusted: its confidence, and its scores by group of faces."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ferline.evaluation.figures import ACCENT, DEEP, INK, MUTED, PALE, PAPER, legend, new_figure, plain

Bins = Sequence[Mapping[str, Any]]

SHOWN = 12  # groups of a column, the largest; a column of names may have hundreds
METRICS = (("macro_recall", "macro_recall_interval", "Macro recall"), ("accuracy", "interval", "Accuracy"))


def reliability(before_bins: Bins, after_bins: Bins, title: str, ece_before: float, ece_after: float) -> Figure:
    """Accuracy by confidence, against the diagonal where both are equal; below it how many faces there are."""
    figure = new_figure(11, 6.2, title)
    panels = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1))
    found = (("As trained", before_bins, ece_before), ("Calibrated", after_bins, ece_after))
    for (upper, lower), (when, bins, error) in zip(panels.T, found, strict=True):
        _diagram(upper, bins)
        upper.set_title(f"{when}: ECE {error:.3f}", fontsize=11, color=MUTED, pad=8)
        faces = [each["faces"] for each in bins]
        lower.bar([each["low"] for each in bins], faces, _width(bins), align="edge", color=PALE, edgecolor=PAPER)
        plain(lower)
        lower.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
        lower.set_xlabel("Confidence", fontsize=11, color=INK)
        lower.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes, label in zip(panels[:, 0], ("Accuracy", "Faces"), strict=True):
        axes.set_ylabel(label, fontsize=11, color=INK)
    panels[0, 0].set(xlim=(0, 1), ylim=(0, 1))
    panels[0, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.align_ylabels(panels[:, 0])
    legend(figure, panels[0, 0])
    return figure


def slices(found: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """A line a group under the name of its column: macro recall and accuracy with their 95% intervals."""
    lines = _lines(found)
    figure = new_figure(11, 1.7 + 0.36 * len(lines), title)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (metric, interval, name) in zip(panels, METRICS, strict=True):
        for place, (_, group) in enumerate(lines):
            if group:
                _estimate(axes, place, group[metric], group[interval])
        plain(axes)
        axes.grid(axis="y", visible=False)
        axes.set_title(f"{name}, 95% interval", fontsize=11, color=MUTED, pad=8)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0].set_yticks(range(len(lines)), [text for text, _ in lines])
    panels[0].set_ylim(len(lines) - 0.5, -0.5)
    for label, (_, group) in zip(panels[0].get_yticklabels(), lines, strict=True):
        label.set_fontweight("normal" if group else "bold")
    for place, each in _headers(found):
        panels[0].text(0.01, place, _apart(each["gap"]), ha="left", va="center", fontsize=9, color=MUTED)
    return figure


def _diagram(axes: Axes, bins: Bins) -> None:
    """A bar a bin, and a dot at the mean confidence of its faces: they are not spread evenly over it."""
    filled = [each for each in bins if each["faces"]]
    accuracy = [each["accuracy"] for each in filled]
    low = [each["low"] for each in filled]
    axes.bar(low, accuracy, _width(bins), align="edge", color=PALE, edgecolor=PAPER, label="accuracy", zorder=2)
    confidence = [each["confidence"] for each in filled]
    share = np.sqrt([each["faces"] / max(one["faces"] for one in filled) for each in filled])
    thin = 0.4 + 1.6 * share  # a bin of one face is all right or all wrong, and should not catch the eye
    axes.vlines(
        confidence, accuracy, confidence, color=ACCENT, linewidth=thin, label="too sure, or not enough", zorder=4
    )
    axes.scatter(confidence, accuracy, s=4 + 30 * share, color=DEEP, zorder=5, clip_on=False)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)), label="as sure as right", zorder=3)
    plain(axes)


def _width(bins: Bins) -> float:
    return float(bins[0]["high"] - bins[0]["low"])


def _lines(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any] | None]]:
    """The text of every line and its group; a column's own line has none."""
    lines: list[tuple[str, Mapping[str, Any] | None]] = []
    for each in found:
        shown = _shown(each["groups"])
        left_out = len(each["groups"]) - len(shown)
        lines.append((each["column"] + (f" ({left_out} smaller groups left out)" if left_out else ""), None))
        lines += [(f"{group['name']}, {group['faces']:,} faces", group) for group in shown]
    return lines


def _headers(found: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """At which line each column begins."""
    starts = np.cumsum([0, *(1 + len(_shown(each["groups"])) for each in found)])
    return [(int(start), each) for start, each in zip(starts, found, strict=False)]


def _shown(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The largest, in the order they came in."""
    least = sorted((group["faces"] for group in groups), reverse=True)[:SHOWN][-1]
    return [group for group in groups if group["faces"] >= least][:SHOWN]


def _estimate(axes: Axes, place: int, value: float | None, ends: Sequence[float] | None) -> None:
    if ends is not None:
        axes.hlines(place, ends[0], ends[1], color=DEEP, linewidth=1.8, zorder=2)
    if value is not None:
        axes.scatter([value], [place], s=34, color=DEEP if ends is not None else PALE, zorder=3, clip_on=False)


def _apart(gap: Mapping[str, Any] | None) -> str:
    if gap is None:
        return "too few faces or people to compare"
    low, high = gap["interval"]
    p = "p < 0.001" if gap["p"] < 0.001 else f"p = {gap['p']:.3f}"
    return f"gap {gap['macro_recall']:.3f}, 95% interval {low:.3f} to {high:.3f}, {p}"
