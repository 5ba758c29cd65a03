"""The pictures of an evaluation, one look for all. Figures are drawn through matplotlib's objects, never pyplot:
no global state, so that steps may draw side by side, and the same numbers give the same PNG bytes.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, PercentFormatter

INK, MUTED, RULE, PAPER = "#1f2a36", "#6b7885", "#d8dee4", "#ffffff"
PALE, DEEP, ACCENT = "#8fb4d3", "#1d5a8c", "#d1702a"
COLOURS = "Blues"  # the one colour map
DPI = 120
GRID_COLUMNS = 7  # one an emotion
FACE, CELL, TITLE = 1.48, (1.58, 1.98), 0.55  # inches: a face's side, its cell with the caption, the band of the title
DOTS_UP_TO = 30  # epochs; beyond it dots hide the line


def save(figure: Figure, path: Path | BinaryIO) -> None:
    """As PNG without the library's version or a time in it."""
    figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})


def confusion(matrix: Sequence[Sequence[int]], emotions: Sequence[str], title: str) -> Figure:
    """Counts on the left; on the right each row as shares of its true emotion."""
    counts = np.asarray(matrix, dtype=np.int64)
    figure = new_figure(12.4, 6.1, title)
    left, right = figure.subplots(1, 2)
    _matrix(left, counts / max(counts.max(), 1), [[f"{count:,}" for count in row] for row in counts], size=10)
    shares = _row_shares(counts)
    _matrix(right, shares, _percent(shares, "{:.1f}"), size=10)
    left.set_title("Faces", fontsize=11, color=MUTED, pad=8)
    right.set_title("% of the true emotion", fontsize=11, color=MUTED, pad=8)
    for axes in (left, right):
        _name_classes(axes, emotions, size=10)
        axes.set_xlabel("Predicted", fontsize=11, color=INK, labelpad=6)
    left.set_ylabel("True", fontsize=11, color=INK, labelpad=6)
    return figure


def curves(history: Sequence[Mapping[str, Any]], title: str, best_epoch: int | None = None) -> Figure:
    """Loss and accuracy by epoch, training and validation, with the epoch whose weights were kept."""
    figure = new_figure(11, 4.4, title)
    panels = figure.subplots(1, 2)
    for axes, (measure, name) in zip(panels, (("loss", "Loss"), ("accuracy", "Accuracy")), strict=True):
        for split, colour in (("train", PALE), ("validation", DEEP)):
            _curve(axes, history, f"{split}_{measure}", split, colour)
        plain(axes)
        axes.set_xlabel("Epoch", fontsize=11, color=INK)
        axes.set_title(name, fontsize=11, color=MUTED, pad=8)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        if best_epoch is not None:
            label = f"best epoch ({best_epoch})"
            axes.axvline(best_epoch, color=ACCENT, linewidth=1.2, linestyle=(0, (4, 3)), label=label, zorder=1)
    panels[0].margins(y=0.08)
    panels[0].set_ylim(bottom=0)
    panels[1].set_ylim(0, 1)
    panels[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend(figure, panels[0])
    return figure


def grid(images: Sequence[np.ndarray], captions: Sequence[str], title: str) -> Figure:
    """Faces, uint8[H,W,1 or 3], each over its caption of two lines; with none of them the picture says so."""
    lines = math.ceil(len(images) / GRID_COLUMNS)
    width, height = GRID_COLUMNS * CELL[0] + 0.2, max(lines * CELL[1], 0.8) + TITLE
    figure, page = new_page(width, height, title)
    for place, (image, caption) in enumerate(zip(images, captions, strict=True)):
        line, column = divmod(place, GRID_COLUMNS)
        left, top = 0.1 + column * CELL[0] + (CELL[0] - FACE) / 2, TITLE + line * CELL[1]
        pixels = image[:, :, 0] if image.shape[2] == 1 else image
        page.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=(left, left + FACE, top + FACE, top))
        page.text(left + FACE / 2, top + FACE + 0.05, caption, ha="center", va="top", fontsize=8.5, color=INK)
    if not images:
        page.text(width / 2, TITLE + 0.3, "None to show", ha="center", va="center", fontsize=13, color=MUTED)
    page.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    return figure


def comparison(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """A line a model, best on top: macro-F1 and accuracy on both splits, with their 95% intervals."""
    figure = new_figure(11, 1.9 + 0.5 * len(rows), title)
    panels = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(rows))
    for axes, (metric, name) in zip(
        panels, (("macro_f1", "Macro-F1, 95% interval"), ("accuracy", "Accuracy, 95% interval")), strict=True
    ):
        for split, colour, shift in (("validation", DEEP, -0.14), ("test", ACCENT, 0.14)):
            values = [row[split][metric] for row in rows]
            axes.scatter(values, places + shift, s=34, color=colour, label=split, zorder=3, clip_on=False)
        plain(axes)
        axes.set_title(name, fontsize=11, color=MUTED, pad=8)
    for split, colour, shift in (("validation", DEEP, -0.14), ("test", ACCENT, 0.14)):
        for axes, metric in zip(panels, ("macro_f1", "accuracy"), strict=True):
            low, high = np.array([row[split]["intervals"][metric] for row in rows]).T
            axes.hlines(places + shift, low, high, color=colour, linewidth=1.6, zorder=2)
    for axes in panels:
        _widen(axes)
    panels[0].set_yticks(places, [row["architecture"] for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    legend(figure, panels[0])
    return figure


def confusions(matrices: Mapping[str, Sequence[Sequence[int]]], emotions: Sequence[str], title: str) -> Figure:
    """The row-normalised confusion matrix of every model, in % of the true emotion, side by side."""
    columns = 2 if len(matrices) == 4 else min(3, len(matrices))
    rows = math.ceil(len(matrices) / columns)
    figure = new_figure(max(4.2 * columns, 7), 4.25 * rows + 0.5, title)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.ravel()[len(matrices) :]:
        axes.axis("off")
    for axes, (name, matrix) in zip(panels.ravel(), matrices.items(), strict=False):
        shares = _row_shares(np.asarray(matrix, dtype=np.int64))
        _matrix(axes, shares, _percent(shares, "{:.0f}"), size=8)
        _name_classes(axes, emotions, size=8)
        axes.set_title(name, fontsize=10.5, color=INK, pad=6)
    return figure


def new_figure(width: float, height: float, title: str) -> Figure:
    inches = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(width, height), facecolor=PAPER, layout=inches)
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12.5, color=INK, fontweight="bold")
    return figure


def legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=10, labelcolor=INK)


def _widen(axes: Axes) -> None:
    """To whole tenths around the data; dots, unlike bars, need no zero."""
    low, high = axes.dataLim.intervalx
    axes.set_xlim(max(0, math.floor(10 * low - 0.1) / 10), min(1, math.ceil(10 * high + 0.1) / 10))


def new_page(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """One frameless axes in inches from the top left; an axes for each of 35 faces would take three times as long."""
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    page = figure.add_axes((0, 0, 1, 1))
    page.axis("off")
    page.text(width / 2, TITLE / 2, title, ha="center", va="center", fontsize=12.5, color=INK, fontweight="bold")
    return figure, page


def plain(axes: Axes) -> None:
    """A light grid, no box."""
    axes.set_axisbelow(True)
    axes.grid(color=RULE, linewidth=0.7)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0, labelsize=10, labelcolor=INK)


def _curve(axes: Axes, history: Sequence[Mapping[str, Any]], key: str, label: str, colour: str) -> None:
    """One line; a value that is missing or None leaves a gap."""
    epochs = [epoch["epoch"] for epoch in history]
    values = [math.nan if epoch.get(key) is None else float(epoch[key]) for epoch in history]
    marker = "o" if len(history) <= DOTS_UP_TO else ""
    axes.plot(epochs, values, color=colour, linewidth=2, marker=marker, markersize=4, label=label, zorder=3)


def _row_shares(counts: np.ndarray) -> np.ndarray:
    """Each row divided by its sum; NaN, which is drawn as a dash, for an emotion without faces."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _percent(shares: np.ndarray, form: str) -> list[list[str]]:
    return [["–" if math.isnan(share) else form.format(100 * share) for share in row] for row in shares]


def _matrix(axes: Axes, values: np.ndarray, texts: Sequence[Sequence[str]], size: float) -> None:
    """Cells shaded by values from 0 to 1, each with its text, white rules between them."""
    axes.imshow(np.nan_to_num(values), cmap=COLOURS, vmin=0, vmax=1)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            colour = PAPER if values[row, column] > 0.5 else INK
            cell = axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
            cell.set_in_layout(False)  # it lies inside its cell; measuring all of them takes as long as drawing
    edges = np.arange(1, len(values)) - 0.5
    axes.hlines(edges, -0.5, len(values) - 0.5, color=PAPER, linewidth=1.2)
    axes.vlines(edges, -0.5, len(values) - 0.5, color=PAPER, linewidth=1.2)
    axes.spines[:].set_visible(False)


def _name_classes(axes: Axes, emotions: Sequence[str], size: float) -> None:
    places = range(len(emotions))
    axes.set_xticks(places, emotions, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, emotions)
    axes.tick_params(length=0, labelsize=size, labelcolor=INK)
