import json
from itertools import product

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from ferline.evaluation.significance import accuracy_interval, holm, mcnemar, pairs


def test_wilson_interval_against_its_closed_form():
    z, right, faces = 1.959963984540054, 8, 10
    share = right / faces
    centre = (share + z**2 / (2 * faces)) / (1 + z**2 / faces)
    half = z / (1 + z**2 / faces) * np.sqrt(share * (1 - share) / faces + z**2 / (4 * faces**2))
    assert accuracy_interval(right, faces) == pytest.approx((centre - half, centre + half), abs=1e-12)


@pytest.mark.parametrize("right", [0, 50])
def test_wilson_interval_at_the_ends_has_width_and_stays_a_share(right):
    low, high = accuracy_interval(right, 50)
    assert 0 <= low < high <= 1
    assert low <= right / 50 <= high


def test_mcnemar_by_hand():
    # 20 faces both get right, 9 only the first, 1 only the second: 2 * (C(10,0) + C(10,1)) / 2^10
    first = np.array([True] * 20 + [True] * 9 + [False])
    second = np.array([True] * 20 + [False] * 9 + [True])
    assert mcnemar(first, second) == pytest.approx(22 / 1024)
    assert mcnemar(second, first) == pytest.approx(22 / 1024)


def test_models_that_agree_on_every_face_are_not_told_apart():
    same = np.array([True, False, True])
    assert mcnemar(same, same) == 1.0


def test_mcnemar_needs_the_same_faces():
    with pytest.raises(ValueError, match="same faces"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))


def right_of(seed: int, share: float, faces: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).random(faces) < share


@pytest.mark.parametrize(("first", "second"), [(0.7, 0.6), (0.5, 0.5), (0.9, 0.3), (1.0, 0.98)])
def test_mcnemar_is_that_of_statsmodels(first, second):
    one, two = right_of(1, first), right_of(2, second)
    table = [[np.sum(one & two), np.sum(one & ~two)], [np.sum(~one & two), np.sum(~one & ~two)]]
    assert mcnemar(one, two) == pytest.approx(reference_mcnemar(table, exact=True).pvalue, abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0.7, 0.6), (0.9, 0.3), (1.0, 0.98)])
def test_with_a_face_each_people_change_nothing(first, second):
    one, two = right_of(1, first), right_of(2, second)
    assert mcnemar(one, two, np.arange(300)) == pytest.approx(mcnemar(one, two), abs=1e-12)


def test_the_faces_of_a_person_are_one_witness():
    """Every way to give the balances of 9 people a sign, counted one by one."""
    people = np.random.default_rng(3).integers(0, 9, 120)
    one, two = right_of(1, 0.8, 120), right_of(2, 0.6, 120)
    balance = np.array([(one[people == n].sum() - two[people == n].sum()) for n in range(9)])
    sums = np.array(list(product([-1, 1], repeat=9))) @ balance
    assert mcnemar(one, two, people) == pytest.approx((abs(sums) >= abs(balance.sum())).mean())
    assert mcnemar(one, two, np.zeros(120, int)) == 1.0, "of one person nothing can be said"


def test_two_equally_good_models_are_told_apart_once_in_twenty_though_people_are_alike():
    """28 faces of each of 12 people, of whom either model finds some easy: face by face a quarter would be apart."""
    random, people = np.random.default_rng(0), np.repeat(np.arange(12), 28)
    together, one_by_one = [], []
    for _ in range(400):
        easy = [1 / (1 + np.exp(-(0.8 + 0.7 * random.normal(size=12))))[people] for _ in range(2)]
        one, two = (random.random(len(people)) < each for each in easy)
        together.append(mcnemar(one, two, people) < 0.05)
        one_by_one.append(mcnemar(one, two) < 0.05)
    assert np.mean(together) < 0.08
    assert np.mean(one_by_one) > 0.15


@pytest.mark.parametrize("count", [1, 2, 3, 10, 45])
def test_holm_is_that_of_statsmodels(count):
    p = np.random.default_rng(count).random(count) ** 3
    p[: count // 3] = p[-1]  # ties
    assert holm(list(p)) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_pairs_are_all_twos_in_order_with_counts_and_adjusted_ps():
    answers = {"a": right_of(1, 0.7), "b": right_of(2, 0.6), "c": right_of(3, 0.5)}
    found = pairs(answers)
    assert [(pair["first"], pair["second"]) for pair in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    for pair in found:
        first, second = answers[pair["first"]], answers[pair["second"]]
        assert pair["only_first"] - pair["only_second"] == first.sum() - second.sum()
        assert pair["only_first"] + pair["only_second"] == (first != second).sum()
        assert pair["p"] == mcnemar(first, second)
    assert [pair["p_adjusted"] for pair in found] == holm([pair["p"] for pair in found])
    assert json.loads(json.dumps(found)) == found


def test_one_model_makes_no_pairs():
    assert pairs({"a": right_of(1, 0.7)}) == []


def test_pairs_need_the_same_faces():
    with pytest.raises(ValueError, match="same faces"):
        pairs({"a": np.ones(3, bool), "b": np.ones(4, bool)})
