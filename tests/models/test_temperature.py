"""Temperature scaling against a model whose temperature is known, a grid, and torch's own minimiser."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from ferline.models.svm import ABSENT
from ferline.models.temperature import LEAST, MOST, fit, fit_shares, probabilities


def model(temperature: float, faces: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `temperature` times as large as they ought to be, and labels drawn from what they ought to be."""
    random = np.random.default_rng(5)
    honest = 1.5 * random.normal(size=(faces, 7))
    shares = probabilities(honest, 1.0)
    return temperature * honest, (shares.cumsum(axis=1) > random.random((faces, 1))).argmax(axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 6.0])
def test_a_known_temperature_is_found(temperature):
    assert fit(*model(temperature, faces=40_000)) == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_no_temperature_of_a_fine_grid_has_less_loss(temperature):
    logits, labels = model(temperature)
    grid = np.exp(np.linspace(np.log(LEAST), np.log(MOST), 300))
    losses = [log_loss(labels, probabilities(logits, each)) for each in grid]
    found = fit(logits, labels)
    assert found == pytest.approx(grid[np.argmin(losses)], rel=1e-2)
    assert log_loss(labels, probabilities(logits, found)) <= min(losses) + 1e-12


def test_it_is_what_torchs_lbfgs_finds():
    logits, labels = model(2.5)
    log_temperature = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        scaled = torch.from_numpy(logits) / log_temperature.exp()
        found = torch.nn.functional.cross_entropy(scaled, torch.from_numpy(labels))
        found.backward()
        return found

    for _ in range(3):
        optimiser.step(loss)
    assert fit(logits, labels) == pytest.approx(log_temperature.exp().item(), rel=1e-5)


def test_every_answer_stays_what_it_was_and_confidence_becomes_true():
    logits, labels = model(4.0)
    raw, calibrated = probabilities(logits, 1.0), probabilities(logits, fit(logits, labels))
    assert (raw.argmax(axis=1) == calibrated.argmax(axis=1)).all()
    accuracy = (raw.argmax(axis=1) == labels).mean()
    assert raw.max(axis=1).mean() > accuracy + 0.2
    assert calibrated.max(axis=1).mean() == pytest.approx(accuracy, abs=0.03)


@pytest.mark.parametrize("shift", [0, 1])
def test_where_no_answer_is_wrong_or_none_right_the_temperature_is_one(shift):
    labels = np.arange(70) % 7
    assert fit(3 * np.eye(7)[(labels + shift) % 7], labels) == 1.0


def test_a_model_that_knows_nothing_is_made_as_unsure_as_allowed():
    random = np.random.default_rng(0)
    assert fit(50 * random.normal(size=(700, 7)), random.integers(0, 7, 700)) == pytest.approx(MOST, rel=1e-3)


def test_an_emotion_that_the_model_never_met_does_not_decide():
    logits, labels = model(2.5)
    logits[:, 6] = ABSENT
    known = labels != 6
    assert (~known).any()
    assert fit(logits, labels) == fit(logits[known], labels[known]) < 5
    assert fit(logits[~known], labels[~known]) == 1.0


def test_probabilities_sum_to_one_in_float64_however_large_the_logits():
    shares = probabilities(np.array([[1e5, 0, -1e5], [3, 3, 3]], np.float32), 0.1)
    assert shares.dtype == np.float64
    np.testing.assert_allclose(shares, [[1, 0, 0], [1 / 3] * 3], atol=1e-15)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_of_people_who_disagree_the_temperature_is_that_of_their_shares(temperature):
    """Also of the faces without a majority, whose sharpest answer would be wrong."""
    honest = np.random.default_rng(5).normal(size=(1500, 7))
    shares = probabilities(honest, 1.0)
    assert (shares.max(axis=1) <= 0.5).mean() > 0.5
    assert fit_shares(temperature * honest, shares) == pytest.approx(temperature, rel=1e-4)
    told = probabilities(temperature * honest, fit_shares(temperature * honest, shares))
    np.testing.assert_allclose(told, shares, atol=1e-4)


def test_one_hot_shares_are_labels():
    logits, labels = model(2.5)
    assert fit_shares(logits, np.eye(7)[labels]) == pytest.approx(fit(logits, labels), rel=1e-9)


def test_where_nobody_voted_the_temperature_is_one():
    assert fit_shares(np.empty((0, 8)), np.empty((0, 8))) == 1.0
    assert fit_shares(np.eye(8), np.zeros((8, 8))) == 1.0


def test_faces_that_nobody_voted_on_do_not_count():
    shares = probabilities(np.random.default_rng(5).normal(size=(50, 8)), 1.0)
    logits = np.log(shares) * 2
    unasked = np.concatenate([shares, np.zeros_like(shares)]), np.concatenate([logits, -logits])
    assert fit_shares(unasked[1], unasked[0]) == pytest.approx(fit_shares(logits, shares), rel=1e-9)
