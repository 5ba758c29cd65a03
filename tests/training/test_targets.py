"""What is learnt from: labels of any number of classes, or the shares of people's votes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from ferline.augment.policy import AugmentationPolicy
from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, InputParams, TrainingParams
from ferline.training import losses
from ferline.training.batches import Batches
from ferline.training.loop import train

CPU = torch.device("cpu")
Make = Callable[..., FaceSet]


def certain(labels: np.ndarray) -> np.ndarray:
    return np.eye(7)[labels]


def doubtful(labels: np.ndarray) -> np.ndarray:
    """Six of ten for the label, four for the next emotion."""
    return 0.6 * np.eye(7)[labels] + 0.4 * np.eye(7)[(labels + 1) % 7]


def architecture(**training: object) -> ArchitectureParams:
    settings = {"epochs": 3, "batch_size": 16, "learning_rate": 3e-3, "device": "cpu", **training}
    return ArchitectureParams("cnn_lstm", InputParams(48, 1), TrainingParams(**settings), options={"width": 8})


def fitted(faces: FaceSet, **training: object) -> TrainedModel:
    given = architecture(**training)
    policy = AugmentationPolicy.write(given.augmentation, faces, given.input, given.training.seed)
    card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    return train("small", given, faces, policy, card=card)


def test_batches_give_labels_or_votes_and_always_know_the_labels(make_faces: Make) -> None:
    faces = make_faces(votes=doubtful)
    order = np.array([9, 0, 3])
    (_, labels), (_, votes) = (
        next(Batches(faces, "train", CPU, targets=kind).drawn(order, [range(3)])) for kind in ("label", "votes")
    )
    assert labels.tolist() == [2, 0, 3]
    assert votes.dtype == torch.float32
    np.testing.assert_allclose(votes.numpy(), doubtful(np.array([2, 0, 3])), rtol=1e-6)
    assert Batches(faces, "train", CPU, targets="votes").labels.tolist() == faces.labels[faces.rows("train")].tolist()


@pytest.mark.parametrize("change", [{}, {"label_smoothing": 0.1}, {"class_weights": "balanced"}])
def test_votes_that_all_agree_teach_what_labels_teach(make_faces: Make, change: dict[str, object]) -> None:
    faces = make_faces(train=73, votes=certain)  # 73: the classes are not of one size, so that weights matter
    by_label, by_votes = (fitted(faces, targets=targets, **change) for targets in ("label", "votes"))
    for one, other in zip(by_label.history, by_votes.history, strict=True):
        assert other == pytest.approx(one, rel=1e-3)
    np.testing.assert_allclose(by_votes.predict(faces.images[:20]), by_label.predict(faces.images[:20]), atol=1e-3)


def test_doubtful_votes_teach_doubt(make_faces: Make) -> None:
    faces = make_faces(train=280, votes=doubtful)
    model = fitted(faces, epochs=12, targets="votes", monitor="accuracy")
    rows = faces.rows("validation")
    probabilities = model.predict(faces.images[rows])
    assert (probabilities.argmax(1) == faces.labels[rows]).mean() > 0.8
    second = probabilities[np.arange(len(rows)), (faces.labels[rows] + 1) % 7]
    assert second.mean() == pytest.approx(0.4, abs=0.12)
    assert model.card["training"]["targets"] == "votes"


def test_a_face_on_which_nobody_voted_is_all_its_labels(make_faces: Make) -> None:
    faces = make_faces(votes=doubtful)
    faces.table.at[faces.rows("train")[5], "votes"] = None
    drawn = Batches(faces, "train", CPU, targets="votes").targets
    np.testing.assert_allclose(drawn[4].numpy(), doubtful(np.array([4]))[0], rtol=1e-6)
    assert drawn[5].tolist() == [0, 0, 0, 0, 0, 1, 0]


def test_votes_are_refused_where_nobody_voted(make_faces: Make) -> None:
    with pytest.raises(FerlineError, match=r"'votes' needs a set in which people voted.*Write targets: label"):
        Batches(make_faces(), "train", CPU, targets="votes")


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weighed_votes_are_divided_by_their_weights_as_labels_are(smoothing: float) -> None:
    random = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(9, 7, generator=random), torch.tensor([0, 0, 1, 2, 3, 4, 5, 6, 6])
    weights = losses.class_weights(labels, 7)
    assert weights.max() > weights.min()
    expected = functional.cross_entropy(logits, labels, weights, label_smoothing=smoothing)
    for targets in (labels, functional.one_hot(labels, 7).float()):
        divisor = losses.divisors(targets, weights, 9)[0]
        torch.testing.assert_close(losses.summed(logits, targets, weights, smoothing, 7) / divisor, expected)


@pytest.mark.parametrize("emotions", [KNOWN, ("angry", "happy", "neutral")])
def test_a_model_has_the_classes_of_its_faces(make_faces: Make, emotions: tuple[str, ...]) -> None:
    faces = make_faces(train=240, validation=48, emotions=emotions)
    model = fitted(faces, epochs=8, class_weights="balanced")
    assert model.emotions == emotions != EMOTIONS
    rows = faces.rows("validation")
    probabilities = model.predict(faces.images[rows])
    assert probabilities.shape == (48, len(emotions))
    assert (probabilities.argmax(1) == faces.labels[rows]).mean() > 0.8
