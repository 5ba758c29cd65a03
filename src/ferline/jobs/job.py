"""A training written down as a folder, so that other processes and other machines can take part in it."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ferline.artifact import MANIFEST, write_json
from ferline.augment.policy import AugmentationPolicy
from ferline.errors import FerlineError, Preempted
from ferline.faces.faceset import FaceSet
from ferline.models.named import shipped
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, AugmentationParams, ComputeParams, InputParams, TrainingParams

ABANDONED = 60.0  # seconds since its machine kept it open: that one was killed
KINDS = ("preempted", "refused", "memory", "died")  # why a process ended, the weightiest reason first


@dataclass(frozen=True)
class Job:
    """`records.jsonl` are its epochs so far, `model/` its result, `failed/RANK.json` what ended a process."""

    folder: Path

    @property
    def records(self) -> Path:
        return self.folder / "records.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def model(self) -> TrainedModel:
        return TrainedModel(self.folder / "model")

    @classmethod
    def write(
        cls,
        folder: Path,
        name: str,
        architecture: ArchitectureParams,
        faces: FaceSet,
        policy: AugmentationPolicy,
        card: dict[str, Any],
        compute: ComputeParams,
        checkpoints: Path,
    ) -> "Job":
        described = asdict(architecture)
        described["weights"] = _from_anywhere(architecture.weights)
        described["training"]["teachers"] = [_from_anywhere(name) for name in architecture.training.teachers]
        content = {
            "name": name,
            "architecture": described,
            "faces": str(faces.folder.resolve()),
            "fold": faces.tested,
            "policy": str(policy.folder.resolve()),
            "card": card,
            "compute": asdict(compute),
            "checkpoints": str(checkpoints.resolve()),
        }
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier start
        (folder / "failed").mkdir(parents=True)
        write_json(folder / "job.json", content)
        return cls(folder)

    @property
    def compute(self) -> ComputeParams:
        return ComputeParams(**self._content()["compute"])

    def arguments(self) -> dict[str, Any]:
        """What `loop.train` takes."""
        content = self._content()
        return {
            "name": content["name"],
            "architecture": _architecture(content["architecture"]),
            "faces": FaceSet(content["faces"], content["fold"]),
            "policy": AugmentationPolicy(content["policy"]),
            "card": content["card"],
            "compute": self.compute,
            "checkpoints": Path(content["checkpoints"]),
            "target": self.model.folder,
            "at_once": self.at_once,
        }

    def lower(self, at_once: int) -> None:
        """Memory ran out: from the next start on no more images than these go through a network together."""
        write_json(self._memory, min(at_once, self.at_once or at_once))

    def follow(self, seen: int, show: Callable[[dict[str, Any]], None]) -> int:
        """Show the epochs beyond `seen` that are written down by now; gives how many there are."""
        try:
            lines = self.records.read_text().splitlines(keepends=True)
        except OSError:  # none yet; or none any more, where another machine's job is over
            return seen
        for record in (json.loads(line) for line in lines if line.endswith("\n")):
            if record["epoch"] > seen:
                show(record)
                seen = record["epoch"]
        return seen

    def started(self, rank: int) -> None:
        """What ended this process before a restart is past."""
        (self.folder / "failed" / f"{rank}.json").unlink(missing_ok=True)

    def failed(self, rank: int, kind: str, error: Exception) -> None:
        told = str(error) if isinstance(error, FerlineError) else f"{type(error).__name__}: {error}"
        write_json(self.folder / "failed" / f"{rank}.json", {"kind": kind, "told": told})

    @property
    def done(self) -> bool:
        """Its model is there: what died after that changes nothing."""
        return (self.model.folder / MANIFEST).exists()

    def smaller(self, than: int | None) -> bool:
        """Whether it ended for want of memory and is to go on with fewer images at a time than these."""
        now = self.at_once
        return self._ended_by("memory") and now is not None and (than is None or now < than)

    @property
    def preempted(self) -> bool:
        return self._ended_by("preempted")

    @property
    def refused(self) -> bool:
        return self._ended_by("refused")

    def _ended_by(self, kind: str) -> bool:
        return any(found["kind"] == kind for found in self._failures().values())

    def error(self) -> FerlineError:
        """What to tell of a job that ended without a model."""
        failures = self._failures()
        if not failures:
            return FerlineError(f"{self._name}: {self._killed()}. The last checkpoint is kept: start it again")
        rank, found = min(failures.items(), key=lambda item: KINDS.index(item[1]["kind"]))
        if found["kind"] == "preempted":
            return Preempted(found["told"])
        if found["kind"] == "refused":
            return FerlineError(found["told"])
        return FerlineError(
            f"{self._name}: process {rank} died, and {self.compute.restarts} restarts did not help: {found['told']}. "
            f"All that was said is in {self.log}; the last checkpoint is kept"
        )

    @classmethod
    def open_in(cls, folder: Path) -> list["Job"]:
        """Those under way on several machines, the newest first."""
        fresh = {file: age for file in folder.glob("*/job.json") if (age := _age(file)) < ABANDONED}
        jobs = [cls(file.parent) for file in sorted(fresh, key=lambda file: fresh[file])]
        return [job for job in jobs if job.compute.nodes > 1]

    @property
    def open(self) -> bool:
        return (self.folder / "job.json").exists()

    def keep_open(self) -> None:
        """By the machine that opened it, every now and then: another passes over a job that nobody keeps open."""
        (self.folder / "job.json").touch()

    def close(self) -> None:
        """No machine joins it from now on."""
        (self.folder / "job.json").unlink(missing_ok=True)

    def wait_until_closed(self, seconds: float = 60) -> None:
        """By the machine that opened it. After its part another machine must not join the same job anew."""
        deadline = time.monotonic() + seconds
        while self.open and time.monotonic() < deadline:
            time.sleep(0.1)

    def _killed(self) -> str:
        """torchrun's own last words on a process that could not speak for itself."""
        said = [line.strip() for line in self.log.read_text().splitlines() if "exitcode" in line or "Signal" in line]
        return f"its processes ended without a reason ({said[-1] if said else 'torchrun said nothing'}); see {self.log}"

    def _failures(self) -> dict[str, dict[str, str]]:
        files = sorted((self.folder / "failed").glob("*.json"))
        return {file.stem: json.loads(file.read_text()) for file in files}

    @property
    def at_once(self) -> int | None:
        """How many images are known to fit into memory together; None: nothing is known."""
        return int(json.loads(self._memory.read_text())) if self._memory.exists() else None

    @property
    def _memory(self) -> Path:
        return self.folder / "at_once.json"

    @property
    def _name(self) -> str:
        return str(self._content()["name"])

    def _content(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / "job.json").read_text()))
        except (OSError, ValueError) as error:
            raise FerlineError(f"{self.folder}: no training to take part in ({error})") from None


def _age(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except OSError:  # closed at this moment
        return ABANDONED


def _from_anywhere(name: str) -> str:
    """A model's folder, for those that take part from another one; the name of one that comes with Ferline as it is."""
    return str(Path(name).resolve()) if name not in shipped() and (Path(name) / "model.json").is_file() else name


def _architecture(content: dict[str, Any]) -> ArchitectureParams:
    augmentation, training = dict(content["augmentation"]), dict(content["training"])
    augmentation["erasing_area"] = tuple(augmentation["erasing_area"])
    training["teachers"] = tuple(training["teachers"])
    parts = {
        "input": InputParams(**content["input"]),
        "training": TrainingParams(**training),
        "augmentation": AugmentationParams(**augmentation),
    }
    return ArchitectureParams(**{**content, **parts})
