"""The statistics against scipy's and scikit-learn's, and their permutation p against the exact tests'."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge

from ferline.drift.shuffles import Sides, p_values
from ferline.drift.statistics import (
    DIRECTIONS,
    FOLDS,
    Classifier,
    auc,
    chi_square,
    kolmogorov_smirnov,
    moved,
    rate_gap,
    shares_moved,
)


def dealt(random: np.random.Generator, images: int) -> np.ndarray:
    new = random.random(images) < 0.4
    new[:2] = False, True
    return new


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_kolmogorov_smirnov_is_scipys_with_ties_and_with_gaps(decimals):
    random = np.random.default_rng(decimals)
    values = random.normal(size=300).round(decimals)
    values[5:25] = np.nan
    sides = np.stack([dealt(random, 300) for _ in range(7)])
    known = ~np.isnan(values)
    expected = [stats.ks_2samp(values[new & known], values[~new & known]).statistic for new in sides]
    assert kolmogorov_smirnov(values)(sides) == pytest.approx(expected, abs=1e-6)


def test_kolmogorov_smirnov_of_more_images_than_a_short_integer_counts():
    values = np.arange(40_000.0)
    assert kolmogorov_smirnov(values)((values >= 20_000)[None]) == pytest.approx([1.0])


def test_the_p_of_kolmogorov_smirnov_is_the_exact_tests():
    random = np.random.default_rng(5)
    values, new = random.normal(size=60), np.arange(60) < 25
    values[new] += 0.6
    exact = stats.ks_2samp(values[new], values[~new], method="exact").pvalue
    found = p_values({"ks": kolmogorov_smirnov(values)}, Sides.of(new, None), 20_000, 0)["ks"]
    assert 0.005 < exact < 0.2
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


def test_chi_square_is_scipys():
    random = np.random.default_rng(2)
    classes = random.choice(["angry", "happy", "sad"], 200, p=[0.2, 0.5, 0.3])
    new = dealt(random, 200)
    table = [[(classes[side] == name).sum() for name in ("angry", "happy", "sad")] for side in (new, ~new)]
    assert chi_square(classes)(new[None])[0] == pytest.approx(stats.chi2_contingency(table).statistic, rel=1e-5)


def test_the_p_of_a_rate_is_fishers():
    found = np.repeat([True, False, True, False], [38, 2, 31, 9])
    new = np.repeat([False, True], 40)
    exact = stats.fisher_exact([[38, 2], [31, 9]]).pvalue
    p = p_values({"rate": rate_gap(found)}, Sides.of(new, None), 20_000, 0)["rate"]
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


def test_the_classifiers_scores_are_those_of_ridge_regression_on_the_other_folds():
    random = np.random.default_rng(1)
    features = random.normal(size=(120, 5)) * [1, 5, 0.1, 2, 1]
    new = np.arange(120) < 50
    classifier = Classifier(features, Sides.of(new, None), seed=3)
    z = ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32)
    target = np.where(new, 1 / 50, -1 / 70)
    expected = np.empty(120)
    for fold in range(FOLDS):
        train = classifier.fold != fold
        scatter = ((z[train] - z[train].mean(axis=0)) ** 2).sum() / 5
        ridge = Ridge(alpha=scatter).fit(z[train], target[train])
        expected[~train] = (z[~train] - z[train].mean(axis=0)) @ ridge.coef_
    assert classifier.scores(new) == pytest.approx(expected, abs=1e-6)


def test_the_classifiers_statistic_is_the_gap_of_its_scores_for_any_dealing():
    random = np.random.default_rng(4)
    classifier = Classifier(random.normal(size=(80, 6)), Sides.of(np.arange(80) < 30, None), seed=0)
    sides = np.stack([dealt(random, 80) for _ in range(5)])
    scores = [classifier.scores(new) for new in sides]
    expected = [each[new].mean() - each[~new].mean() for each, new in zip(scores, sides, strict=True)]
    assert classifier.gap(sides) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_the_classifier_never_fits_a_person_that_it_scores():
    unit = np.repeat(np.arange(12), 5)
    classifier = Classifier(np.random.default_rng(0).normal(size=(60, 3)), Sides(unit >= 6, unit), seed=0)
    assert all(len(set(classifier.fold[unit == person])) == 1 for person in range(12))


def test_the_classifier_hears_a_quiet_direction():
    """What a kernel on distances misses: a hundredth of the features' variance, moved by one of its own spreads."""
    random = np.random.default_rng(0)
    features, new = random.normal(size=(400, 8)) * ([3] * 7 + [0.3]), np.arange(400) < 200
    features[new, 7] += 0.3
    sides = Sides.of(new, None)
    classifier = Classifier(features, sides, seed=0)
    assert p_values({"gap": classifier.gap}, sides, 199, 0)["gap"] == 1 / 200
    assert 0.7 < auc(classifier.scores(new), new) < 0.85


def test_of_many_features_the_strongest_directions_are_kept():
    random = np.random.default_rng(0)
    base, new = random.normal(size=(300, 4)), np.arange(300) < 150
    base[new, 0] += 1
    features = base @ random.normal(size=(4, DIRECTIONS + 50))
    classifier = Classifier(features, Sides.of(new, None), seed=0)
    assert classifier.values.shape == (300, DIRECTIONS)
    assert auc(classifier.scores(new), new) > 0.7


def test_features_that_say_nothing_tell_nobody_apart():
    new = np.arange(60) < 30
    classifier = Classifier(np.ones((60, 4)), Sides.of(new, None), seed=0)
    assert auc(classifier.scores(new), new) == 0.5
    assert p_values({"gap": classifier.gap}, Sides.of(new, None), 50, 0)["gap"] == 1.0


def test_a_shift_is_told_in_its_own_unit_and_so_is_a_wider_spread():
    ranks = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    values, new = 100 + 10 * np.tile(ranks, 2), np.arange(2000) < 1000
    assert moved(values + 15 * new, new) == pytest.approx(15)
    wider = np.where(new, 100 + 3 * (values - 100), values)
    assert np.median(wider[new]) == pytest.approx(np.median(wider[~new]))
    assert moved(wider, new) == pytest.approx(20 * np.sqrt(2 / np.pi), rel=0.01)


def test_shares_that_moved():
    classes, new = np.array(["happy"] * 6 + ["sad"] * 4 + ["happy"] * 3 + ["sad"] * 7), np.arange(20) >= 10
    assert shares_moved(classes, new) == pytest.approx(0.3)
