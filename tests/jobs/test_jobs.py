"""Several processes train one network: the same network, whoever dies on the way."""

import os
import shutil
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
import warm
from safetensors.torch import load_file

from ferline.errors import FerlineError, Preempted
from ferline.jobs import launch
from ferline.jobs.job import Job
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, AugmentationParams, InputParams, TrainingParams
from ferline.training.loop import train
from ferline.training.memory import SmallerError
from ferline.training.processes import Processes

Write = Callable[..., Job]


@pytest.fixture(autouse=True)
def _warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """gloo on this machine's own address, whatever its name resolves to. torchrun and its processes start warm."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setenv("PYTHON_EXEC", warm.program("python"))
    monkeypatch.setattr(sys, "executable", warm.program("python"))


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch, _warm: None) -> None:
    """They start as they do for a user, where one is killed: no other process between the two."""
    monkeypatch.delenv("PYTHON_EXEC")
    monkeypatch.setattr(sys, "executable", str(warm.BIN / "python"))


def architecture(model: str = "cnn_lstm", channels: int = 1, **training: object) -> ArchitectureParams:
    settings = {
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "device": "cpu",
        "precision": "float32",
        **training,
    }
    return ArchitectureParams(
        model=model,
        input=InputParams(48, channels),
        training=TrainingParams(**settings),
        options={"frozen_layers": 0, "dropout": 0.0} if channels == 3 else {"width": 8},
        augmentation=AugmentationParams(rotation=10, erasing=0.3),
    )


def alone(job: Job) -> TrainedModel:
    return train(**job.arguments())


def together(job: Job, **options: object) -> TrainedModel:
    given = job.arguments()
    del given["target"], given["at_once"]
    return launch.train(**given, **{"on_epoch": lambda record: None, **options})


def weights(model: TrainedModel) -> dict[str, torch.Tensor]:
    return load_file(model.folder / "model.safetensors")


def require_close(one: TrainedModel, other: TrainedModel, atol: float) -> None:
    for mine, theirs in zip(one.history, other.history, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-3)
    for key, tensor in weights(one).items():
        torch.testing.assert_close(tensor, weights(other)[key], atol=atol, rtol=0)


def require_equal(one: TrainedModel, other: TrainedModel) -> None:
    assert one.history == other.history
    assert all(torch.equal(tensor, weights(other)[key]) for key, tensor in weights(one).items())


# ---- the same model

MANY = [
    {"class_weights": "balanced", "l2": 0.001, "clip_norm": 1.0, "ema": 0.9},
    {"label_smoothing": 0.1, "optimiser": "sgd", "learning_rate": 0.01},
]


@pytest.mark.parametrize("settings", MANY, ids=["weights, l2, clipping, average", "smoothing, sgd"])
def test_two_processes_make_the_model_of_one(make_faces, write_job: Write, settings: dict[str, object]) -> None:
    """69 images in batches of 16: the last has 5, of which one process takes 2 and the other 3."""
    faces, given = make_faces(train=69), architecture(**settings)
    seen: list[dict] = []
    two = together(write_job("two", given, faces, devices=2), on_epoch=seen.append)
    one = alone(write_job("one", given, faces))
    require_close(two, one, atol=1e-4)
    assert seen == two.history
    assert two.card["computed"] == {"device": "CPU", "numbers": "float32", "processes": 2}
    assert two.card["temperature"] == pytest.approx(one.card["temperature"], rel=1e-2)


def test_batch_norms_count_the_images_of_all(make_faces, write_job: Write) -> None:
    """ResNet50's 53 batch norms make chaos of rounding soon: the tolerance is for 5 steps of plain descent."""
    faces = make_faces(train=37, validation=14, channels=3)
    given = architecture(
        "resnet50_transfer", 3, epochs=1, batch_size=8, optimiser="sgd", learning_rate=1e-3, momentum=0.0
    )
    require_close(together(write_job("two", given, faces, devices=2)), alone(write_job("one", given, faces)), atol=1e-4)


def test_two_heads_taught_on_faces_that_grow_are_the_same_by_two_processes(
    faces_in, write_job: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher is named by a folder beside the caller, where the processes do not look."""
    faces = faces_in(tmp_path / "faces", train=37, validation=14, votes=lambda labels: np.eye(8)[labels + 1])
    plain = {"optimiser": "sgd", "learning_rate": 1e-3, "momentum": 0.0, "batch_size": 8, "targets": "both"}
    own = {"width": 8, "blocks": "1-1", "dropout": 0.0, "votes_head": True}
    given = replace(architecture("ferline_net", epochs=2, grow_from=24, grow_for=0.5, **plain), options=own)
    teacher = replace(given, training=replace(given.training, grow_from=0, seed=1))
    alone(write_job("teacher", teacher, faces)).folder.rename(tmp_path / "teacher")
    monkeypatch.chdir(tmp_path)
    taught = replace(given, training=replace(given.training, teachers=("teacher",)))
    two, one = together(write_job("two", taught, faces, devices=2)), alone(write_job("one", taught, faces))
    require_close(two, one, atol=1e-4)
    assert two.card["taught_by"] == one.card["taught_by"] == [TrainedModel("teacher").digest]
    assert two.card["votes_temperature"] == pytest.approx(one.card["votes_temperature"], rel=1e-2)


def test_processes_without_an_image_keep_step_and_count_nothing(make_faces, write_job: Write) -> None:
    """Three processes, 18 images, batches of 16: the last has 2. Batch norms would count a third if it were there."""
    faces = make_faces(train=18, validation=7, channels=3)
    given = architecture(
        "resnet50_transfer",
        3,
        epochs=1,
        batch_size=16,
        optimiser="sgd",
        learning_rate=1e-3,
        momentum=0.0,
        clip_norm=1.0,
    )
    require_close(
        together(write_job("three", given, faces, devices=3)), alone(write_job("one", given, faces)), atol=1e-4
    )


@pytest.mark.parametrize(("count", "images"), [(1, 5), (2, 5), (3, 2), (4, 64), (7, 64)])
def test_shares_are_the_whole_none_twice_none_lost(count: int, images: int) -> None:
    shares = [Processes(rank, count).share(range(10, 10 + images)) for rank in range(count)]
    assert [place for share in shares for place in share] == list(range(10, 10 + images))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert max(map(len, shares)) == Processes(0, count).most(range(images))


# ---- deaths and stops


def worker_of(job: Job) -> int:
    """The process id of one of a job's workers, once it is there."""
    for _ in range(600):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if (
                b"ferline.jobs.worker" in command
                and b"torch.distributed.run" not in command
                and str(job.folder).encode() in command
            ):
                return int(process.name)
        time.sleep(0.1)
    raise AssertionError("no worker came up")


def test_a_worker_that_is_killed_takes_the_job_down_which_goes_on_from_its_checkpoint(
    make_faces, write_job: Write, cold: None
) -> None:
    faces, given = make_faces(train=210), architecture(epochs=4)
    whole = together(write_job("whole", given, faces, devices=2))
    job = write_job("killed", given, faces, devices=2, checkpoint_seconds=0)

    def kill(record: dict) -> None:
        if record["epoch"] == 2:
            os.kill(worker_of(job), signal.SIGKILL)

    epochs: list[int] = []
    model = together(job, on_epoch=lambda record: (epochs.append(record["epoch"]), kill(record)))
    require_equal(model, whole)
    assert epochs == [1, 2, 3, 4]


def test_without_restarts_a_killed_worker_is_named(make_faces, write_job: Write, cold: None) -> None:
    job = write_job("killed", architecture(epochs=50), make_faces(train=210), devices=2, restarts=0)
    with pytest.raises(FerlineError, match=r"killed: .*(SIGKILL|exitcode|Connection closed|died)"):
        together(job, on_epoch=lambda record: os.kill(worker_of(job), signal.SIGKILL) if record["epoch"] == 1 else None)


def test_sigterm_saves_and_the_job_goes_on_with_two_processes_or_with_one(make_faces, write_job: Write) -> None:
    """By descent with momentum: 70 of Adam's steps, which are as long where a gradient is all rounding, take two
    processes' weights 1.6e-4 from one's on a processor without AVX-512."""
    faces, given = make_faces(train=210), architecture(epochs=5, optimiser="sgd", learning_rate=0.01)
    whole = together(write_job("whole", given, faces, devices=2))
    job = write_job("two", given, faces, devices=2)
    with pytest.raises(Preempted, match=r"two: asked to stop \(SIGTERM\) in epoch \d.*All is saved"):
        together(job, on_epoch=lambda record: os.kill(os.getpid(), signal.SIGTERM) if record["epoch"] == 2 else None)
    checkpoints = Path(faces.folder).parent / "checkpoints"
    assert list((checkpoints / "two").glob("epoch-*"))
    shutil.copytree(checkpoints / "two", checkpoints / "one")
    require_equal(together(write_job("two", given, faces, devices=2)), whole)
    one = alone(write_job("one", given, faces, devices=2))
    assert one.history[0] == whole.history[0], "to the bit what two processes found: not from the beginning"
    require_close(one, whole, atol=1e-4)


def test_what_only_the_user_can_put_right_is_told_as_it_is_and_not_tried_again(make_faces, write_job: Write) -> None:
    given, faces = architecture(optimiser="sgd", learning_rate=1e30), make_faces()
    with pytest.raises(FerlineError, match=r"^wild: the loss was NaN or infinite at epoch 1"):
        together(write_job("wild", given, faces, devices=2))
    started_again = write_job("refused", architecture(), faces, devices=2, restarts=0)
    started_again.failed(1, "refused", FerlineError("only you can put this right"))
    assert launch.run(started_again)
    assert str(started_again.error()) == "only you can put this right"
    assert not started_again.records.exists(), "a process that starts after a refusal trains nothing"


def test_memory_that_runs_out_in_one_process_is_known_to_all_at_the_next_start(make_faces, write_job: Write) -> None:
    job = write_job("short", architecture(), make_faces(), devices=2)
    job.failed(1, "memory", SmallerError(9))
    job.lower(9)
    assert job.smaller(None)
    assert not job.smaller(9), "it would end as before"
    job.lower(6)
    job.lower(9)
    assert job.smaller(9)
    assert launch.run(job) == 0
    assert job.model.card["computed"]["images_at_once"] == 6
    assert not job.smaller(9), "what ended a process before its restart is past"


def test_a_restart_after_the_model_was_written_trains_nothing(make_faces, write_job: Write) -> None:
    job = write_job("done", architecture(), make_faces(), devices=2)
    assert launch.run(job) == 0
    written = job.model.folder.stat().st_mtime_ns
    assert launch.run(job) == 0
    assert job.model.folder.stat().st_mtime_ns == written


def test_processes_end_with_the_one_that_started_them(make_faces, write_job: Write, cold: None) -> None:
    """kill -9 of torchrun: no worker goes on writing checkpoints beside the next start."""
    job = write_job("orphans", architecture(epochs=500), make_faces(train=210), devices=2)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = subprocess.Popen([*command, "-m", "ferline.jobs.worker", str(job.folder)], stderr=subprocess.DEVNULL)
    worker = worker_of(job)
    for _ in range(300):
        if job.records.exists():
            break
        time.sleep(0.1)
    process.kill()
    process.wait()
    for _ in range(300):
        if not Path(f"/proc/{worker}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


# ---- two machines


def test_a_job_whose_machine_was_killed_is_passed_over(make_faces, write_job: Write) -> None:
    job = write_job("hosts", architecture(), make_faces(), nodes=2, rendezvous="127.0.0.1:29712")
    assert Job.open_in(job.folder.parent) == [job]
    os.utime(job.folder / "job.json", (0, time.time() - 120))
    assert Job.open_in(job.folder.parent) == []


def test_two_machines_train_together(make_faces, write_job: Write, capsys: pytest.CaptureFixture) -> None:
    """Two launchers that know of each other by the rendezvous alone, the second by `ferline join`."""
    faces, given = make_faces(train=69), architecture(epochs=2)
    one = alone(write_job("one", given, faces))
    job = write_job("hosts", given, faces, nodes=2, rendezvous="127.0.0.1:29711")
    joining = subprocess.Popen([warm.program("ferline"), "join", "--once", str(job.folder.parent)])
    try:
        require_close(together(job), one, atol=1e-4)
        assert joining.wait(60) == 0
        assert f"ferline join {job.folder.parent}\n" in capsys.readouterr().out, "what to type there"
    finally:
        joining.kill()
