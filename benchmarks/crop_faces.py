"""Time and peak memory of crop_faces at two sizes of set, beside the loop that most scripts hold.

    python benchmarks/crop_faces.py --json crop_faces.json

Synthetic photographs, twice their own size (about 400 pixels), as JPEG; 64 different ones, repeated under ids of
their own. Each size is cropped by a process of its own, so that the peak is that size's. The reference runs in this
process on one thread over the first 200: haarcascade_frontalface_default.xml at scale 1.1 on the whole frame, the
largest face cut out and resized; no levelling. Ratios are of processor time an image, which other work on the machine
changes little; the wall clock is given beside it.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from ferline.datasets.samples import Samples
from ferline.datasets.shards import ShardWriter
from ferline.datasets.synthetic import scene
from ferline.emotions import EMOTIONS
from ferline.faces.crop import crop
from ferline.images.parallel import cores
from ferline.params import FaceParams

DIFFERENT = 64
REFERENCE = 200
SHARD_ROWS = 2_000


def photographs() -> list[bytes]:
    """JPEGs of different people, about 400 pixels a side."""
    files = []
    for person in range(DIFFERENT):
        picture = scene(0, person, EMOTIONS[person % len(EMOTIONS)], 0)
        large = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        files.append(cv2.imencode(".jpg", cv2.cvtColor(large, cv2.COLOR_RGB2BGR))[1].tobytes())
    return files


def make_samples(files: list[bytes], count: int, folder: Path) -> Samples:
    """`count` images under `folder`, the same few again and again."""
    shards = folder / "shards"
    shards.mkdir(parents=True)
    rows = []
    for first in range(0, count, SHARD_ROWS):
        writer = ShardWriter(shards / f"{first:07d}.parquet")
        for number in range(first, min(first + SHARD_ROWS, count)):
            image = files[number % len(files)]
            row = {
                "id": f"{number:07d}",
                "label": EMOTIONS[number % len(files) % len(EMOTIONS)],
                "votes": None,
                "subject": f"{number % len(files)}",
                "sequence": None,
                "split": "train",
                "source": f"{number:07d}.jpg",
                "sha256": sha256(image).hexdigest(),
            }
            writer.append({**row, "image": image})
            rows.append({**row, "shard": writer.path.name, "row": number - first})
        writer.close()
    return Samples.write(pd.DataFrame(rows), shards, folder / "samples")


def reference(files: list[bytes]) -> float:
    """Processor milliseconds an image of the usual loop."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    cv2.setNumThreads(1)
    started = time.process_time()
    for number in range(REFERENCE):
        image = cv2.imdecode(np.frombuffer(files[number % len(files)], np.uint8), cv2.IMREAD_COLOR)
        boxes = cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 1.1, 5)
        x, y, width, height = max(boxes, key=lambda box: box[2], default=(0, 0, *image.shape[1::-1]))
        cv2.resize(image[y : y + height, x : x + width], (96, 96))
    return (time.process_time() - started) / REFERENCE * 1000


def crop_alone(samples: Path) -> None:
    """What the child process does: crop, and say what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(dir=samples.parent) as folder:
        faces = crop(Samples(samples), FaceParams(), Path(folder) / "faces")
        figures = {
            "images": len(faces),
            "seconds": time.perf_counter() - wall,
            "processor_ms": (time.process_time() - processor) / len(faces) * 1000,
            "detection_rate": faces.summary()["detection_rate"],
            "levelled": float(faces.table["levelled"].mean()),
            "digest": faces.digest,
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["peak_mib"] = peak / (1 << 20 if platform.system() == "Darwin" else 1 << 10)
    print(json.dumps(figures))


def measure(files: list[bytes], count: int, usual: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        samples = make_samples(files, count, Path(folder))
        command = [sys.executable, __file__, "--child", str(samples.folder)]
        figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    figures["images_per_second"] = count / figures["seconds"]
    figures["ratio"] = usual / figures["processor_ms"]
    print(
        f"{count:>7,} images: {figures['seconds']:7.1f} s, {figures['images_per_second']:6.1f} images/s, "
        f"peak {figures['peak_mib']:4.0f} MiB, {figures['processor_ms']:5.1f} ms of processor an image "
        f"({figures['ratio']:.2f} times the reference's speed), found {figures['detection_rate']:.1%}"
    )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        crop_alone(arguments.child)
        return
    files = photographs()
    usual = reference(files)
    print(f"{cores()} cores. The usual loop: {usual:.1f} ms of processor an image, {REFERENCE} images")
    runs = [measure(files, count, usual) for count in arguments.sizes]
    if len(runs) > 1:
        print(f"peak memory, largest set to smallest: {runs[-1]['peak_mib'] / runs[0]['peak_mib']:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"cores": cores(), "reference_ms": usual, "runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    main()
