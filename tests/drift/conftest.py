"""Sides made of numbers, images that differ as the test wants, and a small model of random weights."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ferline.datasets.raw import RawSet
from ferline.drift.batches import COLUMNS, Batch
from ferline.drift.measure import Measured
from ferline.models.registry import create
from ferline.models.trained import TrainedModel, fingerprints
from ferline.params import InputParams


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., RawSet]:
    """A raw set of these images, `people` of them in turn, under the project `tmp_path`."""

    def make(name: str, images: Sequence[bytes], people: int = 10, cropped: bool = True) -> RawSet:
        rows = [
            {
                "id": f"{name}-{number:03}",
                "image": image,
                "label": ("happy", "sad", "angry")[number % 3],
                "subject": f"p{number % people}" if people else None,
                "split": ("train", "train", "validation", "test")[number % people % 4] if people else None,
                "source": f"{number}.png",
            }
            for number, image in enumerate(images)
        ]
        raw = RawSet(tmp_path / "data" / "raw" / name)
        raw.append(rows, shard_rows=25, card=lambda: {"cropped": cropped})
        return RawSet(raw.folder)

    return make


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of these images, in a folder for each person."""

    def make(name: str, images: Sequence[bytes], people: int = 10) -> Path:
        folder = tmp_path / name
        for number, image in enumerate(images):
            path = folder / f"p{number % people}" / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image)
        return folder

    return make


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainedModel]:
    """A cnn_lstm of random weights that was trained on nothing, or on images of these checksums."""

    def make(seen: Sequence[str] = (), model: str = "cnn_lstm", broken: bool = False, **card: object) -> TrainedModel:
        torch.manual_seed(0)
        options = {"width": 4, "lstm_units": 8}
        network = create(model, InputParams(48, 1), "none", options, ("angry", "happy", "sad"))
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)  # torch's own start calls all faces the same
        if broken:
            torch.nn.init.constant_(network.head[1].bias, float("nan"))
        known = {"architecture": "small", "preprocessing": {"detect": "auto"}, "data_digest": "d" * 64, "seed": 0}
        known |= {"augmentation_digest": "a" * 64, "training": {"epochs": 1}, "best_epoch": 1, **card}
        return TrainedModel.write(network, known, [], tmp_path_factory.mktemp("model") / "m", fingerprints(seen))

    return make


@pytest.fixture
def make_side() -> Callable[..., Measured]:
    """A measured side of `people` x `each` images: every column is drawn around a mean of its person's."""

    def make(
        name: str, people: int = 30, each: int = 10, seed: int = 0, spread: float = 1.0, **shift: float
    ) -> Measured:
        random = np.random.default_rng(seed)
        count = people * each
        person = np.repeat(np.arange(people), each)

        def around(mean: float, of_people: float, of_images: float) -> np.ndarray:
            return (
                mean + spread * of_people * random.normal(size=people)[person] + of_images * random.normal(size=count)
            )

        table = pd.DataFrame(
            {
                "id": [f"{name}-{number}" for number in range(count)],
                "subject": [f"p{number}" for number in person],
                "sha256": None,
                "found": (random.random(count) < 0.95 - shift.get("lost", 0)).astype(object),
                "face_size": np.exp(around(-0.7, 0.05, 0.1)),
                "size": 200.0,
                "aspect": 1.0,
                "brightness": around(110 + shift.get("brightness", 0), 8, 20),
                "contrast": around(45, 3, 8),
                "sharpness": np.exp(around(-1 + np.log(shift.get("sharpness", 1)), 0.1, 0.2)),
                "colour": around(40, 3, 8),
                "predicted": np.where(random.random(count) < 0.3 + shift.get("happy", 0), "happy", "sad"),
                "confidence": np.clip(around(0.7, 0.02, 0.1), 0, 1),
            }
        )
        features = np.stack([around(shift.get("features", 0), 0.5, 1) for _ in range(6)], axis=1).astype(np.float32)
        batch = Batch(name, table.reindex(columns=COLUMNS), Path(), False, count, frozenset())
        return Measured(batch, table, features, pd.DataFrame(columns=["id", "reason"]))

    return make
