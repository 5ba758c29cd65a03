"""Learning from other models: what is taken from them, what is kept of it, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from ferline.augment.policy import AugmentationPolicy
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.network import to_input
from ferline.models.registry import check, create
from ferline.models.teachers import Teachers
from ferline.models.trained import CARD_KEYS, TrainedModel
from ferline.params import ArchitectureParams, ComputeParams, InputParams, TrainingParams
from ferline.training.engine import Engine
from ferline.training.loop import train
from ferline.training.processes import Processes

Make = Callable[..., FaceSet]
CPU = torch.device("cpu")
ALONE = ArchitectureParams(
    "ferline_net",
    InputParams(48, 1),
    TrainingParams(epochs=16, batch_size=16, learning_rate=1e-2, schedule="cosine", device="cpu", precision="float32"),
    options={"width": 8, "blocks": "1-1", "dropout": 0.0},
)


def taught_by(*teachers: TrainedModel, given: ArchitectureParams = ALONE, **training: object) -> ArchitectureParams:
    names = tuple(str(teacher.folder) for teacher in teachers)
    return replace(given, training=replace(given.training, teachers=names, **training))


def fitted(faces: FaceSet, given: ArchitectureParams, **settings: object) -> TrainedModel:
    policy = AugmentationPolicy.write(given.augmentation, faces, given.input, 0)
    card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    model = train("mine", given, faces, policy, card=card, **settings)
    assert model is not None
    return model


@pytest.fixture(scope="module")
def faces(faces_in: Make, tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    return faces_in(tmp_path_factory.mktemp("faces"), train=210)


@pytest.fixture(scope="module")
def teacher(faces: FaceSet) -> TrainedModel:
    return fitted(faces, replace(ALONE, options={"width": 16, "blocks": "1-1", "dropout": 0.0}))


CARD = dict.fromkeys(CARD_KEYS) | {"architecture": "mine", "preprocessing": {}, "training": {}, "temperature": 1.0}


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., TrainedModel]:
    """An untrained model of a drawn network, of whatever make."""

    def make(name: str, input: InputParams = ALONE.input, emotions: tuple[str, ...] = EMOTIONS, **own) -> TrainedModel:
        torch.manual_seed(len(name))
        network = create("ferline_net", input, "none", {"width": 8, "blocks": "1", **own.pop("options", {})}, emotions)
        return TrainedModel.write(network, CARD | own, [], tmp_path / name)

    return make


def test_whoever_learns_from_teachers_alone_comes_to_answer_as_they_do(faces: FaceSet, teacher: TrainedModel) -> None:
    """Its training's labels are all wrong: what the pupil knows it has from the teacher."""
    wrong = (faces.labels + (faces.table["split"] == "train")) % len(EMOTIONS)
    misled = FaceSet(faces.folder)
    misled.table = faces.table.assign(label=wrong)
    pupil = fitted(misled, taught_by(teacher, taught=1.0))
    images, labels = faces.images[faces.rows("test")], faces.labels[faces.rows("test")]
    assert (teacher.predict(images).argmax(1) == labels).mean() > 0.9
    assert (pupil.predict(images).argmax(1) == labels).mean() > 0.8
    assert pupil.history[-1]["train_accuracy"] < 0.2  # counted against the labels, whoever teaches


def test_the_loss_is_what_the_labels_say_and_what_the_teachers_hold_each_for_its_share(
    faces: FaceSet, teacher: TrainedModel, made: Callable[..., TrainedModel]
) -> None:
    other = made("other", options={"width": 16})
    given = taught_by(teacher, other, taught=0.25)
    network = create(given.model, given.input, "none", given.options, EMOTIONS)
    network.head.weight.data.mul_(20)  # an untrained one holds all alike, and no loss could be told from another
    engine = Engine("mine", network, given, faces, ComputeParams(), Processes())
    engine.begin(0, 0.0)
    _, images, targets = next(engine.batches())
    inputs = to_input(images, *network.normalisation)
    sums = engine.through_network(inputs, targets, torch.tensor(16.0))

    logs = log_softmax(network(inputs).detach().double().numpy(), axis=1)
    held = (teacher.predict(images.numpy()) + other.predict(images.numpy())) / 2
    of_labels, of_teachers = -logs[np.arange(16), targets].mean(), -(held * logs).sum(1).mean()
    assert sums[0].item() == pytest.approx(0.75 * of_labels + 0.25 * of_teachers, rel=1e-4)
    assert abs(of_labels - of_teachers) > 0.01


def test_a_teacher_sees_smaller_faces_at_its_own_side_and_answers_in_the_pupils_emotions(
    made: Callable[..., TrainedModel],
) -> None:
    four = ("angry", "happy", "sad", "neutral")
    teacher = made("teacher", temperature=2.0)
    pupil = create("ferline_net", ALONE.input, "none", {"width": 8, "blocks": "1"}, four)
    small = torch.rand(3, 1, 32, 32)
    mean, std = pupil.normalisation
    shares = Teachers([teacher], pupil, CPU).shares((small - mean[0]) / std[0])

    larger = torch.nn.functional.interpolate(small, size=(48, 48), mode="bilinear")
    with torch.inference_mode():
        logits = teacher.network()((larger - mean[0]) / std[0])[:, [EMOTIONS.index(each) for each in four]]
    torch.testing.assert_close(shares, (logits / 2).softmax(1), rtol=1e-4, atol=1e-5)


def test_both_heads_are_taught(faces_in: Make, tmp_path: Path, made: Callable[..., TrainedModel]) -> None:
    voted = faces_in(tmp_path / "faces", train=42, votes=lambda labels: np.eye(8)[labels + 1])
    two = made("two", options={"votes_head": True}, votes_temperature=1.5)
    both = replace(ALONE, options=ALONE.options | {"votes_head": True})
    given = taught_by(two, given=both, targets="both", taught=1.0, epochs=1)
    network = create(given.model, given.input, "none", given.options, EMOTIONS)
    engine = Engine("mine", network, given, voted, ComputeParams(), Processes())
    engine.begin(0, 0.0)
    _, images, targets = next(engine.batches())
    inputs = to_input(images, *network.normalisation)
    sums = engine.through_network(inputs, targets, torch.tensor(16.0))
    logs = [log_softmax(part.detach().double().numpy(), axis=1) for part in network(inputs).split([7, 8], 1)]
    held = [two.predict(images.numpy()), two.voted().predict(images.numpy())]
    told = -sum((h * log).sum() for h, log in zip(held, logs, strict=True)) / 16
    assert sums[0].item() == pytest.approx(told, rel=1e-4)


def test_the_card_names_the_teachers_and_what_they_have_seen_is_seen(
    faces: FaceSet, teacher: TrainedModel, make_faces: Make
) -> None:
    others = make_faces(train=14, validation=7, test=7, seed=5)
    pupil = fitted(others, taught_by(teacher, epochs=1))
    assert pupil.card["taught_by"] == [teacher.digest]
    assert pupil.card["training"]["teachers"] == [teacher.folder.name]  # its name, not where it lay
    assert pupil.has_seen(faces.table["sha256"].iloc[faces.rows("train")]).all()
    assert pupil.has_seen(others.table["sha256"].iloc[others.rows("validation")]).all()


def test_a_teacher_of_this_very_split_is_welcome_and_one_that_has_seen_the_test_is_not(
    faces: FaceSet, teacher: TrainedModel, tmp_path: Path
) -> None:
    given = taught_by(teacher, epochs=1)
    fitted(faces, given)  # chosen on the same validation faces, and has seen no test face
    other_way = FaceSet(faces.folder)
    other_way.table = faces.table.assign(split=faces.table["split"].replace({"train": "test", "test": "train"}))
    with pytest.raises(FerlineError, match=r"training.teachers: .* was trained or chosen on 2\d\d of the 2\d\d valid"):
        fitted(other_way, given)


def test_a_teacher_may_have_learnt_from_larger_pictures_of_the_same_split(faces_in: Make, tmp_path: Path) -> None:
    own, larger = (faces_in(tmp_path / f"{side}", train=21, side=side) for side in (48, 60))
    larger.table = own.table  # the same pictures, made larger
    wide = replace(ALONE, input=InputParams(60, 1), training=replace(ALONE.training, epochs=1))
    pupil = fitted(own, taught_by(fitted(larger, wide), epochs=1))
    assert pupil.card["split_digest"] == own.split_digest


def test_a_teacher_that_was_replaced_meanwhile_is_noticed(faces: FaceSet, teacher: TrainedModel) -> None:
    given = taught_by(teacher, epochs=1)
    policy = AugmentationPolicy.write(given.augmentation, faces, given.input, 0)
    with pytest.raises(FerlineError, match="taught_by: another model than when this run began"):
        train("mine", given, faces, policy, card={**faces.origin, "taught_by": ["0" * 64]})


def test_a_split_is_which_image_is_on_which_side_in_whatever_order(make_faces: Make) -> None:
    faces = make_faces(train=14, validation=7, test=7)
    before = faces.split_digest
    faces.table = faces.table.iloc[::-1]
    assert faces.split_digest == before
    faces.table = faces.table.assign(split=faces.table["split"].to_numpy()[::-1])
    assert faces.split_digest != before


def test_classes_are_not_weighed_with_teachers() -> None:
    with pytest.raises(ValueError, match="class_weights: 'balanced' is not allowed; write none with teachers"):
        TrainingParams(epochs=1, batch_size=2, teachers=("somebody",), class_weights="balanced")


def test_a_taught_training_that_was_killed_goes_on_bit_by_bit(
    faces: FaceSet, teacher: TrainedModel, tmp_path: Path
) -> None:
    given = taught_by(teacher, epochs=3)

    class KilledError(Exception):
        pass

    def kill(record: dict) -> None:
        if record["epoch"] == 2:
            raise KilledError

    whole = fitted(faces, given)
    every = ComputeParams(checkpoint_seconds=0)
    with pytest.raises(KilledError):
        fitted(faces, given, checkpoints=tmp_path / "kept", compute=every, on_epoch=kill)
    again = fitted(faces, given, checkpoints=tmp_path / "kept", compute=every)
    assert (again.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("teacher", "training", "told"),
    [
        ({"emotions": EMOTIONS[:-1]}, {}, r"teacher cannot tell neutral; leave that out of"),
        ({"input": InputParams(48, 3)}, {}, r"teacher takes 3 channels; write input.channels: 3"),
        ({}, {"targets": "both"}, r"teacher has no head for votes; write training.targets: label, or name a teacher"),
    ],
)
def test_a_teacher_that_cannot_teach_this_is_refused_before_anything_runs(
    made: Callable[..., TrainedModel], teacher: dict, training: dict, told: str
) -> None:
    options = ALONE.options | ({"votes_head": True} if training else {})
    with pytest.raises(FerlineError, match=rf"architectures.mine.training.teachers: .*{told}"):
        check("mine", taught_by(made("teacher", **teacher), given=replace(ALONE, options=options), **training))


def test_a_name_of_no_model_is_refused() -> None:
    given = replace(ALONE, training=replace(ALONE.training, teachers=("nobody",)))
    with pytest.raises(FerlineError, match=r"architectures.mine.training.teachers: 'nobody' is not allowed; write "):
        check("mine", given)
