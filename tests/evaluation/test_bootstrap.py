"""The bootstrap against faces written out as often as they were drawn, and against how often its intervals hold."""

import tracemalloc

import numpy as np
import pytest
from sklearn import metrics as reference

from ferline.emotions import EMOTIONS
from ferline.evaluation import weighted
from ferline.evaluation.bootstrap import (
    Answers,
    difference,
    interval,
    intervals,
    mean_intervals,
    resampled,
    weights,
)
from ferline.evaluation.metrics import score
from ferline.evaluation.significance import accuracy_interval

SURE = np.eye(7)


def random_case(faces: int, classes: tuple[int, ...] = tuple(range(7)), seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.choice(classes, faces)
    exponentials = np.exp(random.normal(size=(faces, 7)) + 1.2 * np.eye(7)[labels])
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True)


def in_eighths(probabilities: np.ndarray) -> np.ndarray:
    """Many faces of one probability; each row still sums to 1, without rounding."""
    rounded = np.floor(probabilities * 8)
    rounded[np.arange(len(rounded)), rounded.argmax(axis=1)] += 8 - rounded.sum(axis=1)
    return rounded / 8


def people(faces: int, count: int) -> np.ndarray:
    return np.array([f"person {number}" for number in np.random.default_rng(1).integers(0, count, faces)], object)


def flat(scores: dict) -> dict[str, float]:
    """Every single number, NaN for None, those of one emotion as "recall/angry"."""
    found = {name: value for name, value in scores.items() if name != "faces" and isinstance(value, float | None)}
    for emotion, numbers in scores["per_class"].items():
        found |= {f"{name}/{emotion}": value for name, value in numbers.items() if name != "support"}
    return {name: np.nan if value is None else value for name, value in found.items()}


CASES = {
    "by face": (*random_case(300), None),
    "by subject": (*random_case(300), people(300, 40)),
    "some without a name": (*random_case(300), np.where(np.arange(300) % 3, people(300, 20), None)),
    "ties": (random_case(300)[0], in_eighths(random_case(300)[1]), people(300, 40)),
    "an absent class": (*random_case(300, (0, 2, 3, 4, 6)), None),
    "rare classes": (*random_case(12), None),
    "one class": (*random_case(40, (4,)), None),
    "float32": (random_case(300)[0], random_case(300)[1].astype(np.float32), None),
    "sure": (random_case(60)[0], SURE[random_case(60, seed=4)[0]], people(60, 9)),
}


@pytest.mark.parametrize("case", CASES)
def test_each_resample_has_the_numbers_of_the_faces_written_out(case):
    labels, probabilities, groups = CASES[case]
    found = resampled(labels, probabilities, EMOTIONS, groups, 20, seed=2)
    for number, counts in enumerate(weights(groups, len(labels), 20, seed=2)):
        rows = np.repeat(np.arange(len(labels)), counts)
        expected = flat(score(labels[rows], probabilities[rows]))
        assert set(found) == set(expected)
        for name, value in expected.items():
            assert found[name][number] == pytest.approx(value, abs=1e-9, nan_ok=True), (name, number)


def test_the_numbers_are_those_of_scikit_learn_with_the_counts_as_weights():
    labels, probabilities, groups = CASES["ties"]
    predicted = probabilities.argmax(axis=1)
    found = resampled(labels, probabilities, EMOTIONS, groups, 25, seed=0)
    for number, counts in enumerate(weights(groups, len(labels), 25, seed=0)):
        drawn = {"sample_weight": counts.astype(float)}
        expected = {
            "accuracy": reference.accuracy_score(labels, predicted, **drawn),
            "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted, **drawn),
            "macro_f1": reference.f1_score(labels, predicted, average="macro", **drawn),
            "weighted_precision": reference.precision_score(labels, predicted, average="weighted", **drawn),
            "log_loss": reference.log_loss(labels, probabilities, **drawn),
            "macro_roc_auc": reference.roc_auc_score(labels, probabilities, multi_class="ovr", **drawn),
            "brier": reference.brier_score_loss(labels, probabilities, scale_by_half=False, **drawn),
            "roc_auc/sad": reference.roc_auc_score(labels == 4, probabilities[:, 4], **drawn),
        }
        assert {name: found[name][number] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_a_number_that_a_resample_cannot_have_is_nan_there_and_nowhere_else():
    labels = np.array([0] * 30 + [1])
    found = resampled(labels, SURE[labels], EMOTIONS, None, 300, seed=0)
    without = weights(None, 31, 300, seed=0)[:, 30] == 0
    assert 80 < without.sum() < 140, "(30/31)^31 = 36%"
    assert (np.isnan(found["recall/disgust"]) == without).all()
    assert (np.isnan(found["macro_roc_auc"]) == without).all()
    assert not np.isnan(found["macro_recall"]).any()


def test_people_are_drawn_whole_and_who_has_no_name_alone():
    groups = np.array(["ann", "bob", "ann", None, None, "bob", np.nan], object)
    counts = weights(groups, 7, 500, seed=0)
    assert (counts[:, 0] == counts[:, 2]).all()
    assert (counts[:, 1] == counts[:, 5]).all()
    singles = counts[:, [0, 1, 3, 4, 6]]
    assert (singles.sum(axis=1) == 5).all(), "as many people are drawn as there are"
    assert np.abs(np.corrcoef(singles.T.astype(float)) - np.eye(5)).max() < 0.45
    assert singles.mean() == 1


def test_of_faces_without_subjects_as_many_are_drawn_as_there_are():
    counts = weights(None, 60, 400, seed=0)
    assert (counts.sum(axis=1) == 60).all()
    assert counts.astype(float).var() == pytest.approx(1 - 1 / 60, abs=0.05)
    assert (weights(np.full(60, None), 60, 400, seed=0) == counts).all(), "all subjects null: by face"


def test_the_draw_follows_from_subjects_number_and_seed_alone():
    groups = people(200, 30)
    counts = weights(groups, 200, 50, seed=5)
    assert (weights(np.char.upper(groups.astype(str)).astype(object), 200, 50, seed=5) == counts).all()
    assert (weights(groups, 200, 50, seed=6) != counts).any()


def test_one_person_and_one_face_have_one_resample():
    assert (weights(np.array(["ann"] * 9, object), 9, 20, seed=0) == 1).all()
    assert (weights(None, 1, 20, seed=0) == 1).all()


def test_blocks_of_resamples_change_nothing(monkeypatch):
    labels, probabilities, groups = CASES["by subject"]
    whole = resampled(labels, probabilities, EMOTIONS, groups, 64, seed=0)
    monkeypatch.setattr(weighted, "BLOCK", 7 * len(labels))
    for name, values in resampled(labels, probabilities, EMOTIONS, groups, 64, seed=0).items():
        np.testing.assert_allclose(values, whole[name], rtol=0, atol=1e-12)


def test_a_test_set_as_large_as_fer2013s_stays_under_100_mb():
    labels, probabilities = random_case(3589)
    tracemalloc.start()
    resampled(labels, probabilities, EMOTIONS, None, 2000, seed=0)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100e6


def test_an_interval_is_the_middle_95_percent_of_what_is_known():
    drawn = np.random.default_rng(0).normal(size=999)
    assert interval(drawn) == pytest.approx(np.percentile(drawn, [2.5, 97.5]))
    assert interval(np.append(drawn, [np.nan] * 300)) == pytest.approx(np.percentile(drawn, [2.5, 97.5]))
    assert interval(drawn, 0.5) == pytest.approx(np.percentile(drawn, [25, 75]))
    assert interval(np.full(9, np.nan)) is None


def test_every_number_lies_in_its_interval():
    labels, probabilities, groups = CASES["by subject"]
    found = intervals(labels, probabilities, EMOTIONS, groups, 300, seed=0)
    expected = flat(score(labels, probabilities))
    assert set(found) == set(expected)
    assert all(low < expected[name] < high for name, (low, high) in found.items() if name != "ece")
    low, high = found["ece"]
    assert low - 1e-12 <= expected["ece"] <= high + 1e-12


def test_an_absent_class_has_no_interval():
    found = intervals(*CASES["an absent class"][:2], EMOTIONS, None, 200, seed=0)
    assert (found["recall/disgust"], found["precision/disgust"], found["f1/disgust"]) == (None, None, None)
    assert found["specificity/disgust"][0] > 0.5


def test_where_all_are_right_or_none_is_the_interval_is_wilsons():
    labels = np.array([3] * 20 + [4] * 5)
    found = intervals(labels, SURE[np.full(25, 3)], EMOTIONS, None, 200, seed=0)
    assert found["recall/happy"] == pytest.approx(accuracy_interval(20, 20))
    assert found["recall/sad"] == pytest.approx(accuracy_interval(0, 5))
    assert found["specificity/sad"] == pytest.approx(accuracy_interval(20, 20))
    assert 0.6 < found["accuracy"][0] < 20 / 25 < found["accuracy"][1] < 1
    assert intervals(labels, SURE[labels], EMOTIONS, None, 200, seed=0)["accuracy"][0] == pytest.approx(
        0.8668, abs=1e-4
    )


def test_where_all_are_right_no_number_is_surer_than_the_accuracy():
    labels = np.arange(70) % 7
    found = intervals(labels, SURE[labels], EMOTIONS, None, 200, seed=0)
    for name in ("macro_f1", "balanced_accuracy", "macro_recall", "weighted_f1"):
        assert found[name] == found["accuracy"] == pytest.approx(accuracy_interval(70, 70))
    assert found["f1/happy"] == pytest.approx(accuracy_interval(10, 10))


def test_by_subject_an_interval_holds_as_often_as_it_says_and_by_face_it_does_not():
    """40 people with a chance of their own around 0.7, 20 faces each; drawn by face, they pass for 800 witnesses."""
    held = {"by subject": 0, "by face": 0}
    for world in range(300):
        random = np.random.default_rng(world)
        chances, persons = random.beta(4.2, 1.8, 40), np.repeat(np.arange(40), 20)
        right = random.random(800) < chances[persons]
        for name, groups in (("by subject", persons.astype(object)), ("by face", None)):
            counts = weights(groups, 800, 300, seed=world)
            low, high = interval(counts @ right.astype(float) / counts.sum(axis=1))
            held[name] += low <= 0.7 <= high
    assert 0.90 < held["by subject"] / 300 < 0.99
    assert held["by face"] / 300 < 0.80


def test_of_a_calibrated_model_the_ece_interval_starts_at_zero_where_the_plain_one_never_does():
    held = plain = 0
    for world in range(60):
        random = np.random.default_rng(world)
        _, probabilities = random_case(500, seed=world)
        labels = (probabilities.cumsum(axis=1) > random.random((500, 1))).argmax(axis=1)
        low, high = intervals(labels, probabilities, EMOTIONS, None, 200, seed=world)["ece"]
        value = score(labels, probabilities)["ece"]
        assert low - 1e-12 <= value <= high + 1e-12
        held += low == 0
        plain += interval(resampled(labels, probabilities, EMOTIONS, None, 200, seed=world)["ece"])[0] < 0.01
    assert held >= 54
    assert plain == 0


def test_of_a_model_that_is_far_too_sure_the_ece_interval_stays_away_from_zero():
    labels, probabilities = random_case(600)
    sure = probabilities**4 / (probabilities**4).sum(axis=1, keepdims=True)
    low, high = intervals(labels, sure, EMOTIONS, None, 300, seed=0)["ece"]
    assert 0.1 < low < score(labels, sure)["ece"] < high < 0.5


def test_the_interval_of_a_mean_is_that_of_the_mean_in_every_draw():
    labels, first = random_case(200)
    second = random_case(200, seed=9)[1]
    members = [Answers(labels, first, None, 0), Answers(labels, second, None, 0)]
    found = mean_intervals(members, EMOTIONS, 250)
    drawn = [resampled(labels, each, EMOTIONS, None, 250, 0) for each in (first, second)]
    for name in ("accuracy", "macro_f1", "recall/sad", "log_loss"):
        expected = np.percentile((drawn[0][name] + drawn[1][name]) / 2, [2.5, 97.5])
        assert found[name] == pytest.approx(expected, abs=1e-12), name
    low, high = found["ece"]
    assert low <= np.mean([score(labels, each)["ece"] for each in (first, second)]) <= high


def two_models(faces: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and a model that is right where the other is and 40 faces more."""
    labels = random_case(faces)[0]
    right = np.arange(faces) % 2 == 0
    better = right | (np.arange(faces) % 10 == 1)
    return labels, SURE[np.where(better, labels, (labels + 1) % 7)], SURE[np.where(right, labels, (labels + 1) % 7)]


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "balanced_accuracy"])
def test_a_difference_is_that_of_the_scores_and_its_p_that_of_the_draws(metric):
    labels, better, worse = two_models()
    groups = people(400, 60)
    found = difference(labels, better, worse, EMOTIONS, groups, metric, 0.08, 40, seed=1)
    gains = []
    for counts in weights(groups, 400, 40, seed=1):
        rows = np.repeat(np.arange(400), counts)
        gains.append(score(labels[rows], better[rows])[metric] - score(labels[rows], worse[rows])[metric])
    assert found.gain == pytest.approx(score(labels, better)[metric] - score(labels, worse)[metric], abs=1e-12)
    assert (found.low, found.high) == pytest.approx(np.percentile(gains, [2.5, 97.5]), abs=1e-12)
    assert found.p == pytest.approx((1 + np.sum(np.array(gains) <= 0.08)) / 41)
    assert 0.03 < found.p < 0.5, "a gain of 0.1 with a doubt about 0.08"


def test_the_first_model_is_the_one_that_gains():
    labels, better, worse = two_models()
    forth = difference(labels, better, worse, EMOTIONS, None, "accuracy", 0.0, 400, seed=0)
    back = difference(labels, worse, better, EMOTIONS, None, "accuracy", 0.0, 400, seed=0)
    assert (forth.gain, forth.p) == pytest.approx((0.1, 1 / 401))
    assert (back.gain, back.p) == pytest.approx((-0.1, 1.0))
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low), abs=1e-12)


def test_models_that_answer_alike_gain_nothing():
    labels, better, _ = two_models()
    assert difference(labels, better, 0.9 * better + 0.1 / 7, EMOTIONS, None, "macro_f1", 0.0, 200, 0) == (0, 0, 0, 1.0)


def test_a_gain_of_exactly_the_least_gain_is_not_more_than_it():
    labels = np.zeros(100, int)
    first, second = SURE[np.where(np.arange(100) < 71, 0, 1)], SURE[np.where(np.arange(100) < 70, 0, 1)]
    one_more = difference(labels, first, second, EMOTIONS, np.full(100, "ann", object), "accuracy", 0.01, 200, 0)
    assert one_more.gain > 0.01, "by the last digit"
    assert one_more.p == 1.0


def test_a_difference_of_pairs_is_known_better_than_that_of_strangers():
    labels, better, worse = two_models()
    found = difference(labels, better, worse, EMOTIONS, None, "accuracy", 0.0, 400, seed=0)
    drawn = [
        resampled(labels, each, EMOTIONS, None, 400, seed)["accuracy"]
        for each, seed in ((better, 0), (worse, 0), (worse, 1))
    ]
    assert interval(drawn[0] - drawn[1]) == pytest.approx((found.low, found.high), abs=1e-12)
    low, high = interval(drawn[0] - drawn[2])
    assert high - low > 1.8 * (found.high - found.low)


def test_of_models_that_are_equally_good_few_are_called_better():
    """By subject: 30 people, to whom each of the two does unequally well."""
    called = 0
    for world in range(200):
        random = np.random.default_rng(world)
        persons, labels = np.repeat(np.arange(30), 10), random.integers(0, 7, 300)
        answers = [
            SURE[np.where(random.random(300) < random.beta(4, 2, 30)[persons], labels, (labels + 1) % 7)] for _ in "ab"
        ]
        called += difference(labels, *answers, EMOTIONS, persons.astype(object), "accuracy", 0.0, 200, world).p < 0.05
    assert called / 200 < 0.1


def test_a_metric_that_is_not_compared_is_refused():
    labels, better, worse = two_models()
    with pytest.raises(ValueError, match="unknown metric 'ece': one of accuracy, macro_f1, balanced_accuracy"):
        difference(labels, better, worse, EMOTIONS, None, "ece", 0.0, 200, 0)


def test_answers_to_other_faces_are_refused():
    labels, better, worse = two_models()
    with pytest.raises(ValueError, match="the same faces are needed for both, got 400 labels, 400 and 399 answers"):
        difference(labels, better, worse[:-1], EMOTIONS, None, "accuracy", 0.0, 200, 0)
