"""The pictures say the numbers they were given, and stand what is missing from them."""

import io

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from PIL import Image

from ferline.evaluation import figures
from ferline.evaluation.calibration import bins
from ferline.evaluation.figures_trust import SHOWN, reliability, slices


def diagram(sharpness: float, faces: int = 400) -> list[dict]:
    random = np.random.default_rng(0)
    exponentials = np.exp(sharpness * random.normal(size=(faces, 7)))
    return bins(random.integers(0, 7, faces), exponentials / exponentials.sum(axis=1, keepdims=True))


def group(name: str, faces: int = 90, recall: float | None = 0.6, interval: list[float] | None = None) -> dict:
    return {
        "name": name,
        "faces": faces,
        "accuracy": 0.7,
        "interval": interval,
        "macro_recall": recall,
        "macro_recall_interval": interval,
    }


GAP = {"macro_recall": 0.1, "interval": [0.0, 0.154], "p": 0.0412, "by_emotion": {}}
FOUND = [
    {
        "column": "face_size",
        "groups": [group("small", 1200, 0.5, [0.4, 0.6]), group("large", interval=[0.5, 0.7])],
        "gap": GAP,
    },
    {"column": "studio", "groups": [group("one", 4), group("two", 2, None)], "gap": None},
]


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figures.save(figure, file)
    return file.getvalue()


def drawn() -> dict[str, Figure]:
    return {
        "reliability": reliability(diagram(3), diagram(1), "m on test", 0.31, 0.04),
        "slices": slices(FOUND, "m on test"),
    }


@pytest.mark.parametrize("name", ["reliability", "slices"])
def test_each_is_a_picture_with_content_and_equal_bytes_for_equal_numbers(name):
    first = png(drawn()[name])
    shown = np.asarray(Image.open(io.BytesIO(first)).convert("L"))
    assert min(shown.shape) >= 200
    assert (shown < 100).mean() > 0.002
    assert (shown > 250).mean() > 0.1
    assert first == png(drawn()[name])


def test_reliability_shows_each_filled_bin_on_both_sides_and_its_faces():
    before, after = diagram(3), diagram(1)
    panels = drawn()["reliability"].axes
    assert [axes.get_title() for axes in panels[:2]] == ["As trained: ECE 0.310", "Calibrated: ECE 0.040"]
    for upper, lower, found in zip(panels[:2], panels[2:], (before, after), strict=True):
        filled = [each for each in found if each["faces"]]
        assert [bar.get_height() for bar in upper.patches] == [each["accuracy"] for each in filled]
        dots = upper.collections[1].get_offsets()
        assert np.asarray(dots).tolist() == [[each["confidence"], each["accuracy"]] for each in filled]
        assert [bar.get_height() for bar in lower.patches] == [each["faces"] for each in found]
        assert upper.get_lines()[0].get_xydata().tolist() == [[0, 0], [1, 1]]


def test_one_bin_is_enough_for_reliability():
    certain = bins(np.array([0, 1, 1]), np.eye(7)[[0, 1, 2]])
    assert len(png(reliability(certain, certain, "t", 1 / 3, 1 / 3))) > 10_000


def test_slices_name_columns_groups_and_gaps():
    left, right = drawn()["slices"].axes
    named = [label.get_text() for label in left.get_yticklabels()]
    assert named == ["face_size", "small, 1,200 faces", "large, 90 faces", "studio", "one, 4 faces", "two, 2 faces"]
    assert [text.get_text() for text in left.texts] == [
        "gap 0.100, 95% interval 0.000 to 0.154, p = 0.041",
        "too few faces or people to compare",
    ]
    assert [label.get_fontweight() for label in left.get_yticklabels()] == ["bold", *["normal"] * 2] * 2
    dots = [each.get_offsets().tolist()[0] for each in left.collections if isinstance(each, PathCollection)]
    assert dots == [[0.5, 1], [0.6, 2], [0.6, 4]], "the last group has no macro recall"
    assert len(right.collections) == len(left.collections) + 1


def test_of_hundreds_of_groups_the_largest_are_shown():
    many = [{"column": "town", "groups": [group(f"town {n}", faces=n + 1) for n in range(300)], "gap": None}]
    named = [label.get_text() for label in slices(many, "t").axes[0].get_yticklabels()]
    assert named[0] == "town (288 smaller groups left out)"
    assert len(named) == 1 + SHOWN
    assert named[1:] == [f"town {n}, {n + 1} faces" for n in range(288, 300)]
