"""What `ferline drift` takes, how often it raises a false alarm, and what it finds.

    python benchmarks/drift.py                                   # the time
    python benchmarks/drift.py --splits 100 --model FOLDER       # alarms and findings, with a trained model
    python benchmarks/drift.py --splits 100 --model FOLDER --keep measured --only clean

The time: 2,000 against 2,000 synthetic images with a `cnn_lstm` of random weights, once as faces of 48 pixels cut out
already and once as photographs of about 210; beside it what reading and cropping the same images takes alone.

Alarms: 84 synthetic people whom the model was not trained on, 28 images each. Again and again 60 of them are the
reference and the other 24 the new side, whose images are as they were, or changed. `--keep` is a folder for what was
measured of the images, so that a later run judges at once; `--only` is one of the changes.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from ferline.datasets.raw import RawSet
from ferline.datasets.synthetic import faces, scene
from ferline.datasets.synthetic.backdrop import backdrop
from ferline.drift.batches import Batch, find
from ferline.drift.compare import Settings, compare
from ferline.drift.judge import DRIFT, NONE, judge
from ferline.drift.measure import TASK, Gauge, Measured, measure
from ferline.emotions import EMOTIONS
from ferline.faces.cropper import FaceCropper
from ferline.images.decode import decode
from ferline.images.parallel import cores, in_order
from ferline.models.registry import create
from ferline.models.trained import TrainedModel
from ferline.params import DatasetParams, FaceParams, InputParams

IMAGES, DIFFERENT = 2000, 64
PEOPLE, REFERENCE = 84, 60
SEED = 8  # another than the demo's, whose people a model may know


def darker(bgr: np.ndarray) -> np.ndarray:
    return (bgr * 0.8).astype(np.uint8)


def blurred(bgr: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(bgr, (0, 0), 1.5)


def tighter(bgr: np.ndarray) -> np.ndarray:
    """A tenth off every side."""
    height, width = bgr.shape[:2]
    return bgr[height // 10 : height - height // 10, width // 10 : width - width // 10]


def empty(bgr: np.ndarray) -> np.ndarray:
    """A place with nobody in it, of the same size."""
    random = np.random.default_rng(int(bgr.sum()))
    return np.clip(backdrop(random, *bgr.shape[:2]), 0, 255).astype(np.uint8)


PICTURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "darker by 20 %": darker,
    "blurred, sigma 1.5": blurred,
    "a tenth off every side": tighter,
    "no faces": empty,
}
HAPPY, TENTH = "happy three times as often", "no faces in a tenth"
CHANGES = ("clean", *PICTURES, HAPPY, TENTH)


def jpeg(bgr: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())


def random_model(folder: Path) -> TrainedModel:
    card = {"architecture": "cnn_lstm", "preprocessing": {}, "data_digest": "", "augmentation_digest": ""}
    card |= {"training": {}, "seed": 0, "best_epoch": 0}
    return TrainedModel.write(create("cnn_lstm", InputParams(48, 1), "none", {}), card, [], folder / "model")


def add_set(root: Path, name: str, cropped: bool, side: int | None) -> None:
    """2,000 images, 64 different ones again and again, each with a pixel of its own."""
    pictures = [scene(0, number, EMOTIONS[number % 7], 0)[..., ::-1] for number in range(DIFFERENT)]
    rows = []
    for number in range(IMAGES):
        picture = pictures[number % DIFFERENT].copy()
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) if side else picture
        picture[0, 0] = number // 256, number % 256, len(name)
        rows.append({"id": f"{name}-{number}", "image": cv2.imencode(".png", picture)[1].tobytes(), "source": "drawn"})
    RawSet(root / "data" / "raw" / name).append(rows, card=lambda: {"cropped": cropped})


class Clock:
    """Seconds on the wall, and of the processor, which other work on the machine changes little."""

    def __enter__(self) -> "Clock":
        self.started = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.processor = time.perf_counter() - self.started[0], time.process_time() - self.started[1]


def crop_alone(sides: list[Batch], cropped: bool) -> None:
    """Read and crop every image, and no more."""
    cropper = FaceCropper(FaceParams(), cropped)
    for side in sides:
        for _ in in_order(lambda task: [cropper.crop(decode(data)) for data in task[1]], side.sources(TASK)):
            pass


def measure_time() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for what, cropped, side in (("faces of 48 pixels", True, 48), ("photographs of about 210", False, None)):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in ("reference", "new"):
                add_set(root, name, cropped, side)
            sides = [find(name, root, DatasetParams("none")) for name in ("reference", "new")]
            model = random_model(root)
            with Clock() as alone:
                crop_alone(sides, cropped)
            with Clock() as whole:
                compare(sides[0], sides[1], model, FaceParams(), Settings(images=IMAGES))
        ratio = whole.processor / alone.processor
        found[what] = {"seconds": whole.wall, "processor_seconds": whole.processor, "ratio": ratio}
        print(
            f"{IMAGES:,} against {IMAGES:,} {what}, {cores()} cores: {whole.wall:.1f} s ({whole.processor:.1f} s of "
            f"processor), {ratio:.2f} times reading and cropping alone ({alone.processor:.1f} s of processor)"
        )
    return found


class Drawn(Batch):
    """Images in memory."""

    blobs: list[bytes]

    def sources(self, size: int) -> Any:
        for first in range(0, len(self.table), size):
            yield self.table.iloc[first : first + size], self.blobs[first : first + size]


@cache
def people() -> list[dict[str, Any]]:
    return list(faces(PEOPLE, 4, SEED))


def measured(change: str, model: TrainedModel, keep: Path) -> Measured:
    """All people's images under one change, measured, or as they were measured before."""
    stem = keep / hashlib.sha256(f"{change} {model.digest}".encode()).hexdigest()[:12]
    if not stem.with_suffix(".npy").exists():
        alter, rows = PICTURES.get(change), people()
        table = pd.DataFrame([{name: row[name] for name in ("id", "subject", "sha256", "label")} for row in rows])
        batch = Drawn(change, table, keep, False, len(rows), frozenset())
        images = [row["image"] for row in rows]
        if alter:
            images = [jpeg(alter(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))) for data in images]
        object.__setattr__(batch, "blobs", images)
        found = measure(batch, Gauge(model, FaceParams()), False)
        found.table.assign(label=table["label"]).to_parquet(stem.with_suffix(".parquet"))
        np.save(stem.with_suffix(".npy"), found.features)
    looks = pd.read_parquet(stem.with_suffix(".parquet"))
    batch = Batch(change, looks, keep, False, len(looks), frozenset())
    return Measured(batch, looks, np.load(stem.with_suffix(".npy")), pd.DataFrame(columns=["id", "reason"]))


def part(side: Measured, rows: np.ndarray) -> Measured:
    return Measured(side.batch, side.table.iloc[rows].reset_index(drop=True), side.features[rows], side.unreadable)


def new_side(sides: dict[str, Measured], change: str, rows: np.ndarray, random: np.random.Generator) -> Measured:
    clean = sides["clean"]
    if change == HAPPY:
        happy = rows[clean.table["label"].to_numpy()[rows] == "happy"]
        return part(clean, np.concatenate([rows, happy, happy]))
    if change == TENTH:
        gone = random.random(len(rows)) < 0.1
        some, rest = part(sides["no faces"], rows[gone]), part(clean, rows[~gone])
        table = pd.concat([rest.table, some.table], ignore_index=True)
        return Measured(clean.batch, table, np.concatenate([rest.features, some.features]), clean.unreadable)
    return part(sides[change], rows)


def alarms(sides: dict[str, Measured], change: str, by: str, splits: int) -> dict[str, Any]:
    """In how many of the splits anything, and what, is significant, and a drift. `by` is what is dealt out."""
    who = sides["clean"].table["subject"].to_numpy()
    significant, drift = [], []
    for split in range(splits):
        random = np.random.default_rng(split)
        chosen = np.isin(who, random.permutation(np.unique(who))[:REFERENCE])
        if by == "images at random":
            chosen = random.permutation(chosen)
        reference, rows = part(sides["clean"], np.flatnonzero(chosen)), np.flatnonzero(~chosen)
        new = new_side(sides, change, rows, random)
        fair = np.ones(len(reference.table), bool)
        lines = judge(reference, new, fair, 0.01, split, people=by == "people").lines
        significant.append({line.name: line.verdict != NONE for line in lines})
        drift.append({line.name: line.verdict == DRIFT for line in lines})
    drifts, any_ = pd.DataFrame(drift), pd.DataFrame(significant).any(axis=1).mean()
    by_line = {str(name): float(share) for name, share in drifts.mean().items() if share}
    found = {"significant": float(any_), "drift": float(drifts.any(axis=1).mean()), "lines": by_line}
    told = ", ".join(f"{name} {share:.2f}" for name, share in by_line.items())
    print(
        f"{change:28} dealt by {by:17} of {splits}: significant {any_:.2f}, drift {found['drift']:.2f}  {told}",
        flush=True,
    )
    return found


def measure_alarms(model: TrainedModel, splits: int, keep: Path, only: list[str]) -> dict[str, Any]:
    keep.mkdir(parents=True, exist_ok=True)
    needed = {"clean", *(["no faces"] if TENTH in only else []), *(set(only) & PICTURES.keys())}
    sides = {change: measured(change, model, keep) for change in CHANGES if change in needed}
    found: dict[str, Any] = {}
    for change in only:
        ways = ("people", "images", "images at random") if change == "clean" else ("people",)
        found[change] = {by: alarms(sides, change, by, splits) for by in ways}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, help="how many for the alarms; without it the time is measured")
    parser.add_argument("--model", type=Path, help="a trained model's folder, for the alarms")
    parser.add_argument("--keep", type=Path, help="a folder for what was measured")
    parser.add_argument("--only", choices=CHANGES, action="append", help="these changes alone")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if arguments.splits and not arguments.model:
        parser.error("--splits needs --model: random weights tell nothing apart")
    with tempfile.TemporaryDirectory() as folder:
        keep = arguments.keep or Path(folder)
        found = (
            measure_alarms(TrainedModel(arguments.model), arguments.splits, keep, arguments.only or list(CHANGES))
            if arguments.splits
            else measure_time()
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
