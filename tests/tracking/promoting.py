"""What the tests of promotion need: small models in a real store, leaderboards, and faces with chosen labels."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from ferline.artifact import seal, staging, write_json
from ferline.augment.policy import AugmentationPolicy
from ferline.evaluation.leaderboard import Leaderboard
from ferline.faces.faceset import FaceSet
from ferline.models.trained import CARD, TrainedModel
from ferline.params import ArchitectureParams, GateParams, InputParams, PromotionParams, TrainingParams
from ferline.promotion import promote as promotion
from ferline.tracking import registry, store
from ferline.tracking.logged_model import log_model
from ferline.training.loop import train

_names = itertools.count()


@dataclass(frozen=True)
class World:
    """A store, the faces, and two models that tell many of them differently; every test takes a name of its own."""

    uri: str
    folder: Path
    faces: FaceSet
    first: TrainedModel
    second: TrainedModel

    @staticmethod
    def policy(**changes: Any) -> PromotionParams:
        """Of a registered name that no other test has, asking for nothing but a gain in accuracy."""
        free = {"registered_name": f"of-test-{next(_names)}", "select_by": "accuracy", "gates": GateParams()}
        return PromotionParams(**free | changes)

    def crown(self, params: PromotionParams, model: TrainedModel | None = None) -> registry.Registered:
        """The model (or the first) as the champion of this name, by a promotion."""
        decision = decide(params, model or self.first, self.faces)
        assert decision["outcome"] == "first", decision["reason"]
        champion = registry.champion(params.registered_name)
        assert champion is not None
        return champion


@contextmanager
def world_in(folder: Path, faces_in: Callable[..., FaceSet]) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        mlflow.set_tracking_uri(uri)
        faces = faces_in(folder, train=140, test=70)
        models = [logged(trained(faces, seed=seed)) for seed in (0, 1)]
        yield World(uri, folder, faces, *models)
        mlflow.set_tracking_uri("")


def trained(faces: FaceSet, epochs: int = 3, seed: int = 0, side: int = 48, name: str = "small") -> TrainedModel:
    """A cnn_lstm that has learnt a little, so that two of them err on different faces."""
    params = TrainingParams(
        epochs=epochs, batch_size=28, learning_rate=3e-3, seed=seed, device="cpu", precision="float32"
    )
    given = ArchitectureParams("cnn_lstm", InputParams(side, faces.channels), params)
    policy = AugmentationPolicy.write(given.augmentation, faces, given.input, seed)
    card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    return train(name, given, faces, policy, card=card)


def logged(model: TrainedModel) -> TrainedModel:
    """In the store, as the evaluate step leaves it there."""
    log_model(store.client().create_run(store.experiment_id()).info.run_id, model)
    return model


def rewritten(model: TrainedModel, **card: Any) -> TrainedModel:
    """The same weights with another card: other bytes, the same answers. None takes a key away."""
    with staging() as folder:
        for name in model.manifest:
            shutil.copy(model.folder / name, folder)
        changed = {key: value for key, value in (model.card | card).items() if value is not None}
        write_json(folder / CARD, changed)
    return TrainedModel(folder)


def row_of(model: TrainedModel, **changes: Any) -> dict[str, Any]:
    """A row of the leaderboard with figures that pass usual gates."""
    scores = {"accuracy": 0.8, "balanced_accuracy": 0.8, "macro_f1": 0.8, "min_class_recall": 0.6, "ece": 0.05}
    row = {
        "architecture": model.card["architecture"],
        "model_digest": model.digest,
        "data_digest": model.card["data_digest"],
        "protocol": "official",
        "latency_ms": 5.0,
        "size_mb": 1.5,
        "robustness_drop": 0.2,
        "validation": scores,
        "test": scores,
    }
    return row | changes


def board_of(row: dict[str, Any]) -> Leaderboard:
    with staging() as folder:
        write_json(folder / "leaderboard.json", {"rows": [row]})
    return Leaderboard(folder)


def decide(params: PromotionParams, model: TrainedModel, faces: FaceSet, **row: Any) -> dict[str, Any]:
    """Promote the model for real; promotion.json."""
    made = promotion.promote(board_of(row_of(model, **row)), [model], faces, params, {"git.commit": "abc"})
    assert made.verify().decision["reason"] in made.text
    return made.decision


def changed(
    faces: FaceSet,
    labels: np.ndarray | None = None,
    split: Any = None,
    emotions: list[str] | None = None,
    **origin: Any,
) -> FaceSet:
    """The same faces with other labels or another split, or said to show other emotions."""
    with staging() as folder:
        shutil.copy(faces.folder / "images.npy", folder)
        columns = {"label": labels, "split": split}
        table = faces.table.assign(**{key: value for key, value in columns.items() if value is not None})
        table.to_parquet(folder / "faces.parquet", index=False)
        content = faces.origin | origin
        if emotions:
            content["dataset"] = content["dataset"] | {"emotions": emotions}
        write_json(folder / "origin.json", content)
    return FaceSet(folder)


def judged(faces: FaceSet, champion: TrainedModel, candidate: TrainedModel, lost: int, won: int) -> FaceSet:
    """Test faces labelled so that `lost` are told right by the champion alone, and `won` by the candidate alone.

    Where both say the same, both are right; on the other faces both are wrong.
    """
    rows = faces.rows("test")
    old, new = (each.predict(faces.images[rows]).argmax(axis=1) for each in (champion, candidate))
    apart = np.flatnonzero(old != new)
    assert len(apart) >= lost + won, f"they differ on {len(apart)} faces"
    # Numbers below 7 that are neither of two others: 0, 1 or 2.
    neither = np.array([min({0, 1, 2} - {a, b}) for a, b in zip(old, new, strict=True)])
    told = np.where(old == new, old, neither)
    told[apart[:lost]] = old[apart[:lost]]
    told[apart[lost : lost + won]] = new[apart[lost : lost + won]]
    labels = faces.labels.copy()
    labels[rows] = told
    return changed(faces, labels=labels)


def files_of(version: registry.Registered) -> Path:
    """Where the store keeps a version's model."""
    return version.model().folder


def reseal(folder: Path, **card: Any) -> str:
    """Change the card of a model in the store and seal it again, as no pipeline would; its new digest."""
    write_json(folder / CARD, TrainedModel(folder).card | card)
    (folder / "manifest.json").unlink()
    seal(folder)
    return TrainedModel(folder).digest


def aliases(params: PromotionParams) -> dict[str, str]:
    """What the registry says of this name: the version under each alias."""
    found = store.client().search_registered_models(f"name = '{params.registered_name}'")
    return {alias: str(version) for each in found for alias, version in each.aliases.items()}


def versions(params: PromotionParams) -> list[str]:
    return [each.version for each in reversed(registry.versions(params.registered_name))]
