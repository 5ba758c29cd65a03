"""Which line is a drift: significant, and large enough to count."""

import numpy as np
import pandas as pd
import pytest

from ferline.drift.judge import DRIFT, NONE, SMALL, judge
from ferline.drift.limits import QUANTITIES
from ferline.drift.measure import Measured


def lines(reference: Measured, new: Measured, fair: np.ndarray | None = None, level: float = 0.01, people: bool = True):
    fair = np.ones(len(reference.table), bool) if fair is None else fair
    verdict = judge(reference, new, fair, level, 0, people)
    return verdict, {line.name: line for line in verdict.lines}


def test_every_quantity_has_its_line_and_nothing_drifts_where_nothing_changed(make_side):
    verdict, found = lines(make_side("a"), make_side("b", seed=1, people=15))
    assert list(found) == list(QUANTITIES)
    assert {line.verdict for line in found.values()} == {NONE}
    assert verdict.people == (30, 15)
    assert verdict.notes == []
    assert found["embedding"].reference is None
    assert found["brightness"].reference == pytest.approx(110, abs=6)
    assert found["predicted"].new["happy"] == pytest.approx(0.3, abs=0.1)
    assert (found["aspect"].p, found["aspect"].effect) == (1.0, 1.0)  # no factor at all


@pytest.mark.parametrize(
    ("shift", "line", "effect"),
    [
        ({"brightness": 40.0}, "brightness", 40),
        ({"sharpness": 0.5}, "sharpness", 2.0),
        ({"happy": 0.4}, "predicted", 0.4),
        ({"lost": 0.5}, "found", 0.5),
    ],
)
def test_a_change_is_found_in_its_line_and_in_no_other(make_side, shift, line, effect):
    _, found = lines(make_side("a"), make_side("b", seed=1, **shift))
    assert [name for name, each in found.items() if each.verdict == DRIFT] == [line]
    assert found[line].effect == pytest.approx(effect, rel=0.2)
    assert found[line].p_adjusted <= 0.01


def test_a_shift_of_the_embedding_alone_is_found(make_side):
    _, found = lines(make_side("a"), make_side("b", seed=1, features=1.5))
    assert [name for name, each in found.items() if each.verdict == DRIFT] == ["embedding"]
    assert found["embedding"].effect > 0.8


def test_a_significant_difference_that_is_too_small_is_no_drift(make_side):
    # 8 of 110 levels in 1,200 images of which each is its own witness
    reference, new = make_side("a", people=600, each=1), make_side("b", people=600, each=1, seed=1, brightness=8.0)
    _, found = lines(reference, new)
    assert found["brightness"].p_adjusted <= 0.01
    assert found["brightness"].verdict == SMALL


def test_a_large_difference_that_chance_would_make_is_no_drift(make_side):
    reference, new = make_side("a", people=8, each=3), make_side("b", people=8, each=3, seed=11, brightness=14.0)
    _, found = lines(reference, new)
    assert found["brightness"].effect > QUANTITIES["brightness"].least
    assert found["brightness"].verdict == NONE


def test_a_stricter_level_finds_less(make_side):
    reference, new = make_side("a", each=2), make_side("b", each=2, seed=1, brightness=15.0)
    assert lines(reference, new, level=0.2)[1]["brightness"].verdict == DRIFT
    assert lines(reference, new, level=0.001)[1]["brightness"].verdict == NONE


def test_people_who_differ_raise_alarms_only_where_they_are_not_kept_whole(make_side):
    alarms = {True: 0, False: 0}
    for seed in range(6):
        sides = (
            make_side("a", each=8, seed=seed, spread=3.0),
            make_side("b", people=12, each=8, seed=50 + seed, spread=3.0),
        )
        for people in alarms:
            alarms[people] += any(line.verdict != NONE for line in lines(*sides, people=people)[1].values())
    assert alarms[True] == 0
    assert alarms[False] >= 4


def test_what_the_model_was_trained_on_is_no_reference_for_its_answers(make_side):
    reference, new = make_side("a"), make_side("b", seed=1)
    fair = np.arange(len(reference.table)) >= 150
    reference.table.loc[~fair, "confidence"] = 0.99
    reference.table.loc[~fair, "brightness"] = 200.0
    _, found = lines(reference, new, fair)
    assert found["confidence"].verdict == NONE
    assert found["brightness"].verdict == DRIFT  # a picture is the same whether a model has seen it or not
    assert lines(reference, new)[1]["confidence"].verdict == DRIFT


def test_where_no_face_was_looked_for_nothing_is_said_of_faces_found(make_side):
    reference, new = make_side("a"), make_side("b", seed=1)
    new.table["found"], new.table["face_size"] = None, np.nan
    assert not {"found", "face_size"} & lines(reference, new)[1].keys()


def test_where_no_face_was_found_nothing_is_said_of_their_size(make_side):
    new = make_side("b", seed=1)
    new.table["found"], new.table["face_size"] = False, np.nan
    _, found = lines(make_side("a"), new)
    assert "face_size" not in found
    assert (found["found"].verdict, found["found"].new) == (DRIFT, 0.0)


def test_without_a_model_its_lines_are_missing_but_not_the_embedding(make_side):
    sides = make_side("a"), make_side("b", seed=1)
    for side in sides:
        side.table.drop(columns=["predicted", "confidence"], inplace=True)
    verdict, found = lines(*sides)
    assert list(found) == [name for name in QUANTITIES if name not in ("predicted", "confidence")]
    assert len(verdict.scores) == 600


def test_a_side_that_does_not_tell_its_people_is_named(make_side):
    new = make_side("b", seed=1)
    new.table["subject"] = pd.Series([None] * len(new.table), dtype=object)
    verdict, _ = lines(make_side("a"), new)
    assert verdict.people is None
    assert verdict.notes[0].startswith("b does not say who is in each of its images: images count as independent")


def test_too_few_people_are_named(make_side):
    verdict, _ = lines(make_side("a", people=6, each=20), make_side("b", people=3, each=20, seed=1))
    assert verdict.people is None
    assert verdict.notes[0].startswith("with 6 and 3 people on the two sides chance cannot be told from a drift")
