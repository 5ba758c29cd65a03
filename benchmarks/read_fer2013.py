"""Time and peak memory of packing fer2013.csv into a sealed raw set, beside pandas and NumPy parsing the same file.

    python benchmarks/read_fer2013.py fer2013.csv --json read_fer2013.json

Without a file, one of 35,887 rows of random pixels is made. Each measurement is a process of its own, so that the peak
is that measurement's, and the best of some rounds, taken in turn. What is measured of ours is all of it: the values
read and checked, a SHA-256 an image, Parquet shards, their SHA-256s, and everything on disk. The references end with
the pixels as one array in memory: `pandas.read_csv`, then for each row np.fromstring(text, sep=" "), the fastest way
that NumPy has, or np.array(text.split()), which most scripts hold.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.fer2013 import read
from ferline.images.parallel import cores

ROWS = 35_887
ROUNDS = 5


def pack(path: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return RawSet(Path(folder) / "fer2013").append(read(path).rows)


def fromstring(path: Path) -> int:
    table = pd.read_csv(path)
    return len(np.stack([np.fromstring(text, np.uint8, sep=" ") for text in table["pixels"]]))


def split(path: Path) -> int:
    table = pd.read_csv(path)
    return len(np.stack([np.array(text.split(), np.uint8) for text in table["pixels"]]))


MEASURED: dict[str, Callable[[Path], int]] = {"ferline": pack, "fromstring": fromstring, "split": split}


def measure(name: str, path: Path) -> None:
    """One measurement, printed as JSON: seconds by the wall clock and of processors, peak memory in MB."""
    started, worked = time.perf_counter(), time.process_time()
    rows = MEASURED[name](path)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps({"rows": rows, "seconds": seconds, "processor": processor, "peak_mb": peak}))


def measured(name: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, str(path), "--measure", name]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def made(folder: Path) -> Path:
    """Random pixels, as many digits a value as the real file has."""
    random, path = np.random.default_rng(0), folder / "fer2013.csv"
    words = np.array([str(value) for value in range(256)])
    with path.open("w") as file:
        file.write("emotion,pixels,Usage\n")
        for row in range(ROWS):
            values = random.normal(129, 65, 2304).clip(0, 255).astype(int)
            file.write(f"{row % 7},{' '.join(words[values])},{'Training' if row < 28_709 else 'PublicTest'}\n")
    return path


def report(path: Path, rounds: int) -> dict[str, object]:
    path.read_bytes()  # into the page cache: the disk is not what is measured
    every: dict[str, list[dict[str, float]]] = {name: [] for name in MEASURED}
    for _ in range(rounds):
        for name in MEASURED:
            every[name].append(measured(name, path))
    best = {name: min(results, key=lambda result: result["seconds"]) for name, results in every.items()}
    ours = best["ferline"]
    return {
        "file_mb": path.stat().st_size / 1e6,
        "cores": cores(),
        "machine": platform.processor() or platform.machine(),
        "best": best,
        "times_faster_than": {name: best[name]["seconds"] / ours["seconds"] for name in best if name != "ferline"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", choices=MEASURED, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        result = report(arguments.file or made(Path(folder)), arguments.rounds)
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
