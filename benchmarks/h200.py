"""All that is to be measured on one GPU, in half an hour at one: three commands of ten minutes at most.

    export PYTHONPATH=src
    python benchmarks/h200.py resnet50 --out $OUT      # ResNet50 at 224, switch by switch, batch by batch
    python benchmarks/h200.py papers --out $OUT        # the five architectures at their papers' batch sizes
    python -m pytest tests/training/test_gpu.py tests/augment   # does it hold there? -k "not compile" for less time

Needs torch, torchvision, OpenCV, scikit-learn, pandas, pyarrow, safetensors. Prints tables, and writes JSON after every
row, so that a run cut short loses one row. `--faces FOLDER` measures on a FaceSet instead of noise.
"""

import argparse
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from floor import PAPERS

from ferline.artifact import scratch_folder, write_json
from ferline.bench.ceiling import Peak, peak
from ferline.bench.compare import Comparison, as_json, compare, sized, table
from ferline.bench.faces import noise
from ferline.faces.faceset import FaceSet
from ferline.params import ArchitectureParams, AugmentationParams, ComputeParams

# As in params.yaml, whose reader needs pydantic.
AUGMENTATIONS = {
    "resnet50_gru": AugmentationParams(rotation=30, shear=10, zoom=0.2, horizontal_flip=0.5, vertical_flip=0.5),
    "cnn_lstm": AugmentationParams(rotation=15, zoom=0.1, horizontal_flip=0.5),
    "cnn_lstm_svm": AugmentationParams(rotation=10, zoom=0.1, horizontal_flip=0.5, balance="oversample"),
    "resnet50_resnet34": AugmentationParams(rotation=10, horizontal_flip=0.5),
    "resnet50_transfer": AugmentationParams(rotation=72, zoom=0.2, horizontal_flip=0.5),
}
SWITCHES = {
    "eager": ComputeParams(),
    "graphs": ComputeParams(graphs=True),
    "streamed": ComputeParams(resident_share=0.0),
    "compile": ComputeParams(compile=True),  # from here on a minute and more before the first number
    "compile, graphs": ComputeParams(compile=True, graphs=True),
}
COUNT = 8_192  # training faces: whole batches of every size, which no last one would have compiled again


def architecture(name: str) -> ArchitectureParams:
    """The paper's, from random weights: their values change no speed. With random weights no layer is frozen."""
    return replace(PAPERS[name], augmentation=AUGMENTATIONS[name], weights="none", options=_options(name))


def _options(name: str) -> dict[str, bool | int | float | str]:
    return {"frozen_layers": 0} if name == "resnet50_transfer" else {}


def faces_of(given: ArchitectureParams, folder: Path | None, count: int) -> FaceSet:
    """At the input's own size, as the pipeline's resize step makes them."""
    return FaceSet(folder) if folder else _noise(given.input.side, given.input.channels, count)


@cache  # of 224 pixels it is more than a gigabyte
def _noise(side: int, channels: int, count: int) -> FaceSet:
    return noise(scratch_folder() / "faces", count, side, channels)


class Report:
    """Rows as they come, on the screen and in one JSON file."""

    def __init__(self, file: Path, ceiling: Peak) -> None:
        self._file, self._ceiling, self._rows = file, ceiling, []
        self._started = time.monotonic()

    def add(self, row: Comparison) -> None:
        self._rows.append(row)
        write_json(self._file, as_json(self._rows, {"bfloat16": self._ceiling}))
        print(f"{time.monotonic() - self._started:5.0f} s  {' | '.join(row.row())}", flush=True)

    def end(self) -> None:
        print(table(self._rows))


def resnet50(report: Report, arguments: argparse.Namespace, ceiling: Peak) -> None:
    """The bars: 5,500 images/s at batch 256 or more; 0.97 of (a); 3 times (b)."""
    base = architecture("resnet50_transfer")
    faces = faces_of(base, arguments.faces, arguments.count)
    for name, compute in SWITCHES.items():
        for batch in arguments.batches:
            given, with_plain = sized(base, None, batch), name == "eager"
            report.add(_compared(f"resnet50, {name}", given, faces, ceiling, compute, arguments, with_plain))


def papers(report: Report, arguments: argparse.Namespace, ceiling: Peak) -> None:
    """The bar: twice (b) at the papers' own batch sizes; cnn_lstm within 1.5 of what bounds it."""
    for switch in ("eager", "graphs", "compile"):
        for name in arguments.names:
            given = architecture(name)
            faces = faces_of(given, arguments.faces, arguments.count)
            row = f"{name}, {switch}"
            report.add(_compared(row, given, faces, ceiling, SWITCHES[switch], arguments, switch == "eager"))


def _compared(
    name: str, given: ArchitectureParams, faces: FaceSet, ceiling: Peak, compute: ComputeParams,
    arguments: argparse.Namespace, with_plain: bool,
) -> Comparison:  # fmt: skip
    return compare(name, given, faces, ceiling, compute, arguments.seconds, arguments.rounds, with_plain)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["resnet50", "papers"])
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--names", nargs="+", default=list(PAPERS), choices=list(PAPERS))
    parser.add_argument("--batches", type=int, nargs="+", default=[256], help="512 too, where ten minutes are not all")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    measured = peak(device, "bfloat16")
    print(f"{measured.device}: {measured.flops / 1e12:.0f} TFLOP/s, {measured.bandwidth / 1e12:.2f} TB/s", flush=True)
    report = Report(given.out / f"{given.part}.json", measured)
    {"resnet50": resnet50, "papers": papers}[given.part](report, given, measured)
    report.end()
