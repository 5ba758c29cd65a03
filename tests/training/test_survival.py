"""What GPUs and the machines around them do to a training: kills, stops, full memories, losses that are no numbers."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ferline.errors import FerlineError, Preempted
from ferline.faces.faceset import FaceSet, ImageWriter
from ferline.jobs.job import Job
from ferline.models import registry
from ferline.models.cnn_lstm import CnnLstm
from ferline.models.cnn_lstm_svm import CnnLstmSvm
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, AugmentationParams, InputParams, TrainingParams
from ferline.training import randomness
from ferline.training.engine import Engine
from ferline.training.loop import train
from ferline.training.processes import Processes
from ferline.training.watch import Watch

ALONE = "import sys; from ferline.jobs.job import Job; from ferline.training.loop import train; import torch; "
ALONE += f"torch.set_num_threads({torch.get_num_threads()}); "  # as here: on others the bits are others
ALONE += "print(train(**Job(__import__('pathlib').Path(sys.argv[1])).arguments()).digest)"
Write = Callable[..., Job]


def architecture(model: str = "cnn_lstm", **training: object) -> ArchitectureParams:
    settings = {"epochs": 4, "batch_size": 16, "learning_rate": 1e-3, "device": "cpu", **training}
    return ArchitectureParams(
        model=model,
        input=InputParams(48, 1),
        training=TrainingParams(**settings),
        options={"dropout": 0.3, "width": 8},
        augmentation=AugmentationParams(rotation=10, erasing=0.3),
    )


def run(job: Job, **options: object) -> TrainedModel:
    model = train(**{**job.arguments(), **options})
    assert model is not None
    return model


def weights(model: TrainedModel) -> dict[str, torch.Tensor]:
    return load_file(model.folder / "model.safetensors")


# ---- killed and stopped


def test_kill_minus_nine_at_a_random_moment_loses_nothing(make_faces, write_job: Write) -> None:
    """A real SIGKILL, with checkpoints in the middle of epochs; the second process ends with an undisturbed one's."""
    faces, given = make_faces(train=700), architecture(epochs=8)
    whole = run(write_job("whole", given, faces))
    job = write_job("killed", given, faces, checkpoint_seconds=1)
    process = subprocess.Popen([sys.executable, "-c", ALONE, str(job.folder)], stderr=subprocess.PIPE)
    folder = Path(job.arguments()["checkpoints"])
    deadline = time.monotonic() + 60
    while not list(folder.glob("epoch-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(random.uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(folder.glob("epoch-*/state.json"))
    done = subprocess.run([sys.executable, "-c", ALONE, str(job.folder)], capture_output=True, text=True, check=True)
    assert weights(TrainedModel(job.model.folder)).keys() == weights(whole).keys()
    assert all(torch.equal(tensor, weights(whole)[key]) for key, tensor in weights(job.model).items())
    assert job.model.history == whole.history
    assert done.stdout.split()[-1] == job.model.digest


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("cnn_lstm", {"optimiser": "adam", "schedule": "cosine", "ema": 0.9}),
        ("cnn_lstm_svm", {"optimiser": "sgd", "schedule": "plateau", "clip_norm": 1.0}),
        ("cnn_lstm", {"optimiser": "rmsprop", "schedule": "step", "class_weights": "balanced"}),
        ("cnn_lstm", {"optimiser": "adamw", "l2": 0.001, "early_stopping": 3}),
    ],
)
def test_sigterm_in_an_epoch_saves_and_the_same_call_goes_on_bit_for_bit(
    make_faces, write_job: Write, model: str, settings: dict[str, object]
) -> None:
    faces, given = make_faces(train=75), architecture(model, **settings)
    whole = run(write_job("whole", given, faces))
    job = write_job("stopped", given, faces)

    def stop(record: dict) -> None:
        if record["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Preempted, match=r"stopped: asked to stop \(SIGTERM\) in epoch 3, after batch 1\. All is saved"):
        run(job, on_epoch=stop)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    seen: list[int] = []
    resumed = run(job, on_epoch=lambda record: seen.append(record["epoch"]))
    assert seen == [1, 2, 3, 4]
    assert resumed.history == whole.history
    assert all(torch.equal(tensor, weights(whole)[key]) for key, tensor in weights(resumed).items())
    assert not Path(job.arguments()["checkpoints"]).exists()


def test_a_stop_that_can_save_nothing_says_so(make_faces, write_job: Write) -> None:
    job = write_job("stopped", architecture(), make_faces())
    with pytest.raises(Preempted, match="Nothing is saved"):
        run(job, checkpoints=None, on_epoch=lambda record: os.kill(os.getpid(), signal.SIGTERM))


def test_a_damaged_checkpoint_is_named_and_the_one_before_serves(
    make_faces, write_job: Write, capsys: pytest.CaptureFixture
) -> None:
    faces, given = make_faces(), architecture()
    whole = run(write_job("whole", given, faces))
    job = write_job("damaged", given, faces, checkpoint_seconds=0)

    def stop(record: dict) -> None:
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, on_epoch=stop)
    older, newest = sorted(Path(job.arguments()["checkpoints"]).glob("epoch-*"))
    torn = newest / "network.safetensors"
    torn.write_bytes(torn.read_bytes()[:-8] + b"\x01" * 8)
    assert run(job).history == whole.history
    assert re.search(r"network\.safetensors: corrupt .*Going on without this checkpoint", capsys.readouterr().err)
    assert older.name == "epoch-00002-step-000000"


def test_a_damaged_checkpoints_best_weights_are_not_passed_on(make_faces, write_job: Write) -> None:
    faces, given = make_faces(), architecture(learning_rate=1e-9)  # the first epoch stays the best
    whole = run(write_job("whole", given, faces))
    job = write_job("damaged", given, faces, checkpoint_seconds=0)
    folder = Path(job.arguments()["checkpoints"])

    def stop(record: dict) -> None:
        if record["epoch"] == 2:
            for torn in folder.glob("epoch-*/best.safetensors"):
                torn.write_bytes(torn.read_bytes()[:-8] + b"\x01" * 8)
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(job, on_epoch=stop)
    resumed = run(job, on_epoch=lambda record: None)
    assert resumed.card["best_epoch"] == 1
    assert all(torch.equal(tensor, weights(whole)[key]) for key, tensor in weights(resumed).items())


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_stop_while_the_svm_is_fitted_costs_no_epoch(
    make_faces, write_job: Write, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    faces, given = make_faces(), architecture("cnn_lstm_svm", epochs=2)
    whole = run(write_job("whole", given, faces))
    job = write_job("stopped", given, faces, checkpoint_seconds=seconds)
    fit = CnnLstmSvm.fit_head

    def asked(self: CnnLstmSvm, *features: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        fit(self, *features)

    with monkeypatch.context() as patch:
        patch.setattr(CnnLstmSvm, "fit_head", asked)
        with pytest.raises(Preempted, match=r"stopped: asked to stop \(SIGTERM\) after its last epoch\. All is saved"):
            run(job)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not job.model.folder.exists()
    resumed = run(job)
    assert resumed.history == whole.history
    assert all(torch.equal(tensor, weights(whole)[key]) for key, tensor in weights(resumed).items())


def test_every_generator_goes_on_where_it_was() -> None:
    randomness.seed(5)
    np.random.normal(), random.random(), torch.rand(3)
    kept = randomness.state()
    expected = np.random.normal(), np.random.random(), random.random(), torch.rand(3).tolist()
    randomness.seed(6)
    randomness.restore(kept)
    assert (np.random.normal(), np.random.random(), random.random(), torch.rand(3).tolist()) == expected


def test_checkpoints_after_two_damaged_ones_are_kept(make_faces, write_job: Write) -> None:
    job = write_job("damaged", architecture(), make_faces(), checkpoint_seconds=0)

    def stop_at(epoch: int) -> None:
        def stop(record: dict) -> None:
            if record["epoch"] == epoch:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(job, on_epoch=stop)

    stop_at(3)
    folder = Path(job.arguments()["checkpoints"])
    for torn in folder.glob("epoch-*/network.safetensors"):
        torn.write_bytes(torn.read_bytes()[:-8] + b"\x01" * 8)
    (folder / ".epoch-00001-left").mkdir()
    stop_at(1)
    assert [path.name for path in folder.iterdir()] == ["epoch-00001-step-000000"]
    seen: list[int] = []
    run(job, on_epoch=lambda record: seen.append(record["epoch"]))
    assert seen == [1, 2, 3, 4]


def test_float16_scales_its_losses_and_goes_on_bit_for_bit(make_faces, write_job: Write) -> None:
    """Scaled as on a GPU that has no bfloat16; overflows of the scale are no bad batches."""
    faces, given = make_faces(), architecture(epochs=3, precision="float16", skip_non_finite=1)
    whole = run(write_job("whole", given, faces))
    job = write_job("stopped", given, faces)
    with pytest.raises(Preempted):
        run(job, on_epoch=lambda record: os.kill(os.getpid(), signal.SIGTERM))
    resumed = run(job)
    assert resumed.history == whole.history
    assert all(torch.equal(tensor, weights(whole)[key]) for key, tensor in weights(resumed).items())


# ---- losses that are no numbers


class BreaksOnWhite(CnnLstm):
    """No number for an all-white face, as a network that overflows on it would give."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        white = x.mean((1, 2, 3)) > 0.99
        return super().forward(x) + torch.where(white, torch.inf, 0.0)[:, None]


@pytest.fixture
def with_white(make_faces, monkeypatch: pytest.MonkeyPatch) -> FaceSet:
    """Training face 7 is all white."""
    monkeypatch.setitem(registry._MODELS, "breaks_on_white", BreaksOnWhite)
    faces = make_faces()
    images = faces.images.copy()
    images[7] = 255
    with ImageWriter(faces.folder, len(images), 48, 1) as writer:
        writer.append(images)
    return FaceSet(faces.folder)


def unmoved(**training: object) -> ArchitectureParams:
    return replace(architecture("breaks_on_white", **training), augmentation=AugmentationParams())


def test_a_loss_that_is_no_number_stops_with_epoch_batch_rate_and_the_images(with_white, write_job: Write) -> None:
    with pytest.raises(
        FerlineError,
        match=r"white: the loss was NaN or infinite at epoch 1, batch \d+, learning rate 0\.001; its images",
    ) as caught:
        run(write_job("white", unmoved(), with_white))
    listed = json.loads(Path(re.search(r"listed in (\S+\.json)", str(caught.value)).group(1)).read_text())
    assert "train-7" in listed["batch"]
    assert len(listed["batch"]) == 16 or listed["step"] == 5  # 70 images: the last batch has 6
    assert (listed["epoch"], listed["learning_rate"]) == (1, 0.001)


@pytest.mark.parametrize(("bad", "others", "first"), [(6, 5, 5), (5, 6, 5), (0, 3, 0), (-1, 4, 4), (-1, -1, -1)])
def test_of_several_processes_the_one_that_saw_it_first_names_the_batch(bad: int, others: int, first: int) -> None:
    """All get the numbers on to the next step, so that each has a first bad batch; only the earliest is to blame."""

    class Told(Processes):
        numbers: tuple[list[float], ...] = ()

        def highest(self, numbers: list[float], device: torch.device) -> list[float]:
            self.numbers += (numbers,)
            return [max(each) for each in zip(*self.numbers, strict=True)]

    both = Told(0, 2)
    for seen in (others, bad):
        looked = Watch(both, torch.device("cpu"), 0).look(torch.tensor(seen))
    assert looked == (first, False, False)


def test_a_rate_that_explodes_is_told(make_faces, write_job: Write) -> None:
    with pytest.raises(FerlineError, match=r"learning rate 1e\+30.*Lower architectures\.wild\.training\.learning_rate"):
        run(write_job("wild", architecture(optimiser="sgd", learning_rate=1e30), make_faces()))


def test_so_many_bad_batches_are_left_out_and_no_more(
    with_white, write_job: Write, capsys: pytest.CaptureFixture
) -> None:
    model = run(write_job("white", unmoved(epochs=3, skip_non_finite=3), with_white))
    assert capsys.readouterr().err.count("It was left out") == 3
    assert all(torch.isfinite(tensor).all() for tensor in weights(model).values())
    assert all(np.isfinite(record["train_loss"]) for record in model.history)
    with pytest.raises(FerlineError, match=r"at epoch 3, .* 2 such batches were left out before it"):
        run(write_job("too-many", unmoved(epochs=3, skip_non_finite=2), with_white))


# ---- memory

SHORT_OF_MEMORY = """
import resource, sys, torch
from pathlib import Path
from ferline.jobs.job import Job
from ferline.training import engine, loop
torch.set_num_threads(1)
room = int(sys.argv[2]) << 20
begin = engine.Engine.begin
def and_then_no_more(self, *args):
    begin(self, *args)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
engine.Engine.begin = and_then_no_more
try:
    print("DIGEST", loop.train(**Job(Path(sys.argv[1])).arguments()).digest)
except Exception as error:
    print(type(error).__name__, error)
"""


def squeezed(job: Job, megabytes: int) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", SHORT_OF_MEMORY, str(job.folder), str(megabytes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("room", [300, 600])  # megabytes; of the smaller nothing was left for what the end imported
def test_out_of_memory_halves_what_goes_through_at_once_and_learns_the_same(
    make_faces, write_job: Write, room: int
) -> None:
    faces = make_faces(train=256, side=96)
    given = replace(
        architecture(epochs=1, batch_size=256, precision="float32"),
        options={"width": 32},
        input=InputParams(96, 1),
    )
    whole = run(write_job("whole", given, faces))
    done = squeezed(job := write_job("squeezed", given, faces), room)
    assert "DIGEST" in done.stdout, done.stdout + done.stderr[-2000:]
    assert re.search(r"squeezed: out of memory; now 128 images at a time, in batches as before", done.stderr)
    assert job.model.card["computed"]["images_at_once"] <= 128
    for key, tensor in weights(job.model).items():
        torch.testing.assert_close(tensor, weights(whole)[key], atol=2e-5, rtol=1e-3)


def test_a_short_last_batch_that_finds_no_memory_does_not_make_the_full_ones_small(
    make_faces, write_job: Write, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    """What fails is injected: on a GPU, a recorded graph's memory lies beside a short batch's."""
    faces, given = make_faces(train=56), architecture(epochs=2)  # batches of 16, 16, 16 and 8
    whole = run(write_job("whole", given, faces))
    gradients, failed = Engine._gradients, []

    def short(self: Engine, step: int, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        sums = gradients(self, step, images, targets)
        if len(images) == 8 and not failed:
            failed.append(step)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return sums

    monkeypatch.setattr(Engine, "_gradients", short)
    model = run(write_job("short", given, faces))
    assert failed == [3]
    assert "short: out of memory; trying again without what was held" in capfd.readouterr().err
    assert "images_at_once" not in model.card["computed"]
    assert all(torch.equal(tensor, weights(whole)[key]) for key, tensor in weights(model).items())


def test_not_even_one_image_fits(make_faces, write_job: Write) -> None:
    given = replace(architecture(epochs=1, precision="float32"), input=InputParams(256, 1), options={"width": 64})
    done = squeezed(write_job("tiny", given, make_faces(side=256)), 8)  # a layer's output is 16
    assert "tiny: not even one image at a time fits into the memory of CPU" in done.stdout, done.stdout + done.stderr
    assert "Lower architectures.tiny.input.side" in done.stdout
