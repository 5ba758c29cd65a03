"""The demo's training beside a plain PyTorch loop: the quick profile's architectures, whole epochs with validation.

    python benchmarks/demo_training.py [--epochs 4] [--rounds 2] [--json FILE]

Both train the profile's epochs on as many faces as the demo has, in turn, and of the rounds the quickest counts: all of
it, from making the network to checkpoints and the SVM. With `--epochs` it is so many of each, and the total that which
the profile's would take; what a training does once weighs more in it then.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ferline.artifact import scratch_folder, write_json
from ferline.augment.policy import AugmentationPolicy
from ferline.bench.faces import noise
from ferline.bench.plain import plain, train_plainly
from ferline.faces.faceset import FaceSet
from ferline.params import ArchitectureParams, load
from ferline.training.loop import train

FACES = 1680  # the demo's training split
BAR = 1.5


@dataclass(frozen=True)
class Row:
    name: str
    epochs: int
    ours: float  # seconds an epoch
    plain: float
    workers: int


def measure(name: str, architecture: ArchitectureParams, faces: FaceSet, epochs: int | None, rounds: int) -> Row:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    workers = plain(faces, architecture, device, seconds=2).workers or 0
    epochs = epochs or architecture.training.epochs
    few = replace(architecture, training=replace(architecture.training, epochs=epochs, early_stopping=0))
    policy = AugmentationPolicy.write(few.augmentation, faces, few.input, 0)
    card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    ours, theirs = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        train(name, few, faces, policy, card=card, checkpoints=scratch_folder() / "checkpoints")
        ours.append(time.perf_counter() - start)
        theirs.append(train_plainly(faces, architecture, device, workers, epochs).seconds)
    return Row(name, architecture.training.epochs, min(ours) / epochs, min(theirs) / epochs, workers)


def main(epochs: int | None, rounds: int, file: Path | None) -> None:
    rows = []
    print("| architecture | epochs | s an epoch | plain loop | times as fast | its workers |")
    print("|---|---|---|---|---|---|")
    for name, architecture in load("params.yaml").architectures.items():
        faces = noise(scratch_folder() / "faces", FACES, architecture.input.side, architecture.input.channels)
        row = measure(name, architecture, faces, epochs, rounds)
        rows.append(row)
        told = f"{row.ours:.2f} | {row.plain:.2f} | {row.plain / row.ours:.2f} | {row.workers}"
        print(f"| `{row.name}` | {row.epochs} | {told} |", flush=True)
    ours, theirs = (sum(getattr(row, key) * row.epochs for row in rows) for key in ("ours", "plain"))
    print(f"\nall of it: {ours:.0f} s, the plain loop {theirs:.0f} s: {theirs / ours:.2f} times as fast (bar: {BAR})")
    if file:
        write_json(file, {"rows": [row.__dict__ for row in rows], "ours_s": ours, "plain_s": theirs})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, help="instead of the profile's")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    main(arguments.epochs, arguments.rounds, arguments.json)
