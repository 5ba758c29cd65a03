"""What holds on a GPU alone. On one: `python -m pytest tests/training/test_gpu.py`, with PYTHONPATH=src if need be."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ferline.errors import Preempted
from ferline.faces.faceset import FaceSet
from ferline.jobs.job import Job
from ferline.models.network import IMAGENET_NORMALISATION
from ferline.models.registry import create, names
from ferline.models.trained import CARD_KEYS, TrainedModel
from ferline.params import ArchitectureParams, AugmentationParams, ComputeParams, InputParams, TrainingParams
from ferline.training import randomness
from ferline.training.batches import Batches
from ferline.training.engine import Engine
from ferline.training.loop import train
from ferline.training.processes import Processes

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

Write = Callable[..., Job]
COLOUR = ("resnet50_gru", "resnet50_resnet34", "resnet50_transfer")


def architecture(model: str = "cnn_lstm", **training: object) -> ArchitectureParams:
    settings = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-3, "device": "cuda", **training}
    return ArchitectureParams(
        model=model,
        input=InputParams(48, 3 if model in COLOUR else 1),
        training=TrainingParams(**settings),
        options={"frozen_layers": 0} if model == "resnet50_transfer" else {},
        augmentation=AugmentationParams(rotation=10, horizontal_flip=0.5, brightness=0.1, erasing=0.3),
    )


def engine(faces: FaceSet, given: ArchitectureParams, **compute: object) -> Engine:
    randomness.seed(given.training.seed)
    network = create(given.model, given.input, given.weights, given.options, faces.emotions)
    return Engine(given.model, network, given, faces, ComputeParams(**compute), Processes())


def stepped(engine: Engine, epochs: int = 2) -> list[list[float]]:
    """What each step came to; read at the end."""
    sums = []
    for epoch in range(epochs):
        engine.begin(epoch, engine.params.learning_rate)
        sums += [engine.step(step, images, targets) for step, images, targets in engine.batches()]
    return torch.stack(sums).tolist()


def weights(model: TrainedModel) -> dict[str, torch.Tensor]:
    return load_file(model.folder / "model.safetensors")


@pytest.mark.parametrize("model", names())
def test_every_architecture_trains_and_answers_as_on_a_cpu(make_faces, write_job: Write, model: str) -> None:
    given = architecture(model, epochs=2)
    trained = train(**write_job("gpu", given, faces := make_faces(channels=given.input.channels)).arguments())
    assert trained.card["computed"]["numbers"] == "bfloat16"
    images = faces.images[:20]
    torch.testing.assert_close(
        torch.from_numpy(trained.logits(images, device="cuda")),
        torch.from_numpy(trained.logits(images)),
        atol=1e-3,
        rtol=1e-3,
    )


def test_no_step_waits_for_the_device(make_faces) -> None:
    ours = engine(make_faces(train=160), architecture(ema=0.9, clip_norm=1.0, class_weights="balanced", l2=1e-3))
    ours.begin(0, 1e-3)
    batches = ours.batches()
    ours.step(*next(batches))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step, images, targets in batches:
            if len(targets) == 16:
                ours.step(step, images, targets)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def teacher(make_faces, tmp_path: Path) -> TrainedModel:
    """One whose pixels are on ImageNet's scale, as those that began with its weights are."""
    given = architecture("resnet50_transfer")
    network = create(given.model, given.input, "none", given.options)
    network.normalisation = IMAGENET_NORMALISATION
    return TrainedModel.write(network, dict.fromkeys(CARD_KEYS), [], tmp_path / "teacher")


@pytest.mark.parametrize("graphs", [False, True])
def test_a_teacher_keeps_no_step_waiting_and_can_be_recorded(make_faces, teacher: TrainedModel, graphs: bool) -> None:
    given = architecture("resnet50_transfer", teachers=(str(teacher.folder),))
    ours = engine(make_faces(train=160, channels=3), given, graphs=graphs)
    ours.begin(0, 1e-3)
    batches = ours.batches()
    for _ in range(5):
        ours.step(*next(batches))
    torch.cuda.set_sync_debug_mode("error")
    try:
        sums = [ours.step(*batch) for batch in batches]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.stack(sums).isfinite().all()


@pytest.mark.parametrize("room", [1e9, 0.0])
def test_faces_arrive_whole_held_or_streamed(make_faces, room: float) -> None:
    faces = make_faces(train=700)
    batches = Batches(faces, "train", torch.device("cuda", 0), room)
    assert batches.resident == bool(room)
    order = torch.randperm(700).numpy()
    runs = [range(start, min(start + 64, 700)) for start in range(0, 700, 64)]
    seen = torch.cat([images.cpu() for images, _ in batches.drawn(order, runs)])
    assert torch.equal(seen, torch.from_numpy(faces.images[faces.rows("train")[order]]))


@pytest.mark.parametrize("model", names())
@pytest.mark.parametrize("how", ["graphs", "compile"])
def test_recorded_and_compiled_steps_come_to_what_plain_ones_do(make_faces, model: str, how: str) -> None:
    given = architecture(model, precision="float32", optimiser="sgd", learning_rate=1e-3)
    drops = model in ("cnn_lstm_svm", "resnet50_transfer", "ferline_net")  # what is compiled draws other masks
    without = {"dropout": 0.0} if drops else {}
    given = replace(given, options={**given.options, **without})
    faces = make_faces(train=136, channels=given.input.channels)  # 8 batches of 16 and one of 8
    plain, other = engine(faces, given), engine(faces, given, **{how: True})
    one, two = stepped(plain, epochs=3), stepped(other, epochs=3)
    assert len(one) == 27
    torch.testing.assert_close(torch.tensor(two)[:, 0], torch.tensor(one)[:, 0], rtol=1e-2, atol=1e-2)
    for mine, theirs in zip(plain.network.parameters(), other.network.parameters(), strict=True):
        torch.testing.assert_close(theirs, mine, rtol=1e-2, atol=1e-3)


def test_a_recording_keeps_its_gradients_through_a_batch_that_is_not_full(make_faces) -> None:
    ours = engine(make_faces(train=88), architecture(), graphs=True)  # 5 batches of 16 and one of 8
    ours.begin(0, 1e-3)
    places = []
    for step, images, targets in ours.batches():
        ours.step(step, images, targets)
        places.append([parameter.grad.data_ptr() for parameter in ours.network.parameters()])
    assert places[3] == places[4] == places[5]


def test_dropout_in_a_graph_is_new_at_every_step(make_faces) -> None:
    given = replace(architecture(learning_rate=1e-12), options={"dropout": 0.5}, augmentation=AugmentationParams())
    ours = engine(make_faces(train=16), given, graphs=True)
    ours.begin(0, 1e-12)
    _, images, targets = next(ours.batches())
    losses = [ours.step(0, images, targets)[0].item() for _ in range(8)]
    assert ours.records
    assert len(set(losses[4:])) == 4, "the same faces under the same draws: dropout alone can make the difference"


ALONE = (
    "import sys; from pathlib import Path; from ferline.jobs.job import Job; from ferline.training.loop import train; "
)
ALONE += "train(**Job(Path(sys.argv[1])).arguments(), on_epoch=lambda record: print(record['epoch'], flush=True))"


@pytest.mark.parametrize("model", ["cnn_lstm", "resnet50_gru"])  # cnn_lstm_svm's transformer has no exact gradient
def test_in_deterministic_mode_a_kill_and_a_stop_lose_nothing(make_faces, write_job: Write, model: str) -> None:
    given = architecture(model, epochs=4, ema=0.9)
    faces = make_faces(train=210, channels=given.input.channels)
    environment = os.environ | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    found = []
    for name, signals in (("whole", None), ("again", None), ("killed", signal.SIGKILL), ("stopped", signal.SIGTERM)):
        job = write_job(name, given, faces, deterministic=True, checkpoint_seconds=0)
        command = [sys.executable, "-c", ALONE, str(job.folder)]
        if signals:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            assert [process.stdout.readline().strip() for _ in range(2)] == ["1", "2"]
            process.send_signal(signals)
            process.wait()
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        found.append(job.model)
    for model_found in found[1:]:
        assert model_found.history == found[0].history
        assert all(torch.equal(tensor, weights(found[0])[key]) for key, tensor in weights(model_found).items())


def test_a_stop_in_this_process_saves(make_faces, write_job: Write) -> None:
    job = write_job("stopped", architecture(epochs=5), make_faces(train=400))
    with pytest.raises(Preempted):
        train(**job.arguments(), on_epoch=lambda record: os.kill(os.getpid(), signal.SIGTERM))
    assert list(Path(job.arguments()["checkpoints"]).glob("epoch-*"))
    assert train(**job.arguments()).card["best_epoch"] >= 1


def test_a_full_memory_halves_what_goes_through_at_once(make_faces, capfd: pytest.CaptureFixture) -> None:
    given = replace(architecture(batch_size=1024, precision="float32"), options={"width": 64}, input=InputParams(96, 1))
    ours = engine(make_faces(train=1024, side=96), given)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (3 << 30)) / total)
    try:
        assert all(map(torch.isfinite, torch.tensor(stepped(ours, epochs=1)).flatten()))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert ours.at_once < 1024
    assert "out of memory; now" in capfd.readouterr().err
