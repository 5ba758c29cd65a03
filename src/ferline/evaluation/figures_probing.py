"""Pictures of what was tried on a model: corrupted faces, and faces with a part of them covered."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ferline.evaluation.figures import (
    ACCENT,
    CELL,
    DEEP,
    FACE,
    GRID_COLUMNS,
    INK,
    MUTED,
    PALE,
    PAPER,
    RULE,
    TITLE,
    legend,
    new_figure,
    new_page,
    plain,
)
from ferline.evaluation.occlusion import average

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma, as in OpenCV
STRONGEST = 0.8  # how much of the face the strongest colour hides
KEY = 0.75  # inches: the band below the maps that says what the colours mean


def robustness(found: Mapping[str, Any], title: str) -> Figure:
    """A panel a corruption: accuracy and macro-F1 from the clean faces to the strongest corruption."""
    low, high = found["interval"]
    lost = (
        f"{found['drop']:.3f} of {found['accuracy']:.3f} accuracy lost on average, 95% interval {low:.3f} to {high:.3f}"
    )
    figure = new_figure(11, 6.4, f"{title}\n{lost}")
    panels = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    for axes, (name, graded) in zip(panels, found["corruptions"].items(), strict=True):
        strengths = [0, *(each["strength"] for each in graded)]
        for metric, label, colour in (("accuracy", "accuracy", DEEP), ("macro_f1", "macro-F1", PALE)):
            values = [found[metric], *(each[metric] for each in graded)]
            axes.plot(
                strengths, values, color=colour, linewidth=2, marker="o", markersize=5, label=label, clip_on=False
            )
        plain(axes)
        axes.set_xticks(strengths, ["clean", *(str(strength) for strength in strengths[1:])])
        drop = found["accuracy"] - np.mean([each["accuracy"] for each in graded])
        axes.set_title(f"{name}, {_signed(-drop)}", fontsize=11, color=MUTED, pad=8)
    panels[0].set_ylim(0, 1)
    panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes in panels[3:]:
        axes.set_xlabel("Strength", fontsize=11, color=INK)
    legend(figure, panels[0])
    return figure


def occlusion(
    heat: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    emotions: Sequence[str],
    title: str,
    show_faces: bool,
) -> Figure:
    """For every emotion the mean heat[N,side,side] of its faces, over their mean face where faces may be shown."""
    means = average(np.nan_to_num(heat), labels, emotions)
    grounds = average(_grey(images), labels, emotions)
    strongest = max((float(abs(mean).max()) for mean in means.values()), default=0.0)
    columns = min(GRID_COLUMNS, max(len(emotions), 5))
    lines = -(-len(emotions) // columns)
    width, bottom = columns * CELL[0] + 0.2, TITLE + lines * CELL[1]
    figure, page = new_page(width, bottom + KEY, title)
    for number, emotion in enumerate(emotions):
        line, column = divmod(number, columns)
        left, top = 0.1 + column * CELL[0] + (CELL[0] - FACE) / 2, TITLE + line * CELL[1]
        caption = f"{emotion}\nno faces"
        if emotion in means:
            shown = grounds[emotion] if show_faces else None
            page.imshow(_over(means[emotion], strongest, shown), extent=(left, left + FACE, top + FACE, top))
            caption = f"{emotion}, {_counted(labels == emotions.index(emotion))}\n{_most(means[emotion].max())}"
        page.plot(*_frame(left, top), color=RULE, linewidth=0.8)
        page.text(left + FACE / 2, top + FACE + 0.05, caption, ha="center", va="top", fontsize=8.5, color=INK)
    _key(page, width, bottom + 0.2, strongest)
    page.set(xlim=(0, width), ylim=(bottom + KEY, 0), aspect="auto")
    return figure


def _over(heat: np.ndarray, strongest: float, ground: np.ndarray | None) -> np.ndarray:
    """RGB: orange where covering the face takes probability away, blue where it adds some; as deep as it does so."""
    below = (
        np.full((*heat.shape, 3), to_rgb(PAPER)) if ground is None else np.repeat(ground[..., None] / 255, 3, axis=2)
    )
    share = STRONGEST * np.clip(abs(heat) / max(strongest, 1e-9), 0, 1)[..., None]
    colour = np.where(heat[..., None] > 0, to_rgb(ACCENT), to_rgb(DEEP))
    return below * (1 - share) + colour * share


def _grey(images: np.ndarray) -> np.ndarray:
    return images[..., 0].astype(float) if images.shape[3] == 1 else images @ np.array(GREY)


def _key(page: Axes, width: float, top: float, strongest: float) -> None:
    """What the colours mean, from one end to the other."""
    ramp = np.linspace(-strongest, strongest, 201)[None]
    left, right = width / 2 - 1.4, width / 2 + 1.4
    page.imshow(_over(ramp, strongest, None), extent=(left, right, top + 0.18, top), interpolation="nearest")
    sides = (
        (left - 0.1, f"covered: +{strongest:.2f}", "right"),
        (right + 0.1, f"covered: {_signed(-strongest)}", "left"),
    )
    for place, words, side in sides:
        page.text(place, top + 0.09, words, ha=side, va="center", fontsize=8.5, color=INK)
    words = "probability of the true emotion when a black square covers the place, against the whole face"
    page.text(width / 2, top + 0.25, words, ha="center", va="top", fontsize=8.5, color=MUTED)


def _counted(faces: np.ndarray) -> str:
    return f"{faces.sum()} {'face' if faces.sum() == 1 else 'faces'}"


def _most(lost: float) -> str:
    return f"at most {_signed(-lost)}" if lost >= 0.005 else "no place matters"


def _frame(left: float, top: float) -> tuple[list[float], list[float]]:
    return [left, left + FACE, left + FACE, left, left], [top, top, top + FACE, top + FACE, top]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
