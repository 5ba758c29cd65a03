"""A real MLflow store in SQLite, and small real models to put into it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest

from ferline.augment.policy import AugmentationPolicy
from ferline.evaluation.evaluate import Evaluation, evaluate
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, InputParams, TrainingParams
from ferline.training.loop import train


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri("")


@pytest.fixture
def make_model(make_faces) -> Callable[..., tuple[TrainedModel, Evaluation, FaceSet]]:
    """A cnn_lstm trained for some epochs on patterns, and its evaluation."""

    def make(name: str = "small", epochs: int = 1, seed: int = 0) -> tuple[TrainedModel, Evaluation, FaceSet]:
        faces = make_faces(train=140)
        training = TrainingParams(epochs=epochs, batch_size=28, learning_rate=3e-3, seed=seed, device="cpu")
        given = ArchitectureParams("cnn_lstm", InputParams(48, 1), training)
        policy = AugmentationPolicy.write(given.augmentation, faces, given.input, seed)
        card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
        model = train(name, given, faces, policy, card=card)
        return model, evaluate(model, faces), faces

    return make
