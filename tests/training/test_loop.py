"""Training: it learns, it stops when it should, and a killed one goes on as if nothing had happened."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ferline.augment.policy import AugmentationPolicy
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, AugmentationParams, ComputeParams, InputParams, TrainingParams
from ferline.training.batches import Batches, _left_to_the_group
from ferline.training.loop import train, without_denormals


def architecture(
    model: str = "cnn_lstm", augmentation: AugmentationParams | None = None, **training
) -> ArchitectureParams:
    settings = {"epochs": 4, "batch_size": 16, "learning_rate": 3e-3, "device": "cpu", **training}
    return ArchitectureParams(
        model=model,
        input=InputParams(48, 1),
        training=TrainingParams(**settings),
        augmentation=augmentation or AugmentationParams(shift=0.05, brightness=0.1),
    )


@pytest.fixture
def fit(make_faces, tmp_path) -> Callable[..., TrainedModel]:
    def run(given: ArchitectureParams, faces: FaceSet | None = None, **options) -> TrainedModel:
        faces = faces or make_faces()
        policy = AugmentationPolicy.write(given.augmentation, faces, given.input, given.training.seed)
        card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
        return train("small", given, faces, policy, card=card, **options)

    return run


def test_it_learns_and_writes_the_best_epoch(fit, make_faces):
    model = fit(architecture(epochs=16), faces := make_faces(train=280))
    history = model.history
    assert [record["epoch"] for record in history] == list(range(1, len(history) + 1))
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 2
    rows = faces.rows("validation")
    accuracy = (model.predict(faces.images[rows]).argmax(1) == faces.labels[rows]).mean()
    assert accuracy > 0.8
    best = max(history, key=lambda record: record["validation_accuracy"])
    assert model.card["best_epoch"] == best["epoch"]
    assert accuracy == pytest.approx(best["validation_accuracy"])
    assert model.card["dataset"]["name"] == "patterns"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(fit):
    first, second = fit(architecture(epochs=2)), fit(architecture(epochs=2))
    assert first.digest == second.digest
    assert fit(architecture(epochs=2, seed=1)).digest != first.digest


def test_early_stopping_keeps_the_best(fit):
    model = fit(architecture(epochs=40, early_stopping=2, monitor="loss", learning_rate=0.02))
    losses = [record["validation_loss"] for record in model.history]
    assert len(losses) < 40
    assert model.card["best_epoch"] == int(np.argmin(losses)) + 1
    assert len(losses) - model.card["best_epoch"] == 2


def test_streaming_gives_the_same_model_as_holding_all_faces(fit, make_faces):
    resident = fit(architecture(epochs=2))
    cpu = torch.device("cpu")
    train, validation = (Batches(make_faces(), split, cpu) for split in ("train", "validation"))
    assert train.resident
    assert validation.resident
    assert not Batches(make_faces(), "validation", cpu, room=validation.held - 1).resident
    assert Batches(make_faces(), "train", cpu, room=0).held == 0
    assert fit(architecture(epochs=2), compute=ComputeParams(resident_share=0)).digest == resident.digest


def test_class_weights_smoothing_and_l2_change_what_is_learnt(fit):
    plain = fit(architecture(epochs=1))
    for change in ({"label_smoothing": 0.2}, {"l2": 0.01}, {"weight_decay": 0.1}, {"clip_norm": 0.01}):
        assert fit(architecture(epochs=1, **change)).history != plain.history, change


def test_a_last_batch_of_one_is_left_to_the_next_epoch(fit, make_faces):
    """Batch normalisation cannot take the variance of one image: 33 = 2 x 16 + 1."""
    fit(
        replace(architecture("resnet50_transfer", epochs=1), input=InputParams(48, 3), options={"frozen_layers": 0}),
        make_faces(train=33, channels=3),
    )


def test_the_svm_is_fitted_on_training_faces_alone(fit, make_faces):
    faces = make_faces(train=210)
    model = fit(architecture("cnn_lstm_svm", epochs=6, learning_rate=1e-3), faces)
    rows = faces.rows("validation")
    accuracy = (model.predict(faces.images[rows]).argmax(1) == faces.labels[rows]).mean()
    assert model.card["validation"]["accuracy"] == pytest.approx(accuracy)


def test_weights_too_small_to_matter_are_zero_in_a_model(fit):
    """A processor takes 60 times as long over them."""
    network = fit(architecture(epochs=1)).network()
    tiny, small = torch.finfo(torch.float32).tiny / 8, torch.finfo(torch.float32).tiny
    weight = next(parameter for parameter in network.parameters() if parameter.dim() > 1)
    with torch.no_grad():
        weight.view(-1)[:4] = torch.tensor([tiny, -tiny, small, -small])
    before = {name: values.clone() for name, values in network.state_dict().items()}
    without_denormals(network)
    assert weight.view(-1)[:4].tolist() == [0, 0, small, -small]
    changed = [int((before[name] != values).sum()) for name, values in network.state_dict().items()]
    assert sum(changed) == 2


def test_a_containers_limit_is_the_memory_that_there_is(tmp_path):
    assert _left_to_the_group(tmp_path) > 1e15  # no such group
    (tmp_path / "memory.current").write_text("300\n")
    for limit, left in (("1000\n", 700), ("200\n", 0)):
        (tmp_path / "memory.max").write_text(limit)
        assert _left_to_the_group(tmp_path) == left
    (tmp_path / "memory.max").write_text("max\n")
    assert _left_to_the_group(tmp_path) > 1e15


def test_faces_that_training_cannot_take_as_they_are_are_refused(fit, make_faces):
    with pytest.raises(
        FerlineError, match=r"faces of 32 pixels and 1 channels; architectures\.small\.input asks for 48"
    ):
        fit(architecture(), make_faces(side=32))
    with pytest.raises(FerlineError, match=r"no face of it is in the validation split; small cannot be trained"):
        fit(architecture(), make_faces(validation=0))


def test_a_gpu_that_is_not_there_is_said(fit):
    if torch.cuda.is_available():
        assert fit(architecture(epochs=1, device="cuda")).card["best_epoch"] == 1
    else:
        with pytest.raises(FerlineError, match="'cuda' was asked for and torch finds none"):
            fit(architecture(device="cuda"))


def test_the_card_names_what_made_the_model(fit):
    given = architecture(epochs=1)
    card = fit(given).card
    assert card["training"] == json.loads(json.dumps(asdict(given.training)))  # JSON knows no tuples
    assert card["augmentation"] == {**asdict(given.augmentation), "erasing_area": list(given.augmentation.erasing_area)}
    assert {"data_digest", "faces_digest", "augmentation_digest", "preprocessing", "architecture"} <= set(card)


def test_checkpoints_can_be_left_out(tmp_path, fit):
    fit(architecture(epochs=1), checkpoints=None)
    assert not list(Path(tmp_path).glob("state*"))


def test_an_average_of_the_weights_is_what_is_scored_and_kept(fit, make_faces):
    faces = make_faces(train=280)
    newest, averaged = (fit(architecture(epochs=8, ema=ema), faces) for ema in (0.0, 0.97))
    assert newest.history[0]["train_loss"] == averaged.history[0]["train_loss"]  # it changes nothing that is learnt
    logits = torch.from_numpy(averaged.logits(faces.images[rows := faces.rows("validation")]))
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(faces.labels[rows])).item()
    best = averaged.history[averaged.card["best_epoch"] - 1]
    assert loss == pytest.approx(
        best["validation_loss"], rel=0.02
    )  # the epoch's own score is in bfloat16 where it is had
    assert averaged.history[-1]["validation_loss"] != newest.history[-1]["validation_loss"]
