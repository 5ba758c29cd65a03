"""The least time of a training step, for every architecture, input side and batch size: a table in Markdown.

    python benchmarks/floor.py                    predicted for an H200, from the rates below
    python benchmarks/floor.py --device cuda      from this machine's rates, measured now

`floor`: every product at the ceiling or the bandwidth, all else fused into it. `in a graph` and `eager`: what the
operations that eager PyTorch runs would take if each moved its bytes at full bandwidth, started by a CUDA graph or one
by one from Python.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ferline.bench.ceiling import Peak, peak
from ferline.bench.floor import floor
from ferline.bench.work import work
from ferline.params import ArchitectureParams, InputParams, TrainingParams

# A large bf16 product as measured on H200s, 83 % of the 4.8 TB/s on the data sheet, launches as commonly seen.
H200 = Peak("NVIDIA H200, assumed", "bfloat16", 790e12, 4.0e12, launch=5e-6, graph_launch=1.3e-6)
# The papers' own batch sizes and optimisers, as in params.yaml, which a machine with no more than torch does not read.
PAPERS = {
    "resnet50_gru": ArchitectureParams("resnet50_gru", InputParams(224, 3), TrainingParams(50, 32), "imagenet"),
    "cnn_lstm": ArchitectureParams("cnn_lstm", InputParams(48, 1), TrainingParams(50, 32)),
    "cnn_lstm_svm": ArchitectureParams("cnn_lstm_svm", InputParams(48, 1), TrainingParams(50, 64, l2=0.0018)),
    "resnet50_resnet34": ArchitectureParams(
        "resnet50_resnet34", InputParams(224, 3), TrainingParams(30, 32), "imagenet"
    ),
    "resnet50_transfer": ArchitectureParams(
        "resnet50_transfer", InputParams(224, 3), TrainingParams(50, 128, l2=0.01), "imagenet", {"frozen_layers": 40}
    ),
}
HEAD = ("architecture", "side", "batch", "GFLOP an image", "MB an image, least (eager)", "kernels, least (eager)")
HEAD += ("compute ms", "memory ms", "floor ms", "images/s at the floor", "bound by", "in a graph ms", "eager ms")


def row(name: str, architecture: ArchitectureParams, batch: int, ceiling: Peak) -> dict[str, Any]:
    counted = work(architecture, batch, ceiling.precision)
    least = floor(counted, ceiling)
    return {
        "architecture": name,
        "side": architecture.input.side,
        "batch": batch,
        "gflop_an_image": counted.flops / batch / 1e9,
        "least_mb_an_image": counted.least_bytes / batch / 1e6,
        "eager_mb_an_image": counted.eager_bytes / batch / 1e6,
        "least_kernels": counted.least_kernels,
        "eager_kernels": counted.eager_kernels,
        "seconds": least.seconds,
        "images_per_second": least.images_per_second,
        "bound": least.bound,
        **asdict(least),
    }


def line(row: dict[str, Any]) -> str:
    cells = [f"`{row['architecture']}`", row["side"], row["batch"], f"{row['gflop_an_image']:.3g}"]
    cells += [f"{row['least_mb_an_image']:.3g} ({row['eager_mb_an_image']:.3g})"]
    cells += [f"{row['least_kernels']} ({row['eager_kernels']})"]
    cells += [f"{1000 * row[key]:.3g}" for key in ("compute", "memory", "seconds")]
    cells += [f"{row['images_per_second']:,.0f}", row["bound"]]
    cells += [f"{1000 * row[key]:.3g}" for key in ("in_graph", "eager")]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help="measure this device's rates; without it an H200's are assumed")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--sides", type=int, nargs="+", default=[224, 48])
    parser.add_argument("--batch", type=int, default=256, help="beside the paper's own")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()

    ceiling = peak(torch.device(given.device), given.precision) if given.device else H200
    rows = []
    for name, architecture in PAPERS.items():
        for side in given.sides:
            sized = replace(architecture, input=replace(architecture.input, side=side))
            rows += [row(name, sized, batch, ceiling) for batch in (architecture.training.batch_size, given.batch)]
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    print("\n".join(map(line, rows)))
    if given.json:
        given.json.write_text(json.dumps({"ceiling": asdict(ceiling), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
