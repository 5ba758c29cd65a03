"""The plain loop is a real training: it learns, augments, and counts what it did."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from architectures import MODELS, small

from ferline.bench import plain as plain_module
from ferline.bench.plain import optimiser, plain, train_plainly, worker_counts
from ferline.bench.plain_data import Faces, epoch_sampler, loader, transforms, unchanged
from ferline.errors import FerlineError
from ferline.models.registry import create
from ferline.params import AugmentationParams, InputParams, TrainingParams

CPU = torch.device("cpu")
GREY = ((0.0,), (1.0,))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_it_learns(make_faces):
    given = small(augmentation=AugmentationParams(shift=0.05, brightness=0.1))
    found = train_plainly(make_faces(train=280), given, CPU, workers=0, epochs=16)
    assert len(found.losses) == len(found.accuracies) == 16
    assert found.losses[-1] < found.losses[0] / 2
    assert max(found.accuracies) > 0.8
    assert found.seconds > 0


def test_without_augmentation_of_any_kind_it_sees_the_faces_themselves(make_faces):
    faces = make_faces()
    data = Faces(faces, "train", transforms(AugmentationParams(), InputParams(48, 1), GREY))
    image, label = data[3]
    assert image.dtype == torch.float32
    np.testing.assert_allclose(image.numpy(), faces.images[3].transpose(2, 0, 1) / 255, atol=1e-6)
    assert label == faces.labels[3]


def test_grey_faces_become_coloured_bigger_and_normalised(make_faces):
    faces = make_faces(side=48)
    image, _ = Faces(faces, "validation", unchanged(InputParams(96, 3), IMAGENET))[0]
    assert image.shape == (3, 96, 96)
    pixels = image.numpy() * np.reshape(IMAGENET[1], (3, 1, 1)) + np.reshape(IMAGENET[0], (3, 1, 1))
    np.testing.assert_allclose(pixels[0], pixels[2], atol=1e-6)
    assert pixels.mean() == pytest.approx(faces.images[faces.rows("validation")[0]].mean() / 255, abs=0.01)


@pytest.mark.parametrize(
    "change",
    [
        {"rotation": 30.0},
        {"shear": 20.0},
        {"zoom": 0.3},
        {"shift": 0.2},
        {"crop": 0.4},
        {"brightness": 0.5},
        {"contrast": 0.5},
        {"erasing": 1.0},
        {"vertical_flip": 1.0},
        {"horizontal_flip": 1.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_a_policy_changes_the_picture(make_faces, change):
    torch.manual_seed(0)
    faces, input = make_faces(), InputParams(48, 1)
    image, _ = Faces(faces, "train", transforms(AugmentationParams(**change), input, GREY))[0]
    same, _ = Faces(faces, "train", transforms(AugmentationParams(), input, GREY))[0]
    assert image.shape == same.shape
    assert not torch.equal(image, same)


def test_a_certain_flip_is_a_flip(make_faces):
    faces = make_faces()
    image, _ = Faces(faces, "train", transforms(AugmentationParams(horizontal_flip=1.0), InputParams(48, 1), GREY))[0]
    np.testing.assert_allclose(image[0].numpy(), faces.images[0, :, ::-1, 0] / 255, atol=1e-6)


def test_oversampling_shows_every_class_about_as_often(make_faces):
    faces = make_faces(train=280)
    rare = (faces.labels >= 5) & (faces.table["split"] == "train") & (np.arange(len(faces)) % 4 > 0)
    faces.table.loc[rare, "split"] = "test"
    data = Faces(faces, "train", unchanged(InputParams(48, 1), GREY))
    assert np.bincount(data.labels).tolist() == [40] * 5 + [10] * 2
    torch.manual_seed(0)
    drawn = list(epoch_sampler(data, small(augmentation=AugmentationParams(balance="oversample"))))
    assert len(drawn) == 7 * 40
    counts = np.bincount(data.labels[drawn])
    assert (np.abs(counts - 40) < 4 * np.sqrt(40)).all()
    assert counts[5:].min() > 20
    assert sorted(epoch_sampler(data, small())) == list(range(len(data)))


def test_votes_are_what_is_learnt_where_they_are_asked_for(make_faces):
    shares = np.eye(7) * 0.8 + 0.2 / 7
    faces = make_faces(votes=lambda labels: shares[labels])
    _, target = Faces(faces, "train", unchanged(InputParams(48, 1), GREY), "votes")[2]
    np.testing.assert_allclose(target, shares[2], atol=1e-6)
    assert train_plainly(faces, small(targets="votes"), CPU, 0, epochs=2).losses[1] > 0


def test_throughput_counts_the_images_it_was_asked_for(make_faces):
    found = plain(make_faces(), small(), CPU, steps=6, workers=0)
    assert (found.steps, found.images, found.workers, found.peak_bytes) == (6, 6 * 16, 0, None)
    assert found.images_per_second == pytest.approx(96 / found.seconds)
    assert found.step_seconds == pytest.approx(found.seconds / 6)


def test_a_time_is_as_many_steps_as_go_into_it(make_faces, monkeypatch):
    """By a clock that only a step moves, by 20 ms: how busy the machine is tells nothing about the code."""
    now = 0.0
    step = plain_module.Loop.step

    def timed(*arguments):
        nonlocal now
        now += 0.02
        return step(*arguments)

    monkeypatch.setattr(plain_module.Loop, "step", timed)
    monkeypatch.setattr(plain_module, "time", SimpleNamespace(perf_counter=lambda: now))
    found = plain(make_faces(), small(), CPU, seconds=0.3, workers=0)
    assert (found.steps, found.seconds) == (15, pytest.approx(0.3))
    assert plain(make_faces(), small(), CPU, seconds=0.001, workers=0).steps == 1


def test_of_several_worker_counts_the_best_is_kept(make_faces, monkeypatch):
    tried = []
    measured = plain_module._measured

    def noted(*arguments):
        tried.append(measured(*arguments))
        return tried[-1]

    monkeypatch.setattr(plain_module, "_measured", noted)
    found = plain(make_faces(), small(), CPU, steps=3)
    assert [each.workers for each in tried] == list(worker_counts(CPU))
    assert found.images_per_second == max(each.images_per_second for each in tried)


def test_no_more_workers_are_tried_than_the_machine_has_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert worker_counts(torch.device("cuda")) == (4, 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert worker_counts(torch.device("cuda")) == (4,)
    assert worker_counts(CPU) == (0, 1, 2)


@pytest.mark.parametrize("model", MODELS)
def test_every_architecture_runs_in_it(make_faces, model):
    given = small(model, channels=3, batch_size=8, clip_norm=1.0, l2=1e-4, class_weights="balanced")
    assert plain(make_faces(channels=3), given, CPU, steps=1, workers=0).images == 8


def test_the_second_stage_is_part_of_a_whole_training(make_faces, monkeypatch):
    fitted = []
    monkeypatch.setattr("ferline.models.svm.SupportVectorMachine.fit", lambda self, *given: fitted.append(given))
    faces = make_faces()
    train_plainly(faces, small("cnn_lstm_svm"), CPU, workers=0, epochs=1)
    features, labels, seed = fitted[0]
    assert features.shape == (70, 16)
    np.testing.assert_array_equal(labels, faces.labels[faces.rows("train")])
    assert seed == 0


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_the_optimiser_is_torchs_own_with_its_defaults(name):
    given = small()
    network = create("cnn_lstm", given.input, "none", given.options)
    made = optimiser(network, TrainingParams(1, 1, name, learning_rate=0.02, momentum=0.5, weight_decay=0.1))
    assert type(made).__name__.lower() == name
    group = made.param_groups[0]
    assert (group["lr"], group["weight_decay"], group.get("fused")) == (0.02, 0.1, None)
    assert group.get("momentum", 0.5) == 0.5


def test_a_split_with_no_face_is_said(make_faces):
    with pytest.raises(FerlineError, match="no face is in the split train, so there is nothing to measure"):
        plain(make_faces(train=0), small(), CPU, steps=1, workers=0)


def test_faces_that_the_network_cannot_take_are_said(make_faces):
    with pytest.raises(FerlineError, match=r"input\.channels: 1 cannot be made of 3 channels"):
        plain(make_faces(channels=3), small(channels=1), CPU, steps=1, workers=0)


def test_a_loss_that_is_no_number_is_no_measurement(make_faces):
    with pytest.raises(FerlineError, match="the plain loop's loss is no number after 3 steps"):
        plain(make_faces(), small(optimiser="sgd", learning_rate=1e30), CPU, steps=3, workers=0)


def test_a_worker_that_fails_says_why(make_faces):
    faces = make_faces()
    data = Faces(faces, "train", unchanged(InputParams(48, 1), GREY))
    data.rows = data.rows + 10**6
    with pytest.raises(IndexError, match="out of bounds"):
        list(loader(data, None, small(), CPU, workers=1))


def test_it_runs_where_none_of_the_pipelines_tools_are(make_faces, tmp_path):
    """A GPU machine has torch and little else: every other package is made unfindable, and a step is measured."""
    faces = make_faces()
    script = tmp_path / "run.py"
    script.write_text(
        f"""
import sys
from types import SimpleNamespace
for name in ("zenml", "mlflow", "pydantic", "yaml", "dvc", "great_expectations", "jinja2", "matplotlib", "tqdm"):
    sys.modules[name] = None
import torch
torch.set_num_threads(1)
from ferline.bench.floor import floor
from ferline.bench.ceiling import Peak
from ferline.bench.plain import plain
from ferline.bench.work import work
from ferline.faces.faceset import FaceSet
from ferline.params import *
given = {small()!r}
timing = plain(FaceSet({str(faces.folder)!r}), given, torch.device("cpu"), steps=1, workers=0)
print(timing.images, floor(work(given, 16), Peak("any", "bfloat16", 1e12, 1e9, 0, 0)).bound)
"""
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["16", "memory"], done.stderr
