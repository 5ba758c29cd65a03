"""A real MLflow store in SQLite, and small real models to put into it."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import mlflow
import pytest

from ferline.augment.policy import AugmentationPolicy
from ferline.evaluation.evaluate import Evaluation, evaluate
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import (
    ArchitectureParams,
    EvaluationParams,
    InputParams,
    OcclusionParams,
    RobustnessParams,
    TrainingParams,
)
from ferline.tracking import rows
from ferline.training.loop import train

Made = tuple[TrainedModel, Evaluation, FaceSet]
QUICK = EvaluationParams(resamples=200, robustness=RobustnessParams(7, 1), occlusion=OcclusionParams(0))


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri("")


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory, faces_in: Callable[..., FaceSet]
) -> Callable[[str, int, int], tuple[Path, Path, Path]]:
    @cache
    def make(name: str, epochs: int, seed: int) -> tuple[Path, Path, Path]:
        faces = faces_in(tmp_path_factory.mktemp("faces"), train=140)
        training = TrainingParams(epochs=epochs, batch_size=28, learning_rate=3e-3, seed=seed, device="cpu")
        given = ArchitectureParams("cnn_lstm", InputParams(48, 1), training)
        policy = AugmentationPolicy.write(given.augmentation, faces, given.input, seed)
        card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
        model = train(name, given, faces, policy, card=card)
        return model.folder, evaluate(model, faces, params=QUICK).folder, faces.folder

    return make


@pytest.fixture
def make_model(made_once: Callable[[str, int, int], tuple[Path, Path, Path]]) -> Callable[..., Made]:
    """A cnn_lstm trained for some epochs on patterns, and its evaluation; the same again is trained once."""

    def make(name: str = "small", epochs: int = 1, seed: int = 0) -> Made:
        model, evaluation, faces = made_once(name, epochs, seed)
        return TrainedModel(model), Evaluation(evaluation), FaceSet(faces)

    return make


@pytest.fixture
def logged(store: str, make_model: Callable[..., Made]) -> tuple[Made, str, str]:
    """A model with its evaluation, the pipeline run in MLflow, and its row."""
    made = make_model("small", epochs=2)
    parent = rows.parent("zenml-run-1", "first run")
    return made, parent, rows.log_evaluation(parent, made[1], made[0])
