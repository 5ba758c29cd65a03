"""Packing a folder of small images into a raw set, beside reading the same files and doing nothing with them.

    python benchmarks/pack_folder.py --json pack_folder.json

35,000 different 48x48 images, PNG and JPEG in turn, in split and class folders. The reference opens, reads and closes
each file in the order in which the reader does; packing is RawSet.append(read(folder).rows): listing, reading, the
checksum of every image, and the shards on disk, synced. Each runs in a process of its own, so that the peak is its own,
in turns, and the best of each counts. Warm: every file is in the page cache, and reading is nothing but system calls.
Cold (where the system lets a program ask for it): their bytes come from the disk, as on the day of the download. Beside
it stand the floors of what packing has to do besides reading: one SHA-256 an image, and writing and syncing the bytes.
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ferline.datasets.raw import RawSet
from ferline.datasets.sources.files import images_under
from ferline.datasets.sources.folder import read
from ferline.emotions import EMOTIONS
from ferline.images.parallel import cores

SIDE = 48
SPLITS = ("train", "train", "train", "val", "test")


def make_images(folder: Path, count: int) -> None:
    """Smooth patterns with some noise on them, which compress about as photographs do (1 to 2 kB each)."""
    generator = np.random.default_rng(0)
    for number in range(count):
        split, emotion = SPLITS[number % len(SPLITS)], EMOTIONS[number // len(SPLITS) % len(EMOTIONS)]
        place = folder / split / emotion
        place.mkdir(parents=True, exist_ok=True)
        coarse = generator.integers(0, 256, (6, 6), dtype=np.uint8)
        smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        image = np.clip(smooth + generator.integers(-6, 7, (SIDE, SIDE)), 0, 255).astype(np.uint8)
        ending = (".png", ".jpg")[number % 2]
        (place / f"{number:06d}{ending}").write_bytes(cv2.imencode(ending, image)[1].tobytes())


def read_only(folder: Path) -> dict[str, Any]:
    """The reference: the files in the reader's order, read."""
    paths = [f"{folder}/{path}" for path in images_under(folder)]
    started, total = time.perf_counter(), 0
    for path in paths:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - the least that reading a file takes in Python
            total += len(file.read())
    return {"seconds": time.perf_counter() - started, "images": len(paths), "bytes": total}


def pack(folder: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=folder.parent) as target:
        started, processor = time.perf_counter(), time.process_time()
        images = RawSet(Path(target) / "packed").append(read(folder).rows)
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "processor_seconds": time.process_time() - processor, "images": images}


def floors(folder: Path) -> dict[str, float]:
    """Seconds for one checksum an image, and for that many bytes on disk."""
    images = [(folder / path).read_bytes() for path in images_under(folder)]
    started = time.perf_counter()
    for image in images:
        hashlib.sha256(image).hexdigest()
    hashing = time.perf_counter() - started
    started = time.perf_counter()
    with tempfile.TemporaryFile(dir=folder.parent) as file:
        file.write(b"".join(images))
        file.flush()
        os.fsync(file.fileno())
    return {"checksum_seconds": hashing, "write_seconds": time.perf_counter() - started}


def evict(folder: Path) -> None:
    """Ask the system to forget the files' bytes; what it knows of folders and names stays."""
    os.sync()  # bytes that are not on disk yet are not forgotten
    for path in images_under(folder):
        with (folder / path).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


CHILDREN = {"read": read_only, "pack": pack, "floors": floors}


def alone(what: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", what, str(folder)]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def child(what: str, folder: Path) -> None:
    figures: dict[str, Any] = CHILDREN[what](folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(figures | {"peak_mib": peak / (1 << 20 if platform.system() == "Darwin" else 1 << 10)}))


def compared(folder: Path, rounds: int, cold: bool) -> dict[str, Any]:
    """Reading and packing in turns; the best of each."""
    best: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for what in ("read", "pack"):
            if cold:
                evict(folder)
            run = alone(what, folder)
            best[what] = min(best.get(what, run), run, key=lambda each: each["seconds"])
    reading, packing = best["read"], best["pack"]
    figures = {
        "read_seconds": reading["seconds"],
        "pack_seconds": packing["seconds"],
        "pack_processor_seconds": packing["processor_seconds"],
        "ratio": packing["seconds"] / reading["seconds"],
        "images_per_second": packing["images"] / packing["seconds"],
        "peak_mib": packing["peak_mib"],
    }
    print(
        f"{'cold' if cold else 'warm'}: {packing['images']:,} images ({reading['bytes'] / (1 << 20):.0f} MiB) read in "
        f"{figures['read_seconds']:.2f} s, packed in {figures['pack_seconds']:.2f} s: {figures['ratio']:.2f} times "
        f"reading, {figures['images_per_second']:,.0f} images/s, peak {figures['peak_mib']:.0f} MiB"
    )
    return figures


def measure(count: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "faces"
        make_images(folder, count)
        figures: dict[str, Any] = {"cores": cores(), "images": count, "warm": compared(folder, rounds, cold=False)}
        if hasattr(os, "posix_fadvise"):
            figures["cold"] = compared(folder, rounds, cold=True)
        figures["floors"] = alone("floors", folder)
    floor = figures["floors"]
    print(f"checksums alone {floor['checksum_seconds']:.2f} s, writing and syncing {floor['write_seconds']:.2f} s")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=35_000)
    parser.add_argument("--rounds", type=int, default=3, help="turns of reading and packing; the best of each counts")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], Path(arguments.child[1]))
        return
    figures = measure(arguments.images, arguments.rounds)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
