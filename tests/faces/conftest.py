"""Scenes with faces, and Samples of any bytes."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferline.datasets.samples import SHARD_SCHEMA, Samples
from ferline.datasets.synthetic import scene
from ferline.emotions import EMOTIONS


@pytest.fixture(scope="session")
def scenes() -> list[np.ndarray]:
    """Eight people, one in each picture."""
    return [scene(3, person, EMOTIONS[person % len(EMOTIONS)], 0) for person in range(8)]


@pytest.fixture
def make_samples(tmp_path: Path) -> Callable[..., Samples]:
    """Samples of these bytes, in shards of three; labels go round the emotions, splits train, validation, test.

    `folds` of them go round too; `dataset` and `origin` are what ingest says of the set besides.
    """

    def make(
        images: Sequence[bytes],
        labels: Sequence[str | None] | None = None,
        folds: int = 0,
        dataset: dict[str, Any] | None = None,
        **origin: Any,
    ) -> Samples:
        shards = tmp_path / "shards"
        shards.mkdir(exist_ok=True)
        rows = []
        for number, image in enumerate(images):
            row = {
                "id": f"image-{number:03d}",
                "image": image,
                "label": labels[number] if labels else EMOTIONS[number % len(EMOTIONS)],
                "votes": [0.5, 0.5, 0, 0, 0, 0, 0] if number % 2 else None,
                "subject": f"person-{number % 4}",
                "sequence": None,
                "split": ("train", "validation", "test")[number % 3],
                "source": f"pictures/{number}.png",
                "sha256": hashlib.sha256(image).hexdigest(),
                "attributes": None,
            }
            rows.append({**row, "shard": f"{number // 3:04d}.parquet", "row": number % 3})
        for shard, part in pd.DataFrame(rows, dtype=object).groupby("shard"):
            table = pa.Table.from_pylist(part.to_dict("records"), schema=SHARD_SCHEMA)
            pq.write_table(table, shards / str(shard))
        index = pd.DataFrame(rows).drop(columns="image")
        if folds:
            index["fold"] = np.arange(len(index)) % folds
        said = {"dataset": {"name": "test", **({"folds": folds} if folds else {}), **(dataset or {})}}
        return Samples.write(index, shards, tmp_path / "samples", said | origin)

    return make
