"""Face sets of drawn faces: an ellipse, two eyes and a mouth whose curve tells the classes apart."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from ferline.artifact import staging, write_json
from ferline.faces.faceset import TABLE_COLUMNS, FaceSet, ImageWriter


def drawn_face(label: int, side: int, channels: int, random: np.random.Generator) -> np.ndarray:
    """uint8[side,side,channels]; drawn large and reduced, for smooth edges."""
    skin = [int(c) for c in np.array([205, 165, 140]) * random.uniform(0.7, 1.1)]
    picture = np.full((192, 192, 3), random.integers(40, 120, 3), np.uint8)
    cv2.ellipse(picture, (96, 100), (70, 86), 0, 0, 360, skin, -1)
    for x in (68, 124):
        cv2.circle(picture, (x, 78), 9, (30, 30, 40), -1)
    curve = (label - 3) * 8
    cv2.ellipse(
        picture, (96, 140), (30, abs(curve) + 2), 0, *((0, 180) if curve >= 0 else (180, 360)), (120, 30, 40), 5
    )
    picture = np.clip(
        cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) + random.normal(0, 3, (side, side, 3)), 0, 255
    )
    picture = picture.astype(np.uint8)
    return picture if channels == 3 else picture.mean(axis=2, keepdims=True).astype(np.uint8)


@pytest.fixture
def drawn_faces(tmp_path: Path) -> Callable[..., FaceSet]:
    """A sealed FaceSet with `counts[label]` training faces of each class, and one test face."""

    def make(counts: dict[int, int], side: int = 48, channels: int = 1) -> FaceSet:
        random = np.random.default_rng(0)
        labels = [label for label, count in counts.items() for _ in range(count)] + [0]
        table = pd.DataFrame(index=range(len(labels)), columns=TABLE_COLUMNS, dtype=object)
        table["id"], table["label"] = [f"face{i}" for i in range(len(labels))], labels
        table["split"] = ["train"] * (len(labels) - 1) + ["test"]
        with staging(tmp_path / f"faces-{side}-{channels}-{len(labels)}") as folder:
            with ImageWriter(folder, len(labels), side, channels) as writer:
                for label in labels:
                    writer.append(drawn_face(label, side, channels, random)[None])
            table.to_parquet(folder / "faces.parquet", index=False)
            write_json(folder / "origin.json", {})
        return FaceSet(tmp_path / f"faces-{side}-{channels}-{len(labels)}")

    return make


@pytest.fixture(params=[1, 3], ids=["grey", "rgb"])
def batch(request: pytest.FixtureRequest) -> torch.Tensor:
    """uint8[12,48,48,C] of drawn faces."""
    random = np.random.default_rng(1)
    return torch.from_numpy(np.stack([drawn_face(i % 7, 48, request.param, random) for i in range(12)]))
