"""Faces a second that the quick profile's networks tell on a CPU, and what other ways of asking would change.

    python benchmarks/forward.py --json forward.json

The reference is what evaluation does: batches of 64, contiguous, as they are. Against it stand other batches, torch's
channels-last memory format and torch.compile, with random weights and the same faces. They take turns round by round; a
ratio is taken within a round, and its median is given with its range. It is processor time that counts, on one thread:
other work on the machine changes it little.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import ferline.models  # noqa: F401 - registers the networks
from ferline.models.network import Network, to_input
from ferline.models.registry import create
from ferline.params import ArchitectureParams, load

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = "batch 64"


def made(architecture: ArchitectureParams) -> Network:
    torch.manual_seed(0)
    return create(architecture.model, architecture.input, architecture.weights, architecture.options).eval()


def asked(
    network: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    batch: int,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> float:
    """Processor seconds for all images."""
    start = time.process_time()
    with torch.inference_mode():
        for part in images.split(batch):
            network(to_input(part, (0.0,), (1.0,)).to(memory_format=memory_format))
    return time.process_time() - start


def ways(architecture: ArchitectureParams, images: torch.Tensor, compiled: bool) -> dict[str, Callable[[], float]]:
    network, last = made(architecture), made(architecture).to(memory_format=torch.channels_last)
    found = {f"batch {batch}": lambda batch=batch: asked(network, images, batch) for batch in (64, 16, 32, 128)}
    found["channels last"] = lambda: asked(last, images, 64, torch.channels_last)
    if compiled:
        quick = torch.compile(made(architecture))
        found["compiled"] = lambda: asked(quick, images, 64)
    return found


def measure(name: str, architecture: ArchitectureParams, faces: int, rounds: int, compiled: bool) -> dict[str, Any]:
    side, channels = architecture.input.side, architecture.input.channels
    images = torch.randint(0, 256, (faces, side, side, channels), dtype=torch.uint8)
    contenders = ways(architecture, images, compiled)
    first = {way: waited(run) for way, run in contenders.items()}  # torch picks its kernels and compiles in the first
    times = [{way: run() for way, run in contenders.items()} for _ in range(rounds)]
    return {
        "architecture": name,
        "faces_per_second": faces / statistics.median(each[REFERENCE] for each in times),
        "times_as_fast": {
            way: spread([each[REFERENCE] / each[way] for each in times]) for way in contenders if way != REFERENCE
        },
        "seconds_until_warm": first,
    }


def waited(run: Callable[[], float]) -> float:
    """Seconds by the clock: the compiler is a process of its own."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def spread(ratios: list[float]) -> dict[str, float]:
    return {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="torch.compile as well; it needs a C++ compiler")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    results = []
    for name, architecture in load(ROOT / "params.yaml").architectures.items():
        found = measure(name, architecture, given.faces, given.rounds, given.compile)
        results.append(found)
        ratios = (
            f"{way} {ratio['median']:.2f} ({ratio['least']:.2f}-{ratio['most']:.2f})"
            for way, ratio in found["times_as_fast"].items()
        )
        print(f"{name:18} {found['faces_per_second']:6,.0f} faces a second in batches of 64; x {', '.join(ratios)}")
    if given.json:
        setting = {"faces": given.faces, "threads": given.threads, "rounds": given.rounds}
        versions = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()}
        content = {"setting": setting, "versions": versions, "results": results}
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
