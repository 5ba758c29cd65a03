"""Data that the tests make for themselves, and a place of their own for all state."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ferline.artifact import staging, write_json
from ferline.augment.policy import AugmentationPolicy
from ferline.emotions import EMOTIONS
from ferline.faces.faceset import FaceSet, ImageWriter
from ferline.jobs.job import Job
from ferline.params import ArchitectureParams, ComputeParams, FaceParams

torch.set_num_threads(1)  # two processes of tests run side by side on what may be two cores


@pytest.fixture(autouse=True, scope="session")
def _own_scratch(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["FERLINE_SCRATCH"] = str(tmp_path_factory.mktemp("state") / "scratch")


def patterns(
    count: int, side: int, channels: int, seed: int, classes: int = len(EMOTIONS)
) -> tuple[np.ndarray, np.ndarray]:
    """Noise with one bright square whose place is the class: soon learnt by anything that can learn."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = generator.integers(0, 120, (count, side, side, channels), dtype=np.uint8)
    cell = side // 3
    for image, label in zip(images, labels, strict=True):
        y, x = divmod(int(label), 3)
        image[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell] += 120
    return images, labels


def write_faces(
    folder: Path,
    train: int = 70,
    validation: int = 28,
    test: int = 28,
    side: int = 48,
    channels: int = 1,
    seed: int = 0,
    emotions: tuple[str, ...] = EMOTIONS,
    votes: Callable[[np.ndarray], np.ndarray] | None = None,
) -> FaceSet:
    """A FaceSet of patterns: `train`, `validation` and `test` images of each class in turn.

    `votes` gives the shares of votes of some labels, int64[N].
    """
    splits = np.repeat(["train", "validation", "test"], [train, validation, test])
    classes = len(emotions)
    parts = [patterns(n, side, channels, seed + i, classes) for i, n in enumerate((train, validation, test)) if n]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    number = len(images)
    table = pd.DataFrame(
        {
            "id": [f"{split}-{i}" for i, split in enumerate(splits)],
            "label": labels,
            "votes": list(votes(labels).astype(np.float32)) if votes else None,
            "subject": [f"{split}-p{i % 5}" for i, split in enumerate(splits)],
            "sequence": None,
            "split": splits,
            "source": "made by the test",
            "sha256": [hashlib.sha256(f"{seed}-{i}".encode()).hexdigest() for i in range(number)],
            "attributes": None,
            "found": True,
            "faces": 1,
            "levelled": True,
            "box": [[0, 0, side, side]] * number,
        }
    )
    name = f"faces-{train}-{validation}-{test}-{side}-{channels}-{seed}-{classes}"
    target = folder / (f"{name}-votes" if votes else name)
    with staging(target) as work:
        with ImageWriter(work, number, side, channels) as writer:
            writer.append(images)
        table.to_parquet(work / "faces.parquet", index=False)
        dataset = {"name": "patterns", "protocol": "official", "shares": [0.8, 0.1, 0.1], "seed": 0}
        dataset |= {} if emotions == EMOTIONS else {"emotions": list(emotions)}
        origin = {"dataset": dataset, "data_digest": f"{seed:064x}", "preprocessing": asdict(FaceParams())}
        origin |= {"leaks": {"exact": 0, "subject": 0, "sequence": 0}, "shareable": True}
        write_json(work / "origin.json", origin)
    return FaceSet(target)


@pytest.fixture
def make_faces(tmp_path: Path) -> Callable[..., FaceSet]:
    """`write_faces` into the test's own folder."""
    return partial(write_faces, tmp_path)


@pytest.fixture(scope="session")
def faces_in() -> Callable[..., FaceSet]:
    """`write_faces` into a folder that is given first, for what several tests share."""
    return write_faces


@pytest.fixture
def write_job(tmp_path: Path) -> Callable[..., Job]:
    """A training written down, with a name of its own in the test's folder, for whatever process is to run it."""

    def write(name: str, architecture: ArchitectureParams, faces: FaceSet, **compute: Any) -> Job:
        policy = AugmentationPolicy.write(architecture.augmentation, faces, architecture.input, 0)
        card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
        given = name, architecture, faces, policy, card, ComputeParams(**compute), tmp_path / "checkpoints" / name
        return Job.write(tmp_path / "jobs" / name, *given)

    return write


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, made once: that takes over a second, a copy of the file takes none."""
    import mlflow  # here: most tests do without it, and its import takes seconds

    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{database}").search_experiments()
    return database
