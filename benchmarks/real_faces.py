"""From a download to a FaceSet without a raw set in between, for machines without ZenML and Great Expectations.

Reads, decides labels, splits and resizes by the library's own parts, as `ferline data add`, ingest, validate (its
policy of exact copies) and resize do in turn.
"""

import hashlib
import json
import platform
import shutil
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from ferline.artifact import sha256_of, staging, state_folder, write_json
from ferline.datasets.labels import labelled
from ferline.datasets.protocols import assign, leaks_by_design, side_named
from ferline.datasets.samples import SPLITS
from ferline.datasets.sources import SOURCES
from ferline.faces.faceset import TABLE_COLUMNS, FaceSet, ImageWriter
from ferline.faces.resize import resized
from ferline.images.decode import decode
from ferline.models.predecessors import Predecessors
from ferline.params import ArchitectureParams, DatasetParams, FaceParams, InputParams

COLUMNS = ("id", "image", "label", "votes", "subject", "sequence", "split", "attributes")


def faces_of(
    reader: str,
    source: Path,
    dataset: DatasetParams,
    preprocessing: FaceParams,
    folder: Path,
    votes: Path | None = None,
    as_found: bool = False,
) -> FaceSet:
    """Every image at `preprocessing.side`; `as_found`: in the set's own sides, however many these are."""
    table = _read(reader, source, votes)
    table, _ = labelled(table, dataset)
    if as_found:
        table["fold"] = None
    else:
        split, fold, _ = assign(table, dataset)
        table = table.assign(split=split, fold=fold)
    if not leaks_by_design(dataset.protocol) and not dataset.folds:
        table = without_copies(table)
    files = {path.name: sha256_of(path) for path in (source, votes) if path and path.is_file()}
    return _sealed(table.reset_index(drop=True), dataset, preprocessing, files, folder)


def without_copies(table: pd.DataFrame) -> pd.DataFrame:
    """Of pictures that stand on two sides, pixel for pixel, test keeps its own, then validation."""
    for at, side in enumerate(SPLITS[:-1]):
        held_out = set(table.loc[table["split"].isin(SPLITS[at + 1 :]), "sha256"])
        table = table[(table["split"] != side) | ~table["sha256"].isin(held_out)]
    return table


def commit() -> str | None:
    """Of the code that runs; None outside of a checkout, or without git."""
    if not shutil.which("git"):
        return None
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(git, capture_output=True, text=True).stdout.strip() or None


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


class Clock:
    """Seconds of a training over all its sittings, beside its checkpoints; of one cut short, those of whole epochs."""

    def __init__(self, checkpoints: Path) -> None:
        self.file = checkpoints.with_name(f"{checkpoints.name}.json")
        self._before = json.loads(self.file.read_text())["seconds"] if self.file.exists() else 0.0
        self._started = time.monotonic()

    def note(self, _: object = None) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, {"seconds": self._seconds()})

    def stop(self) -> float:
        self.file.unlink(missing_ok=True)
        return self._seconds()

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._started


def checkpoints_of(name: str, recipe: ArchitectureParams, faces: FaceSet) -> Path:
    """Where a training of this recipe on these faces goes on, should it be stopped."""
    own = (name, recipe, faces.digest, faces.split_digest, Predecessors.of(recipe).digests)
    return state_folder("checkpoints") / f"{name}-{hashlib.sha256(repr(own).encode()).hexdigest()[:16]}"


def _read(reader: str, source: Path, votes: Path | None) -> pd.DataFrame:
    found = SOURCES[reader].read(source, **({"votes": votes} if votes else {}))
    table = pd.DataFrame([{name: row.get(name) for name in COLUMNS} for row in found.rows])
    table["sha256"] = [hashlib.sha256(image).hexdigest() for image in table["image"]]
    table["split"] = [side_named(side) if side else None for side in table["split"]]
    return table


def _sealed(
    table: pd.DataFrame, dataset: DatasetParams, preprocessing: FaceParams, files: dict[str, str], folder: Path
) -> FaceSet:
    own = pd.DataFrame(dict.fromkeys(TABLE_COLUMNS), index=table.index)
    for column in ("id", "votes", "subject", "sequence", "split", "sha256", "fold"):
        own[column] = table[column]
    own["label"] = [dataset.emotions.index(label) for label in table["label"]]
    size = InputParams(preprocessing.side, 1 if preprocessing.colour == "grey" else 3)
    pictures = hashlib.sha256("".join(table["sha256"]).encode()).hexdigest()
    with staging(folder) as work:
        with ImageWriter(work, len(own), size.side, size.channels) as writer:
            for image in table["image"]:
                writer.append(resized(decode(image), size)[None])
        own.to_parquet(work / "faces.parquet", index=False)
        origin: dict[str, Any] = {
            "dataset": asdict(dataset),
            "data_digest": hashlib.sha256("".join([pictures, *files.values()]).encode()).hexdigest(),
            "files": files,
            "preprocessing": asdict(preprocessing),
            "cropped": True,
            "shareable": False,
        }
        write_json(work / "origin.json", origin)
    return FaceSet(folder)
