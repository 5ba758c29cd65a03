"""Two confusion matrices against each other: where one model does better or worse than the other, in points."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ferline.evaluation.figures import ACCENT, DEEP, INK, MUTED, PAPER

COLOURS = LinearSegmentedColormap.from_list("worse to better", [ACCENT, PAPER, DEEP])
FULL = 25.0  # points at which a cell has its full colour, so that two pictures can be compared; larger ones stretch it
PALE = 0.05  # points; less is written as 0


def points(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64[emotions, emotions]: of each true emotion's faces, how many more in a hundred the first calls each thing.

    NaN in the rows of emotions that one of the two has no face of.
    """
    return 100 * (_shares(first) - _shares(second))


def figure(difference: np.ndarray, faces: Sequence[int], emotions: Sequence[str], title: str) -> Figure:
    """Coloured by what is better: more on the diagonal, fewer beside it. `faces`: of each true emotion."""
    drawn = Figure(figsize=(6.4, 5.9), facecolor=PAPER, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    FigureCanvasAgg(drawn)
    drawn.suptitle(title, fontsize=12.5, color=INK, fontweight="bold")
    axes = drawn.subplots()
    size = len(emotions)
    better = np.nan_to_num(np.where(np.eye(size, dtype=bool), difference, -difference))
    full = max(FULL, float(abs(better).max()))
    axes.imshow(better, cmap=COLOURS, vmin=-full, vmax=full)
    for row in range(size):
        for column in range(size):
            dark = abs(better[row, column]) > 0.62 * full
            words = _signed(difference[row, column])
            told = axes.text(column, row, words, ha="center", va="center", fontsize=10, color=PAPER if dark else INK)
            told.set_in_layout(False)
    axes.set_xticks(range(size), emotions, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), [f"{emotion} ({count:,})" for emotion, count in zip(emotions, faces, strict=True)])
    axes.tick_params(length=0, labelsize=10, labelcolor=INK)
    axes.set_xlabel("Predicted", fontsize=11, color=INK, labelpad=6)
    axes.set_ylabel("True (faces)", fontsize=11, color=INK, labelpad=6)
    axes.set_title("Points; blue is better, orange is worse", fontsize=11, color=MUTED, pad=8)
    axes.set_xticks(np.arange(1, size) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, size) - 0.5, minor=True)
    axes.grid(which="minor", color="#eef1f4", linewidth=1.0)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return drawn


def _shares(counts: np.ndarray) -> np.ndarray:
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _signed(value: float) -> str:
    if np.isnan(value):
        return "–"
    return "0" if abs(value) < PALE else f"{value:+.1f}".replace("-", "−")
