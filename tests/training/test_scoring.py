"""The scores by which epochs are compared are those of scikit-learn."""

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, log_loss

from ferline.training.scoring import scores

CLASSES = 8


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("there", [(0,), (2, 5), (0, 1, 2, 3, 4, 5, 6), tuple(range(CLASSES))], ids=str)
def test_they_are_scikit_learns(there: tuple[int, ...], seed: int) -> None:
    """Whichever classes nobody shows, and whichever are told all the same or never."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor(there)[torch.randint(len(there), (40,), generator=generator)]
    logits = torch.randn(40, CLASSES, generator=generator)
    logits[:, seed % CLASSES] += 2.0 * (seed % 3)
    predicted = logits.argmax(1)
    found = scores(logits, labels)
    f1 = f1_score(labels, predicted, labels=labels.unique(), average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(f1, abs=1e-12)
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    shares = logits.double().softmax(1)
    assert found["loss"] == pytest.approx(log_loss(labels, shares, labels=range(CLASSES)), rel=1e-5)


def test_all_right_is_one_and_all_wrong_is_nought() -> None:
    logits = torch.eye(CLASSES)
    assert scores(logits, torch.arange(CLASSES))["macro_f1"] == 1
    assert scores(logits, torch.arange(CLASSES).roll(1))["macro_f1"] == 0
