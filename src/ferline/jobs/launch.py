"""Trains in this process, or by torchrun in as many as `compute` asks for, on this machine or on several."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ferline.artifact import scratch_folder
from ferline.augment.policy import AugmentationPolicy
from ferline.errors import Preempted
from ferline.faces.faceset import FaceSet
from ferline.images.parallel import cores
from ferline.jobs.job import Job
from ferline.jobs.orphans import die_with_parent
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, ComputeParams
from ferline.training import loop

POLL = 0.2  # seconds between looks at a running job
# A store of its own for every start: in the one that torchrun would share, a restart's processes now and then read the
# addresses of those that died, and wait for them until a timeout of half an hour.
ENVIRONMENT = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "PYTHONUNBUFFERED": "1"}
Show = Callable[[dict[str, Any]], None]


def train(
    name: str,
    architecture: ArchitectureParams,
    faces: FaceSet,
    policy: AugmentationPolicy,
    compute: ComputeParams,
    *,
    card: dict[str, Any],
    checkpoints: Path,
    on_epoch: Show,
) -> TrainedModel:
    """As `loop.train`; `on_epoch` is called here, whichever process trains."""
    if compute.processes == 1:
        own: dict[str, Any] = {"card": card, "compute": compute, "checkpoints": checkpoints, "on_epoch": on_epoch}
        model = loop.train(name, architecture, faces, policy, **own)
        assert model is not None  # only other processes than the first have none
        return model
    job = Job.write(_job_of(checkpoints), name, architecture, faces, policy, card, compute, checkpoints)
    shown: set[int] = set()

    def show(record: dict[str, Any]) -> None:
        """Once an epoch, however often the job starts again."""
        if record["epoch"] not in shown:
            shown.add(record["epoch"])
            on_epoch(record)

    try:
        print(f"{name}: {compute.processes} processes; what they say is in {job.log}", flush=True)
        if compute.nodes > 1:
            print(
                f"{name}: on each of the other {compute.nodes - 1} machines: ferline join {job.folder.parent}",
                flush=True,
            )
        at_once = job.at_once
        while run(job, show) and not job.done:
            if not job.smaller(at_once):
                raise job.error()
            at_once = job.at_once  # each halving is told by a death; those are not among `restarts`
        target = scratch_folder() / "model"
        shutil.move(job.model.folder, target)
        shutil.rmtree(job.folder)
        return TrainedModel(target)
    finally:
        job.close()


def run(job: Job, show: Show = lambda record: None, joining: bool = False) -> int:
    """This machine's part of a job, until it is over; torchrun's exit status. SIGTERM is passed on to the processes."""
    compute, seen = job.compute, 0
    environment = os.environ | ENVIRONMENT | {"OMP_NUM_THREADS": str(max(1, cores() // compute.devices))}
    with (job.folder / f"log{'-joined' if joining else ''}.txt").open("a") as log:
        process = subprocess.Popen(
            _torchrun(job, compute), stdout=log, stderr=log, env=environment, preexec_fn=die_with_parent
        )
        with _passing_on(process) as passing:
            while process.poll() is None:
                seen = job.follow(seen, show)
                if not joining:
                    job.keep_open()
                time.sleep(POLL)
    job.follow(seen, show)
    if passing.asked and process.returncode and (joining or not job.preempted):
        raise Preempted(f"{job.folder.name}: asked to stop (SIGTERM); the last checkpoint is kept")
    return process.returncode


def _torchrun(job: Job, compute: ComputeParams) -> list[str]:
    meeting = ["--standalone"]
    if compute.nodes > 1:
        meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint={compute.rendezvous}", f"--rdzv-id={job.folder.name}"]
    shape = [f"--nnodes={compute.nodes}", f"--nproc-per-node={compute.devices}", f"--max-restarts={compute.restarts}"]
    ours = ["-m", "ferline.jobs.worker", str(job.folder)]
    return [sys.executable, "-m", "torch.distributed.run", *meeting, *shape, *ours]


def _job_of(checkpoints: Path) -> Path:
    """Beside the checkpoints, on a disk that all machines share."""
    return checkpoints.parent.parent / "jobs" / checkpoints.name


class _passing_on:  # noqa: N801 - reads as the function it is
    """SIGTERM goes to the child too, which saves and ends; this process then says so."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __enter__(self) -> Self:
        self.asked = False
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGTERM, self._pass)
        return self

    def __exit__(self, *_: object) -> None:
        if self._main:
            signal.signal(signal.SIGTERM, self._before)
        if self._process.poll() is None:  # an error here, Ctrl-C: nobody would wait for it
            self._process.terminate()
            self._process.wait()

    def _pass(self, *_: object) -> None:
        self.asked = True
        self._process.send_signal(signal.SIGTERM)
