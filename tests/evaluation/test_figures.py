import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from ferline.emotions import EMOTIONS
from ferline.evaluation import figures

COUNTS = (np.arange(49).reshape(7, 7) % 11 + 40 * np.eye(7, dtype=int)).tolist()
HISTORY = [
    {
        "epoch": epoch,
        "train_loss": 2 / epoch,
        "train_accuracy": 1 - 0.8 / epoch,
        "validation_loss": 2 / epoch + 0.2,
        "validation_accuracy": 0.9 - 0.8 / epoch,
    }
    for epoch in range(1, 13)
]
FACES = [np.random.default_rng(number).integers(0, 256, (48, 48, 1), dtype=np.uint8) for number in range(9)]


def board_row(name: str, accuracy: float) -> dict:
    ends = {"accuracy": [accuracy - 0.03, accuracy + 0.03], "macro_f1": [accuracy - 0.09, accuracy - 0.01]}
    split = {"macro_f1": accuracy - 0.05, "accuracy": accuracy, "intervals": ends}
    return {"architecture": name, "validation": split, "test": split}


BOARD = [board_row("first", 0.7), board_row("second", 0.6)]


def draw_all() -> dict[str, Figure]:
    return {
        "confusion": figures.confusion(COUNTS, EMOTIONS, "m on test"),
        "curves": figures.curves(HISTORY, "m", best_epoch=9),
        "grid": figures.grid(FACES, [f"sad → {EMOTIONS[number % 7]}" for number in range(9)], "m on test"),
        "comparison": figures.comparison(BOARD, "2 models"),
        "confusions": figures.confusions({"first": COUNTS, "second": COUNTS}, EMOTIONS, "2 models"),
    }


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figures.save(figure, file)
    return file.getvalue()


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(figure))).convert("L"))


@pytest.mark.parametrize("name", ["confusion", "curves", "grid", "comparison", "confusions"])
def test_each_figure_is_a_picture_with_content(name):
    shown = pixels(draw_all()[name])
    assert min(shown.shape) >= 200
    assert (shown < 100).mean() > 0.002  # ink
    assert (shown > 250).mean() > 0.1  # paper


def test_equal_numbers_give_equal_bytes_even_when_drawn_side_by_side():
    alone = {name: png(figure) for name, figure in draw_all().items()}
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda _: {name: png(figure) for name, figure in draw_all().items()}, range(2)))
    assert all(drawn == alone for drawn in together)
    assert all(b"Software" not in drawn and b"matplotlib" not in drawn for drawn in alone.values())


def test_one_count_more_is_another_picture():
    more = [list(row) for row in COUNTS]
    more[2][5] += 1
    assert png(figures.confusion(more, EMOTIONS, "t")) != png(figures.confusion(COUNTS, EMOTIONS, "t"))


def test_confusion_says_counts_and_percentages():
    drawn = figures.confusion((30 * np.eye(7, dtype=int)).tolist(), EMOTIONS, "t")
    counts, shares = ({text.get_text() for text in axes.texts} for axes in drawn.axes)
    assert counts == {"30", "0"}
    assert shares == {"100.0", "0.0"}
    for axes in drawn.axes:
        assert [label.get_text() for label in axes.get_xticklabels()] == list(EMOTIONS)
        assert [label.get_text() for label in axes.get_yticklabels()] == list(EMOTIONS)


def test_an_emotion_without_faces_gets_dashes_not_zeros():
    counts = [list(row) for row in COUNTS]
    counts[1] = [0] * 7
    drawn = figures.confusion(counts, EMOTIONS, "t")
    assert [text.get_text() for text in drawn.axes[1].texts[7:14]] == ["–"] * 7
    assert pixels(drawn).std() > 10


def test_curves_show_both_splits_and_the_best_epoch():
    loss, accuracy = figures.curves(HISTORY, "t", best_epoch=9).axes
    for axes in (loss, accuracy):
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert set(lines) == {"train", "validation", "best epoch (9)"}
        assert list(lines["best epoch (9)"].get_xdata()) == [9, 9]
    assert list(accuracy.get_lines()[1].get_ydata()) == [record["validation_accuracy"] for record in HISTORY]


def test_curves_of_one_epoch_can_be_seen():
    with_dots, without = figures.curves(HISTORY[:1], "t", best_epoch=None), figures.curves([], "t")
    assert (pixels(with_dots) != pixels(without)).any()


def test_a_value_that_is_none_leaves_a_gap():
    history = [record | ({"train_loss": None} if record["epoch"] == 4 else {}) for record in HISTORY]
    drawn = figures.curves(history, "t").axes[0].get_lines()[0].get_ydata()
    assert np.flatnonzero(np.isnan(drawn)).tolist() == [3]


def test_a_grid_shows_the_very_pixels_and_the_captions():
    drawn = figures.grid(FACES, [f"caption {number}" for number in range(9)], "t")
    (page,) = drawn.axes
    assert len(page.get_images()) == 9
    np.testing.assert_array_equal(page.get_images()[8].get_array(), FACES[8][:, :, 0])
    assert [text.get_text() for text in page.texts] == ["t", *(f"caption {number}" for number in range(9))]


def test_a_grid_keeps_colours():
    red = np.zeros((48, 48, 3), np.uint8)
    red[..., 0] = 255
    drawn = Image.open(io.BytesIO(png(figures.grid([red], ["sad → happy"], "t")))).convert("RGB")
    assert (255, 0, 0) in {colour for _, colour in drawn.getcolors(maxcolors=1 << 20)}


def test_a_grid_without_faces_says_so():
    drawn = figures.grid([], [], "m on test: 0 of 70 faces wrong")
    assert "None to show" in {text.get_text() for text in drawn.axes[0].texts}
    assert (pixels(drawn) < 100).any()


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_comparison_holds_models_at_the_ends_of_the_scale(accuracy):
    split = {
        "macro_f1": accuracy,
        "accuracy": accuracy,
        "intervals": {key: [max(0, accuracy - 0.1), min(1, accuracy + 0.1)] for key in ("accuracy", "macro_f1")},
    }
    drawn = figures.comparison([{"architecture": "m", "validation": split, "test": split}], "t")
    for axes in drawn.axes:
        low, high = axes.get_xlim()
        assert 0 <= low <= accuracy <= high <= 1


def test_drawing_never_loads_pyplot():
    code = "import sys, ferline.evaluation.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_save_writes_a_png(tmp_path: Path):
    figures.save(figures.confusion(COUNTS, EMOTIONS, "t"), tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height
