"""Faces to measure with: noise, as large and as many as wanted. How fast a step is does not depend on what is seen."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from ferline.artifact import staging, write_json
from ferline.datasets.samples import SPLITS
from ferline.emotions import EMOTIONS
from ferline.faces.faceset import TABLE_COLUMNS, FaceSet, ImageWriter
from ferline.params import FaceParams

CHUNK = 1024


def noise(folder: Path, count: int, side: int, channels: int, seed: int = 0) -> FaceSet:
    """`count` training faces, and an eighth as many for validation and for test each."""
    random, each = np.random.default_rng(seed), [count, max(count // 8, 1), max(count // 8, 1)]
    table = pd.DataFrame(dict.fromkeys(TABLE_COLUMNS), index=range(sum(each)))
    table["id"] = table["sha256"] = [f"{i:064x}" for i in range(len(table))]
    table["label"], table["split"] = np.arange(len(table)) % len(EMOTIONS), np.repeat(SPLITS, each)
    with staging(folder) as work:
        with ImageWriter(work, len(table), side, channels) as writer:
            for start in range(0, len(table), CHUNK):
                shape = (min(CHUNK, len(table) - start), side, side, channels)
                writer.append(random.integers(0, 256, shape, dtype=np.uint8))
        table.to_parquet(work / "faces.parquet", index=False)
        origin = {"dataset": {"name": "noise"}, "data_digest": f"{seed:064x}", "preprocessing": asdict(FaceParams())}
        write_json(work / "origin.json", origin)
    return FaceSet(folder)
