import math

import numpy as np
import pandas as pd
import pytest

from ferline.drift.shuffles import BLOCK, Sides, needed, p_values, tells_people
from ferline.drift.statistics import kolmogorov_smirnov
from ferline.evaluation.significance import holm

NEW = np.repeat([False, True], [30, 12])
PEOPLE = pd.Series([f"p{number // 3}" for number in range(42)])


def test_a_dealing_keeps_every_person_whole_and_the_number_of_people():
    sides = Sides.of(NEW, PEOPLE)
    assert sides.units == (10, 4)
    dealt = np.concatenate(list(sides.shuffled(BLOCK + 3, seed=0)))
    assert dealt.shape == (BLOCK + 3, 42)
    of_people = dealt.reshape(len(dealt), 14, 3)
    assert (of_people == of_people[:, :, :1]).all()
    assert (of_people[:, :, 0].sum(axis=1) == 4).all()
    assert of_people[:, :, 0].mean(axis=0) == pytest.approx(np.full(14, 4 / 14), abs=0.09)


def test_without_people_each_image_is_dealt_by_itself():
    dealt = np.concatenate(list(Sides.of(NEW, None).shuffled(400, seed=0)))
    assert (dealt.sum(axis=1) == 12).all()
    assert abs(np.corrcoef(dealt[:, 0], dealt[:, 1])[0, 1]) < 0.2


def test_a_name_on_both_sides_is_two_units_and_an_image_of_nobody_is_one():
    subjects = pd.Series(["p0", "p0", None, "p0", None, None])
    sides = Sides.of(np.array([False, False, False, True, True, True]), subjects)
    assert sides.units == (2, 3)
    assert sides.unit[0] == sides.unit[1] != sides.unit[3]


def test_ways_to_deal_are_counted():
    assert Sides.of(NEW, PEOPLE).dealings() == pytest.approx(math.comb(14, 4))
    assert Sides.of(np.arange(4000) < 2000, None).dealings() > 1e300


def test_so_many_dealings_that_the_smallest_p_can_be_significant():
    count = needed(11, 0.01)
    assert holm([1 / (count + 1)] + [1.0] * 10)[0] < 0.01
    assert holm([1 / 501] + [1.0] * 10)[0] > 0.01


def test_p_is_the_share_of_dealings_that_are_as_far_apart():
    values = np.arange(8.0)
    new = values >= 4  # of 70 ways to deal 4 of 8, this one and its mirror image are as far apart as can be
    p = p_values({"ks": kolmogorov_smirnov(values)}, Sides.of(new, None), 20_000, seed=0)
    assert p["ks"] == pytest.approx(2 / 70, abs=0.004)


def test_equal_sides_are_never_significant():
    p = p_values({"ks": kolmogorov_smirnov(np.ones(42))}, Sides.of(NEW, PEOPLE), 99, seed=0)
    assert p == {"ks": 1.0}


def test_the_same_seed_gives_the_same_p():
    values = np.random.default_rng(3).normal(size=42)
    found = [p_values({"ks": kolmogorov_smirnov(values)}, Sides.of(NEW, PEOPLE), 200, seed)["ks"] for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_people_dealt_whole_keep_the_alarm_rate_and_images_by_themselves_do_not():
    """Ten images of each of 30 people who differ: the same people's images are no independent witnesses."""
    new, subjects = np.arange(300) >= 200, pd.Series(np.arange(300) // 10).astype(str)
    alarms = {"people": 0, "images": 0}
    for seed in range(60):
        random = np.random.default_rng(seed)
        statistic = kolmogorov_smirnov(np.repeat(random.normal(size=30), 10) + 0.5 * random.normal(size=300))
        for by, known in (("people", subjects), ("images", None)):
            alarms[by] += p_values({"ks": statistic}, Sides.of(new, known), 199, seed)["ks"] <= 0.05
    assert alarms["people"] <= 8  # 3 are expected; 9 or more in one of 250 such tests
    assert alarms["images"] >= 20


def test_a_side_tells_people_if_nearly_all_its_images_do():
    assert tells_people(pd.Series(["p"] * 9 + [None]))
    assert not tells_people(pd.Series(["p"] * 8 + [None] * 2))
