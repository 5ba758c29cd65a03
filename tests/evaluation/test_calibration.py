"""Calibration against torchmetrics and scikit-learn, and against bins worked by hand."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torchmetrics.functional.classification import multiclass_calibration_error
from torchmetrics.functional.classification.calibration_error import _ce_compute

from ferline.evaluation.calibration import BINS, bins, brier, ece, measures


def random_case(faces: int = 700) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    labels = random.integers(0, 7, faces)
    exponentials = np.exp(2 * (random.normal(size=(faces, 7)) + np.eye(7)[labels]))
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True)


def told(confidence: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Faces of class 0 or 2 among five, all told as 0 with these confidences."""
    rest = (1 - np.array(confidence)) / 4
    return np.where(right, 0, 2), np.column_stack([confidence, *[rest] * 4])


@pytest.mark.parametrize("count", [5, 10, 15, 40])
def test_ece_is_that_of_torchmetrics(count):
    labels, probabilities = random_case()
    found, shares, truth = ece(labels, probabilities, count), torch.from_numpy(probabilities), torch.from_numpy(labels)
    in_float32 = multiclass_calibration_error(shares, truth, num_classes=7, n_bins=count, norm="l1")
    assert found == pytest.approx(float(in_float32), abs=1e-6)
    confidence, predicted = shares.max(dim=1)
    in_float64 = _ce_compute(confidence, (predicted == truth).double(), count, norm="l1")
    assert found == pytest.approx(float(in_float64), abs=1e-12)


def test_brier_and_log_loss_are_those_of_scikit_learn():
    labels, probabilities = random_case()
    expected = reference.brier_score_loss(labels, probabilities, scale_by_half=False)
    assert brier(labels, probabilities) == pytest.approx(expected, abs=1e-12)
    found = measures(labels, probabilities)
    assert found == pytest.approx(
        {"ece": ece(labels, probabilities), "brier": expected, "log_loss": reference.log_loss(labels, probabilities)},
        abs=1e-12,
    )


def test_an_emotion_without_faces_is_no_obstacle():
    labels, probabilities = random_case()
    there = labels != 1
    found = measures(labels[there], probabilities[there])
    expected = reference.log_loss(labels[there], probabilities[there], labels=range(7))
    assert found["log_loss"] == pytest.approx(expected, abs=1e-12)


def test_ece_by_hand():
    # Of 4 faces told with 0.9, 2 are right: 0.4 off. Of 6 told with 0.6, 3: 0.1 off.
    labels, probabilities = told([0.9] * 4 + [0.6] * 6, [True, True, False, False] + [True, False] * 3)
    assert ece(labels, probabilities, 10) == pytest.approx(0.4 * 0.4 + 0.6 * 0.1)


def test_the_worst_brier_is_two_and_the_best_zero():
    assert brier(np.array([0, 0]), np.eye(7)[[1, 2]]) == 2
    assert brier(np.array([1, 2]), np.eye(7)[[1, 2]]) == 0


def test_certainty_has_its_place_in_the_last_bin_and_a_bins_upper_end_in_the_bin():
    labels, probabilities = told([1.0, 0.75, 0.76, 0.5, 0.51], [True] * 5)
    found = {each["high"]: each["faces"] for each in bins(labels, probabilities, 4)}
    assert found == {0.25: 0, 0.5: 1, 0.75: 2, 1.0: 2}


def test_bins_say_what_is_in_them_and_make_up_the_ece():
    labels, probabilities = random_case()
    found = bins(labels, probabilities)
    assert len(found) == BINS
    assert [found[0]["low"], found[-1]["high"]] == [0, 1]
    assert all(first["high"] == second["low"] for first, second in pairwise(found))
    filled = [each for each in found if each["faces"]]
    assert sum(each["faces"] for each in filled) == 700
    for each in filled:
        assert each["low"] < each["confidence"] <= each["high"]
    off = sum(each["faces"] * abs(each["confidence"] - each["accuracy"]) for each in filled) / 700
    assert off == pytest.approx(ece(labels, probabilities), abs=1e-12)


def test_an_empty_bin_has_no_numbers():
    labels, probabilities = random_case()
    lowest = bins(labels, probabilities)[0]
    assert lowest == {"low": 0.0, "high": 1 / 15, "faces": 0, "confidence": None, "accuracy": None}


def test_float32_probabilities_measure_as_their_float64_selves():
    labels, probabilities = random_case()
    single = measures(labels, probabilities.astype(np.float32))
    assert single == pytest.approx(measures(labels, probabilities), abs=1e-6)
