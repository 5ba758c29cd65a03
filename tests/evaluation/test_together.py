"""Whose face it is: what intervals and tests keep together."""

import numpy as np
import pandas as pd
import pytest

from ferline.evaluation.bootstrap import numbered, weights
from ferline.evaluation.predictions import arrays_of, drawn_by, together
from ferline.evaluation.scores import scores_of
from ferline.params import EvaluationParams

NOBODY = [None] * 4


@pytest.mark.parametrize(
    ("subject", "sequence", "same", "by"),
    [
        (["a", "a", "b", "b"], ["1", "2", "3", "4"], [0, 0, 1, 1], "subject"),
        (NOBODY, ["1", "1", "2", "2"], [0, 0, 1, 1], "sequence"),
        (["a", "a", None, None], ["1", "2", "1", "1"], [0, 0, 1, 1], "subject"),  # video 1 of nobody's name
        (["1", None, None, None], [None, "1", "1", None], [0, 1, 1, 2], "subject"),  # person 1 is not video 1
        (
            ["1", np.nan, np.nan, np.nan],
            [np.nan, "1", "1", np.nan],
            [0, 1, 1, 2],
            "subject",
        ),  # as some readers say None
        (NOBODY, NOBODY, [0, 1, 2, 3], "face"),
    ],
)
def test_people_are_together_and_where_nobody_is_named_videos(subject, sequence, same, by):
    table = pd.DataFrame({"subject": subject, "sequence": sequence})
    found = numbered(together(table), 4)
    assert [found.tolist().index(each) for each in found] == [same.index(each) for each in same]
    assert drawn_by(table) == by


def test_predictions_that_know_no_videos_are_read_too():
    table = pd.DataFrame({"subject": ["a", "a", None]})
    assert numbered(together(table), 3).tolist() == [0, 0, 1]
    assert together(table.drop(columns="subject")) is None


def test_an_interval_over_frames_of_videos_is_wider_than_over_as_many_pictures():
    """20 videos of 30 frames, each told all right or all wrong."""
    right = np.repeat(np.arange(20) % 4 > 0, 30)
    label = np.arange(600) % 2
    table = pd.DataFrame({"subject": None, "sequence": np.repeat([f"v{n}" for n in range(20)], 30), "label": label})
    table["predicted"] = np.where(right, label, 1 - label)
    table[["p_a", "p_b"]] = np.eye(2)[table["predicted"]]
    params = EvaluationParams(resamples=400)

    def width(of: pd.DataFrame) -> float:
        low, high = scores_of(of, ("a", "b"), params)["intervals"]["accuracy"]
        return high - low

    assert width(table) > 4 * width(table.assign(sequence=None))
    _, _, groups = arrays_of(table, ("a", "b"))
    drawn = weights(groups, 600, 50, seed=0)
    assert (drawn.reshape(50, 20, 30) == drawn.reshape(50, 20, 30)[:, :, :1]).all()
