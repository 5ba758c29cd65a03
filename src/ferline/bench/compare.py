"""One architecture's speed beside the three yardsticks, all measured in one run on one device."""

import gc
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ferline.bench import ours
from ferline.bench.ceiling import Peak
from ferline.bench.floor import floor, utilisation
from ferline.bench.plain import plain
from ferline.bench.timing import Timing
from ferline.bench.work import work
from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.params import ArchitectureParams, ComputeParams

HEAD: tuple[str, ...] = (
    "architecture",
    "side",
    "batch",
    "images/s",
    "MFU",
    "of its floor",
    "memory MB",
    "outside the model",
)
HEAD += ("x (a) fixed batch", "x (b) plain loop", "(b) images/s", "workers of (b)")


@dataclass(frozen=True)
class Comparison:
    """Medians over the rounds; ratios are of neighbouring measurements, so that a machine's moods cancel."""

    name: str
    side: int
    batch: int
    numbers: str
    images_per_second: float
    fixed_images_per_second: float
    plain_images_per_second: float | None
    of_fixed: float
    of_plain: float | None
    of_floor: float  # the floor's time as a share of ours
    utilisation: float  # of the device's matrix ceiling, counting the model's operations alone
    outside: float  # the share of a step that is not the model and its optimiser
    peak_bytes: int | None
    workers: int | None

    def row(self) -> list[str]:
        memory = f"{self.peak_bytes / 1e6:,.0f}" if self.peak_bytes else "-"
        rest = [f"{self.of_fixed:.2f}", f"{self.of_plain:.2f}" if self.of_plain else "-"]
        rest += [f"{self.plain_images_per_second:,.0f}" if self.plain_images_per_second else "-", str(self.workers)]
        return [
            f"`{self.name}`", str(self.side), str(self.batch), f"{self.images_per_second:,.0f}",
            f"{self.utilisation:.0%}", f"{self.of_floor:.0%}", memory, f"{self.outside:.1%}", *rest,
        ]  # fmt: skip


def compare(
    name: str,
    architecture: ArchitectureParams,
    faces: FaceSet,
    peak: Peak,
    compute: ComputeParams | None = None,
    seconds: float = 10.0,
    rounds: int = 3,
    with_plain: bool = True,
) -> Comparison:
    """`seconds` of each contender in each of `rounds`, one after the other."""
    _release()
    # Every contender at the whole side: a training that begins with smaller faces would look faster than it is.
    architecture = replace(architecture, training=replace(architecture.training, grow_from=0))
    engine = ours.made(faces, architecture, compute or ComputeParams())
    device = engine.device
    peak_bytes = ours.measured(ours.with_faces(engine), device, seconds / 4).peak_bytes  # while nothing else is there
    workers = plain(faces, architecture, device, seconds=seconds / 4).workers if with_plain else None
    with_faces, on_one = (
        ours.with_faces(engine),
        ours.on_one_batch(ours.made(faces, architecture, compute or ComputeParams())),
    )
    mine, fixed, theirs = [], [], []
    for _ in range(rounds):
        mine.append(ours.measured(with_faces, device, seconds))
        fixed.append(ours.measured(on_one, device, seconds))
        if with_plain:
            theirs.append(plain(faces, architecture, device, seconds=seconds, workers=workers))
    if engine.at_once < architecture.training.batch_size:
        raise FerlineError(
            f"{name}: {architecture.training.batch_size} images at a time are more than the memory takes"
        )
    step = statistics.median(timing.step_seconds for timing in mine)
    batch, numbers = architecture.training.batch_size, str(engine.placement.dtype).removeprefix("torch.")
    counted = work(architecture, batch, numbers)
    of_fixed = _ratio(mine, fixed)
    return Comparison(
        name, architecture.input.side, batch, numbers,
        images_per_second=_speed(mine),
        fixed_images_per_second=_speed(fixed),
        plain_images_per_second=_speed(theirs) if theirs else None,
        of_fixed=of_fixed,
        of_plain=_ratio(mine, theirs) if theirs else None,
        of_floor=floor(counted, peak).seconds / step,
        utilisation=utilisation(counted, step, peak),
        outside=max(0.0, 1 - of_fixed),
        peak_bytes=peak_bytes,
        workers=workers,
    )  # fmt: skip


def table(comparisons: Sequence[Comparison]) -> str:
    """In Markdown."""
    lines = [HEAD, ["---"] * len(HEAD), *(comparison.row() for comparison in comparisons)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_json(comparisons: Sequence[Comparison], peaks: Mapping[str, Peak]) -> dict[str, Any]:
    """With the device's ceilings in each kind of number."""
    ceilings = {numbers: asdict(peak) for numbers, peak in peaks.items()}
    return {"peaks": ceilings, "torch": torch.__version__, "rows": [asdict(each) for each in comparisons]}


def sized(architecture: ArchitectureParams, side: int | None, batch: int | None) -> ArchitectureParams:
    """With another input side or batch size."""
    input, training = architecture.input, architecture.training
    input = replace(input, side=side) if side else input
    return replace(architecture, input=input, training=replace(training, batch_size=batch) if batch else training)


def _release() -> None:
    """What an earlier comparison left: engines are in cycles, and compiled code is kept."""
    gc.collect()
    torch.compiler.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _speed(timings: Sequence[Timing]) -> float:
    return statistics.median(timing.images_per_second for timing in timings)


def _ratio(mine: Sequence[Timing], theirs: Sequence[Timing]) -> float:
    pairs = zip(mine, theirs, strict=True)
    return statistics.median(one.images_per_second / other.images_per_second for one, other in pairs)
