"""Champion and candidate on the same faces: which faces, and how the difference is judged."""

from collections.abc import Iterator

import numpy as np
import pytest
from promoting import World, changed, judged, trained, world_in
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from ferline.evaluation.bootstrap import difference
from ferline.faces.resize import resize
from ferline.params import InputParams
from ferline.promotion import comparison
from ferline.promotion.comparison import RESAMPLES, SEED, reign


@pytest.fixture(scope="module")
def world(tmp_path_factory, faces_in) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("world"), faces_in) as made:
        yield made


@pytest.fixture(scope="module")
def champion(world):
    return world.crown(world.policy())


def right(model, faces) -> np.ndarray:
    rows = faces.rows("test")
    return model.predict(faces.images[rows]).argmax(axis=1) == faces.labels[rows]


def test_both_are_scored_on_the_faces_that_neither_has_seen(world, champion):
    """40 of the champion's training faces are in today's test: they are left out for the candidate too."""
    train = world.faces.rows("train")[:40]
    mixed = changed(world.faces, split=world.faces.table["split"].where(~world.faces.table.index.isin(train), "test"))
    found = reign(champion, world.second, mixed, world.policy()).comparison
    assert (found.faces, found.left_out) == (70, 40)
    assert found.champion == pytest.approx(right(world.first, world.faces).mean())
    assert found.candidate == pytest.approx(right(world.second, world.faces).mean())


def test_faces_that_only_the_candidate_has_seen_are_left_out_too(world, champion, faces_in, tmp_path):
    """The champion comes from other images; of today's test the candidate was trained on 40."""
    other = faces_in(tmp_path, train=140, test=70, seed=5)
    train = other.rows("train")[:40]
    mixed = changed(other, split=other.table["split"].where(~other.table.index.isin(train), "test"))
    candidate = trained(other, epochs=1)
    assert not world.first.has_seen(other.table["sha256"]).any()
    found = reign(champion, candidate, mixed, world.policy()).comparison
    assert (found.faces, found.left_out) == (70, 40)


def test_with_under_twenty_new_faces_nothing_is_compared(world, champion):
    test = world.faces.rows("test")
    few = changed(
        world.faces, split=world.faces.table["split"].where(~world.faces.table.index.isin(test[19:]), "train")
    )
    train = world.faces.rows("train")[:5]
    few = changed(few, split=few.table["split"].where(~few.table.index.isin(train), "test"))
    met = reign(champion, world.second, few, world.policy())
    assert (met.outcome, met.comparison) == ("seen", None)
    assert "of today's 24 test faces it was trained on 5 and the candidate on 5, which leaves 19" in met.problem


def test_a_small_test_set_is_enough_where_all_of_it_is_new(world, champion):
    test = world.faces.rows("test")
    few = changed(world.faces, split=world.faces.table["split"].where(~world.faces.table.index.isin(test[7:]), "train"))
    assert reign(champion, world.second, few, world.policy()).comparison.faces == 7


def test_the_metric_is_the_one_that_models_are_chosen_by(world, champion):
    found = reign(champion, world.second, world.faces, world.policy(select_by="macro_f1")).comparison
    rows = world.faces.rows("test")
    scores = [
        f1_score(world.faces.labels[rows], each.predict(world.faces.images[rows]).argmax(axis=1), average="macro")
        for each in (world.first, world.second)
    ]
    assert (found.metric, found.champion, found.candidate) == ("macro_f1", *map(pytest.approx, scores))
    assert found.gain == pytest.approx(scores[1] - scores[0])


def test_people_are_drawn_whole(world, champion):
    """All that the candidate gains is one person's faces: by faces it is certain, by people it is not."""
    faces = judged(world.faces, world.first, world.second, lost=0, won=10)
    rows = faces.rows("test")
    gained = rows[right(world.second, faces) & ~right(world.first, faces)]
    one = changed(faces)
    one.table["subject"] = [f"p{row % 10}" for row in range(len(faces))]
    one.table.loc[gained, "subject"] = "she"
    found = reign(champion, world.second, one, world.policy()).comparison
    answers = [each.predict(faces.images[rows]) for each in (world.second, world.first)]
    given = (faces.emotions, one.table["subject"].to_numpy()[rows], "accuracy", 0.0, RESAMPLES, SEED)
    assert found.p == difference(faces.labels[rows], *answers, *given).p
    assert found.p == pytest.approx((1 - 1 / 11) ** 11, abs=0.03), "as often as she is drawn not once of 11 times"
    unnamed = changed(faces)
    unnamed.table["subject"] = None
    assert reign(champion, world.second, unnamed, world.policy()).comparison.p < 0.001


def test_three_people_who_all_gain_are_no_proof(world, champion):
    """By a coin's throw all three gain once in eight times, whatever a thousand resamples of them say."""
    faces = changed(judged(world.faces, world.first, world.second, lost=0, won=10))
    rows = faces.rows("test")
    gained = rows[right(world.second, faces) & ~right(world.first, faces)]
    faces.table["subject"] = [f"p{row % 3}" for row in range(len(faces))]
    faces.table.loc[gained, "subject"] = [f"p{number % 3}" for number in range(len(gained))]
    assert reign(champion, world.second, faces, world.policy()).comparison.p == 0.125


def test_mcnemar_counts_the_faces_that_one_alone_gets_right(world, champion):
    faces = changed(judged(world.faces, world.first, world.second, lost=2, won=9))
    faces.table["subject"] = None
    found = reign(champion, world.second, faces, world.policy(significance="mcnemar")).comparison
    assert (found.significance, found.p) == ("mcnemar", pytest.approx(binomtest(9, 11).pvalue))
    faces.table["subject"] = "she"
    found = reign(champion, world.second, faces, world.policy(significance="mcnemar")).comparison
    assert found.p == 1.0, "all of them are one person's"


def test_the_minimum_gain_is_part_of_the_question(world, champion):
    """Ten faces more of 70 are surely more than none, and as surely no more than a fifth."""
    faces = judged(world.faces, world.first, world.second, lost=0, won=10)
    ps = [reign(champion, world.second, faces, world.policy(min_gain=gain)).comparison.p for gain in (0.0, 0.2)]
    assert ps[0] < 0.05 < 0.5 < ps[1]


@pytest.mark.parametrize("channels", [1, 3])
def test_faces_are_given_at_the_models_own_size_a_batch_at_a_time(world, faces_in, tmp_path, monkeypatch, channels):
    monkeypatch.setattr(comparison, "BATCH", 16)
    large = faces_in(tmp_path, side=80, channels=channels)
    small = resize(large, InputParams(48, 1))
    rows = large.rows("test")
    calls: list[int] = []
    found = comparison._answers(world.first, large, rows, lambda: calls.append(1))
    assert len(calls) == 2, "28 faces in batches of 16: the lock is renewed after each"
    assert np.array_equal(found, world.first.predict(small.images[rows], batch_size=16))
