"""Training: it learns, it stops when it should, and a killed one goes on as if nothing had happened."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from ferline.augment.policy import AugmentationPolicy
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, AugmentationParams, InputParams, TrainingParams
from ferline.training import batches
from ferline.training.checkpoint import Checkpoints
from ferline.training.loop import train

SMALL = {"filters": 8, "lstm_units": 16}


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


@pytest.mark.parametrize(
    ("optimiser", "schedule"), [("adam", "cosine"), ("sgd", "plateau"), ("rmsprop", "step"), ("adamw", "constant")]
)
def test_a_training_killed_between_epochs_goes_on_bit_for_bit(fit, tmp_path, optimiser, schedule):
    given = architecture(epochs=4, optimiser=optimiser, schedule=schedule, learning_rate=1e-3, clip_norm=1.0)
    whole = fit(given)

    class KilledError(Exception):
        pass

    def kill(record: dict) -> None:
        if record["epoch"] == 3:
            raise KilledError

    with pytest.raises(KilledError):
        fit(given, checkpoints=tmp_path / "state", on_epoch=kill)
    seen: list[int] = []
    resumed = fit(given, checkpoints=tmp_path / "state", on_epoch=lambda record: seen.append(record["epoch"]))
    assert resumed.digest == whole.digest
    assert seen == [1, 2, 3, 4]
    assert not (tmp_path / "state").exists()


def test_kill_minus_nine_in_the_middle_of_an_epoch(make_faces, tmp_path, fit):
    """A real SIGKILL at a random batch; the second process finishes with the weights of an undisturbed run."""
    faces = make_faces(train=560)
    given = architecture(epochs=6)
    whole = fit(given, faces)
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys, torch
        from pathlib import Path
        torch.set_num_threads(2)
        from ferline.augment.policy import AugmentationPolicy
        from ferline.faces.faceset import FaceSet
        from ferline.params import ArchitectureParams, AugmentationParams, InputParams, TrainingParams
        from ferline.training.loop import train
        given = {given!r}
        faces = FaceSet({str(faces.folder)!r})
        policy = AugmentationPolicy.write(given.augmentation, faces, given.input, given.training.seed)
        card = {{**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}}
        model = train("small", given, faces, policy, card=card, checkpoints=Path({str(tmp_path / "state")!r}),
                      on_epoch=lambda record: print(record["epoch"], flush=True))
        print(model.digest, flush=True)
        """)
    )
    environment = {**os.environ, "FERLINE_SCRATCH": str(tmp_path / "scratch")}
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline().strip() == "1"
    assert process.stdout.readline().strip() == "2"
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split()[-1] == whole.digest


def test_a_torn_checkpoint_is_passed_over_for_the_one_before(fit, tmp_path):
    given = architecture(epochs=3)
    whole = fit(given)

    def stop(record: dict) -> None:
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(given, checkpoints=tmp_path / "state", on_epoch=stop)
    newest = max((tmp_path / "state").glob("epoch-*"))
    torn = newest / "network.safetensors"
    torn.write_bytes(torn.read_bytes()[:-8] + b"\x01" * 8)
    assert Checkpoints(tmp_path / "state").latest()["epoch"] == 0
    assert fit(given, checkpoints=tmp_path / "state").digest == whole.digest


def test_early_stopping_keeps_the_best(fit):
    model = fit(architecture(epochs=40, early_stopping=2, monitor="loss", learning_rate=0.02))
    losses = [record["validation_loss"] for record in model.history]
    assert len(losses) < 40
    assert model.card["best_epoch"] == int(np.argmin(losses)) + 1
    assert len(losses) - model.card["best_epoch"] == 2


def test_a_loss_that_is_no_number_stops_with_epoch_batch_and_rate(fit):
    with pytest.raises(
        FerlineError, match=r"small: the loss was NaN or infinite at epoch 1, batch \d+, learning rate 1e\+30"
    ):
        fit(architecture(optimiser="sgd", learning_rate=1e30))


def test_streaming_gives_the_same_model_as_holding_all_faces(fit, monkeypatch):
    resident = fit(architecture(epochs=2))
    monkeypatch.setattr(batches, "RESIDENT_BYTES_CPU", 0)
    assert fit(architecture(epochs=2)).digest == resident.digest


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


def test_a_gpu_that_is_not_there_is_said(fit):
    import torch

    if torch.cuda.is_available():
        assert fit(architecture(epochs=1, device="cuda")).card["best_epoch"] == 1
    else:
        with pytest.raises(FerlineError, match="'cuda' was asked for and torch finds none"):
            fit(architecture(device="cuda"))


def test_the_card_names_what_made_the_model(fit):
    given = architecture(epochs=1)
    card = fit(given).card
    assert card["training"] == asdict(given.training)
    assert card["augmentation"] == {**asdict(given.augmentation), "erasing_area": list(given.augmentation.erasing_area)}
    assert {"data_digest", "faces_digest", "augmentation_digest", "preprocessing", "architecture"} <= set(card)


def test_checkpoints_can_be_left_out(tmp_path, fit):
    fit(architecture(epochs=1), checkpoints=None)
    assert not list(Path(tmp_path).glob("state*"))
