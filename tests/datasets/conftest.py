"""Images and raw sets that the tests of ferline.datasets make for themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ferline.datasets.ingest import ingest
from ferline.datasets.raw import RawSet
from ferline.datasets.samples import Samples
from ferline.emotions import EMOTIONS
from ferline.params import DatasetParams

Row = dict[str, Any]


def encoded(seed: int, side: int = 40, form: str = ".png") -> bytes:
    """A small image of noise; every seed another one."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    return cv2.imencode(form, pixels)[1].tobytes()


@pytest.fixture
def encode() -> Callable[..., bytes]:
    return encoded


@pytest.fixture
def make_rows() -> Callable[..., list[Row]]:
    """`count` good rows: labels in turn, 10 persons, each in one split: three train, one validates, one tests ..."""

    def make(count: int = 210, first: int = 0) -> list[Row]:
        return [
            {
                "id": f"face-{number:05d}",
                "image": encoded(number),
                "label": EMOTIONS[number % 7],
                "subject": f"person-{number // 7 % 10}",
                "split": ("train", "train", "train", "validation", "test")[number // 7 % 5],
                "source": f"faces/{number:05d}.png",
            }
            for number in range(first, first + count)
        ]

    return make


@pytest.fixture
def make_samples(tmp_path: Path) -> Callable[..., Samples]:
    """Rows to Samples, the way the pipeline goes: packed as a raw set `tiny`, then ingested."""

    def make(rows: list[Row], **dataset: Any) -> Samples:
        raw = RawSet(tmp_path / "data" / "raw" / "tiny")
        raw.append(rows, shard_rows=100)
        return ingest(tmp_path, DatasetParams("tiny", **dataset), tmp_path / "samples")

    return make
