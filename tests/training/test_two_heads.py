"""Two opinions of the same faces, the set's label and people's votes, learnt by two heads; and faces that grow."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch.nn import functional

from ferline.augment.policy import AugmentationPolicy
from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, ComputeParams, InputParams, TrainingParams
from ferline.training import losses
from ferline.training.batches import Batches
from ferline.training.engine import Engine
from ferline.training.loop import train
from ferline.training.schedule import side, sides

CPU = torch.device("cpu")
Make = Callable[..., FaceSet]
BOTH = ArchitectureParams(
    "ferline_net",
    InputParams(48, 1),
    TrainingParams(epochs=12, batch_size=16, learning_rate=1e-2, schedule="cosine", targets="both", device="cpu"),
    options={"width": 8, "blocks": "1-1-1-1", "votes_head": True, "dropout": 0.0},
)


def others(labels: np.ndarray) -> np.ndarray:
    """People who see the next emotion where the label says this one, and contempt in the last."""
    return 0.8 * np.eye(8)[labels + 1] + 0.2 * np.eye(8)[labels]


def fitted(faces: FaceSet, given: ArchitectureParams = BOTH, **training: object) -> TrainedModel:
    given = replace(given, training=replace(given.training, **training))
    policy = AugmentationPolicy.write(given.augmentation, faces, given.input, 0)
    card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    model = train("both", given, faces, policy, card=card)
    assert model is not None
    return model


@pytest.fixture(scope="module")
def model(faces_in: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceSet, TrainedModel]:
    faces = faces_in(tmp_path_factory.mktemp("faces"), train=420, votes=others)
    return faces, fitted(faces)


def test_each_head_tells_what_it_was_taught(model: tuple[FaceSet, TrainedModel]) -> None:
    faces, trained = model
    rows = faces.rows("test")
    images, labels = faces.images[rows], faces.labels[rows]
    assert (trained.predict(images).argmax(1) == labels).mean() > 0.9
    voted = trained.voted()
    shares = voted.predict(images)
    assert voted.emotions == KNOWN
    assert (shares.argmax(1) == labels + 1).mean() > 0.9
    assert shares.sum(1) == pytest.approx(np.ones(len(rows)))
    assert trained.emotions == EMOTIONS
    assert (trained.card["training"]["targets"], trained.tells_votes) == ("both", True)
    np.testing.assert_allclose(
        shares, softmax(voted.logits(images) / trained.card["votes_temperature"], axis=1), atol=1e-9
    )


def test_what_the_votes_head_is_sure_of_is_what_people_say(model: tuple[FaceSet, TrainedModel]) -> None:
    """Eight of ten say one thing: sure of that to 80 %, though that answer is right for nearly every face."""
    faces, trained = model
    shares = trained.voted().predict(faces.images[faces.rows("validation")])
    assert shares.max(axis=1).mean() == pytest.approx(0.8, abs=0.04)


def test_a_model_of_one_head_has_no_other(make_faces: Make) -> None:
    one = replace(BOTH, options={"width": 8, "blocks": "1"})
    trained = fitted(make_faces(), one, targets="label", epochs=1)
    assert not trained.tells_votes
    with pytest.raises(FerlineError, match="this model has no head for votes"):
        trained.voted()


def test_the_second_opinion_stands_beside_the_label_and_is_empty_where_nobody_voted(make_faces: Make) -> None:
    faces = make_faces(votes=others)
    faces.table.at[faces.rows("train")[1], "votes"] = None
    targets = Batches(faces, "train", CPU, targets="both").targets
    assert targets.shape == (70, 15)
    labels = faces.labels[faces.rows("train")]
    np.testing.assert_array_equal(targets[:, :7].numpy(), np.eye(7)[labels])
    np.testing.assert_allclose(targets[0, 7:].numpy(), others(labels[:1])[0], rtol=1e-6)
    assert targets[1, 7:].tolist() == [0.0] * 8


def test_the_loss_is_that_of_both_and_only_labels_are_weighed_and_smoothed() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 15, generator=random)
    labels = torch.tensor([0, 0, 1, 2, 3, 6])
    votes = torch.rand(6, 8, generator=random).softmax(1)
    votes[2] = 0
    weights = losses.class_weights(labels, 7)
    targets = torch.cat([functional.one_hot(labels, 7).float(), votes], dim=1)
    expected = functional.cross_entropy(logits[:, :7], labels, weights, reduction="sum", label_smoothing=0.1)
    expected = expected - (votes * logits[:, 7:].log_softmax(1)).sum()
    torch.testing.assert_close(losses.summed(logits, targets, weights, 0.1, 7), expected)
    torch.testing.assert_close(losses.divisors(targets, weights, 6), losses.divisors(labels, weights, 6))


def test_faces_grow_when_the_recipe_says_so(make_faces: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    through = Engine.through_network

    def watched(engine: Engine, inputs: torch.Tensor, *rest: object, **more: object) -> torch.Tensor:
        seen.append(inputs.shape[-1])
        return through(engine, inputs, *rest, **more)

    monkeypatch.setattr(Engine, "through_network", watched)
    fitted(make_faces(train=64, votes=others), grow_from=32, grow_for=0.5, epochs=4)
    assert seen == [32] * 8 + [48] * 8


def test_a_growing_training_that_was_stopped_goes_on_to_the_same_weights(make_faces: Make, tmp_path: Path) -> None:
    faces = make_faces(train=64, votes=others)
    given = replace(BOTH, training=replace(BOTH.training, epochs=4, grow_from=32, grow_for=0.5, ema=0.9))
    policy = AugmentationPolicy.write(given.augmentation, faces, given.input, 0)
    card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    whole = train("both", given, faces, policy, card=card)

    class StoppedError(Exception):
        pass

    def stop(record: dict) -> None:
        if record["epoch"] == 1:
            raise StoppedError

    own = {"card": card, "checkpoints": tmp_path / "checkpoints", "compute": ComputeParams(checkpoint_seconds=0)}
    with pytest.raises(StoppedError):
        train("both", given, faces, policy, on_epoch=stop, **own)
    resumed = train("both", given, faces, policy, **own)
    assert resumed.digest == whole.digest


@pytest.mark.parametrize(("grow_from", "seen"), [(0, [48] * 5), (24, [24, 24, 24, 48, 48])])
def test_the_side_follows_from_the_epoch(grow_from: int, seen: list[int]) -> None:
    params = TrainingParams(epochs=5, batch_size=1, grow_from=grow_from, grow_for=0.6)
    assert [side(params, sides(params, 48), epoch) for epoch in range(5)] == seen


def test_both_is_refused_where_nobody_voted(make_faces: Make) -> None:
    with pytest.raises(FerlineError, match=r"'both' needs a set in which people voted.*Write targets: label"):
        Batches(make_faces(), "train", CPU, targets="both")
