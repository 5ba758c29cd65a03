"""Models in MLflow: no pickle, at work anywhere, with their scores on their own page."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pytest

from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.tracking import registry
from ferline.tracking.logged_model import images, logged_model


def test_the_scores_are_on_the_models_own_page_too(logged):
    (model, evaluation, _), _, _ = logged
    found = mlflow.get_logged_model(logged_model(model.digest).model_id)
    metrics = {metric.key: metric for metric in found.metrics}
    assert metrics["test/accuracy"].value == evaluation.scores("test")["accuracy"]
    assert metrics["test/accuracy"].dataset_name == "patterns, held out"
    assert found.params["training.epochs"] == "2"


def encoded(side: int = 200, seed: int = 0) -> bytes:
    picture = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    return cv2.imencode(".png", picture)[1].tobytes()


def test_the_logged_model_predicts_from_raw_images(logged):
    (model, _, _), _, _ = logged
    loaded = mlflow.pyfunc.load_model(logged_model(model.digest).model_uri)
    answer = loaded.predict(images(encoded(seed=0), encoded(90, seed=1)))
    assert list(answer.columns) == ["emotion", "confidence", "face_found", *EMOTIONS]
    assert answer[list(EMOTIONS)].sum(axis=1).tolist() == pytest.approx([1, 1])
    assert answer["emotion"].tolist() == answer[list(EMOTIONS)].idxmax(axis=1).tolist()
    assert not answer["face_found"].any()
    with pytest.raises(FerlineError):
        loaded.predict(images(b"no image"))


def test_the_logged_model_holds_no_pickle_and_loads_without_the_project(logged, tmp_path):
    """Another folder, another process, no ferline on its path: only what MLflow stored."""
    (model, _, _), _, _ = logged
    found = logged_model(model.digest)
    folder = Path(mlflow.artifacts.download_artifacts(found.model_uri, dst_path=str(tmp_path / "model")))
    assert not [p for p in folder.rglob("*") if p.suffix in (".pkl", ".pickle", ".pt", ".pth", ".joblib")]
    (tmp_path / "face.png").write_bytes(encoded())
    code = f"""
        import sys
        for name in [name for name in sys.modules if name.split(".")[0] == "ferline"]:
            del sys.modules[name]  # the environment's start-up hook has imported it from the project
        sys.path[:] = [p for p in sys.path if not p.rstrip("/").endswith(("src", {str(Path(__file__).parents[2])!r}))]
        import mlflow, pandas as pd
        model = mlflow.pyfunc.load_model({str(folder)!r})
        answer = model.predict(pd.DataFrame({{"image": [open({str(tmp_path / "face.png")!r}, "rb").read()]}}))
        import ferline
        from ferline.faces.yunet import WEIGHTS, YuNet
        from ferline.params import FaceParams
        assert ferline.__file__.startswith({str(folder)!r}), ferline.__file__
        assert str(WEIGHTS).startswith({str(folder)!r})
        YuNet(FaceParams())  # for a model that learnt from faces cut out already
        print(answer["emotion"][0])
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() in EMOTIONS


def test_the_models_page_names_the_version_that_was_made_of_it(logged):
    """MLflow's server writes it down; a local store leaves that to the client."""
    (model, _, _), _, _ = logged
    version = registry.register("ferline", model, {})
    assert registry.register("ferline", model, {}).version == version.version
    known = logged_model(model.digest).tags["mlflow.modelVersions"]
    assert json.loads(known) == [{"name": "ferline", "version": version.version}]
