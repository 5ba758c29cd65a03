"""Small models of random weights, photographs drawn by the test, and a fer2013.csv with votes beside it."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ferline.datasets.synthetic import scene
from ferline.emotions import EMOTIONS
from ferline.models.registry import create
from ferline.models.trained import TrainedModel, fingerprints
from ferline.params import FaceParams, InputParams

VOTED = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
OF_VOTES = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
    "neutral",
)  # FER2013's numbers, FER+'s names


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainedModel]:
    """A cnn_lstm of random weights that tells every picture apart; `told` instead has it always say one emotion."""

    def make(
        emotions: tuple[str, ...] = EMOTIONS,
        seen: tuple[str, ...] = (),
        told: str | None = None,
        looked: np.ndarray | None = None,
        **card: object,
    ) -> TrainedModel:
        torch.manual_seed(0)
        network = create("cnn_lstm", InputParams(48, 1), "none", {"width": 4, "lstm_units": 8}, emotions)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.5)  # torch's own start calls all faces the same
        if told:
            torch.nn.init.zeros_(network.head[1].weight)
            network.head[1].bias.data = torch.tensor([4.0 if emotion == told else 0.0 for emotion in emotions])
        known = {"architecture": "small", "preprocessing": asdict(FaceParams(side=48, colour="grey")), "seed": 0}
        known |= {"data_digest": "d" * 64, "augmentation_digest": "a" * 64, "training": {"epochs": 1}, "best_epoch": 1}
        target = tmp_path_factory.mktemp("model") / "m"
        return TrainedModel.write(network, known | card, [{"epoch": 1}], target, fingerprints(seen), looked)

    return make


@pytest.fixture(scope="session")
def two_heads(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A ferline_net of random weights with a head for labels and one for votes, each with its own temperature."""
    torch.manual_seed(0)
    network = create("ferline_net", InputParams(48, 1), "none", {"width": 8, "blocks": "1-1", "votes_head": True})
    for head in (network.head, network.votes_head):
        torch.nn.init.normal_(head.weight, std=3.0)
    known = {"architecture": "ours", "preprocessing": asdict(FaceParams(side=48, colour="grey")), "seed": 0}
    known |= {"data_digest": "d" * 64, "augmentation_digest": "a" * 64, "training": {"epochs": 1}, "best_epoch": 1}
    known |= {"temperature": 1.5, "votes_temperature": 0.5}
    return TrainedModel.write(network, known, [{"epoch": 1}], tmp_path_factory.mktemp("model") / "m")


@pytest.fixture(scope="session")
def photo() -> Callable[..., np.ndarray]:
    """A drawn photograph of one person, RGB."""

    def draw(person: int = 0, emotion: str = "happy") -> np.ndarray:
        return scene(7, person, emotion, 0)

    return draw


@pytest.fixture(scope="session")
def group(photo: Callable[..., np.ndarray]) -> np.ndarray:
    """Twelve people in one picture, each in a tile of 160 pixels: their faces are a tenth to a fifth of its height."""
    tiles = [cv2.resize(photo(10 + who), (160, 160), interpolation=cv2.INTER_AREA) for who in range(12)]
    return np.vstack([np.hstack(tiles[first : first + 4]) for first in (0, 4, 8)])


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """An image as a lossless file in the test's folder."""

    def write(name: str, rgb: np.ndarray) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), rgb[..., ::-1])
        return path

    return write


@pytest.fixture
def film(tmp_path: Path, photo: Callable[..., np.ndarray]) -> Callable[..., Path]:
    """A video of one person at 10 frames a second."""

    def write(name: str = "film.avi", frames: int = 12) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (240, 240))
        frame = cv2.resize(photo(3), (240, 240), interpolation=cv2.INTER_AREA)
        for _ in range(frames):
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
        writer.release()
        return path

    return write


@pytest.fixture
def fer2013_csv(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """A CSV whose only rows are one Usage, and FER+'s votes: of 20, one is contempt to the voters, one no face."""

    def write(usage: str = "PrivateTest", count: int = 140, labels: str = "turn") -> tuple[Path, Path]:
        random = np.random.default_rng(0)
        emotions = np.arange(count) % 7 if labels == "turn" else np.full(count, EMOTIONS.index(labels))
        rows, votes = ["emotion,pixels,Usage"], [f"Usage,Image name,{','.join(VOTED)}"]
        for number, emotion in enumerate(emotions):
            pixels = cv2.resize(random.integers(0, 256, (6, 6), dtype=np.uint8), (48, 48))
            rows.append(f"{emotion},{' '.join(map(str, pixels.ravel()))},{usage}")
            given = {10: "contempt", 15: "NF"}.get(number % 20, OF_VOTES[emotion])
            cells = [8 if name == given else 2 if name == "unknown" else 0 for name in VOTED]
            name = "" if given == "NF" else f"fer{number:07}.png"
            votes.append(f"{usage},{name},{','.join(map(str, cells))}")
        files = tmp_path / "exam.csv", tmp_path / "votes.csv"
        for file, lines in zip(files, (rows, votes), strict=True):
            file.write_text("\n".join(lines) + "\n")
        return files

    return write
