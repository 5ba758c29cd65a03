"""Learning rates against torch's own schedulers, and the optimisers that params.yaml names."""

import pytest
import torch

from ferline.params import TrainingParams
from ferline.training.progress import Progress
from ferline.training.schedule import learning_rate, optimiser


def params(**changes) -> TrainingParams:
    return TrainingParams(**{"epochs": 12, "batch_size": 4, "learning_rate": 0.1, **changes})


def rates(own: TrainingParams, losses: list[float]) -> list[float]:
    history = [{"validation_loss": loss} for loss in losses]
    return [learning_rate(own, epoch, history[:epoch]) for epoch in range(own.epochs)]


def torch_rates(scheduler, losses: list[float] | None = None, epochs: int = 12) -> list[float]:
    found = []
    for epoch in range(epochs):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step(*([losses[epoch]] if losses else []))
    return found


@pytest.fixture
def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)


def test_plateau_is_torchs(sgd):
    losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.85, 0.85, 0.85, 0.85, 0.85]
    expected = torch_rates(torch.optim.lr_scheduler.ReduceLROnPlateau(sgd, patience=3, factor=0.1), losses)
    assert rates(params(schedule="plateau", schedule_patience=3), losses) == pytest.approx(expected)
    assert min(expected) < 0.1


def test_cosine_is_torchs(sgd):
    expected = torch_rates(torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=12))
    assert rates(params(schedule="cosine"), [1.0] * 12) == pytest.approx(expected)


def test_step_is_torchs(sgd):
    expected = torch_rates(torch.optim.lr_scheduler.StepLR(sgd, step_size=5, gamma=0.1))
    assert rates(params(schedule="step", schedule_step=5), [1.0] * 12) == pytest.approx(expected)


def test_warmup_rises_to_the_full_rate():
    found = rates(params(warmup_epochs=3), [1.0] * 12)
    assert found[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert set(found[3:]) == {0.1}


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimiser_lowers_a_loss_and_leaves_frozen_weights(name):
    torch.manual_seed(0)
    free, frozen = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3), requires_grad=False)
    steps = optimiser([free, frozen], params(optimiser=name, learning_rate=0.01, momentum=0.5))
    for _ in range(20):
        steps.zero_grad()
        (free.square().sum() + frozen.sum()).backward()
        steps.step()
    assert free.square().sum() < 2.9
    assert torch.equal(frozen, torch.ones(3))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_first_step_that_is_left_out_leaves_nothing_behind(name):
    """A scaled loss is often infinite at first. torch's fused SGD went on from a momentum that was never written."""
    own = params(optimiser=name, learning_rate=0.01, momentum=0.9)
    weights = []
    for gradients in ([float("inf"), 1.0, 1.0], [1.0, 1.0]):
        weight = torch.nn.Parameter(torch.ones(4096))
        steps, scaler = optimiser([weight], own, scaled=True), torch.amp.GradScaler("cpu", init_scale=4.0)
        for gradient in gradients:
            torch.full((4096,), 1e30).mul_(2)  # what freed memory holds
            steps.zero_grad()
            scaler.scale((weight * gradient).sum()).backward()
            scaler.step(steps)
            scaler.update()
        weights.append(weight.detach())
    torch.testing.assert_close(*weights)


@pytest.mark.parametrize(("grow_from", "epochs"), [(0, 3), (32, 8)])
def test_epochs_of_smaller_faces_are_no_time_to_give_up(grow_from: int, epochs: int) -> None:
    """Nothing gets better after the first of 12 epochs, of which half may be of smaller faces; two are waited for."""
    own = params(early_stopping=2, grow_from=grow_from, grow_for=0.5)
    progress = Progress(own, torch.device("cpu"))
    while not progress.over:
        progress.finish({"validation_accuracy": -float(len(progress.history))}, {})
    assert len(progress.history) == epochs
