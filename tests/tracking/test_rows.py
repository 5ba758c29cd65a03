"""MLflow as people see it: one parent, one row an architecture, everything on it; and models that load anywhere."""

import os
import signal
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
from ferline.tracking import rows
from ferline.tracking import store as tracking
from ferline.tracking.logged_model import images, logged_model


@pytest.fixture
def logged(store, make_model):
    made = make_model("small", epochs=2)
    parent = rows.parent("zenml-run-1", "first run")
    return made, parent, rows.log_evaluation(parent, made[1], made[0])


def test_a_row_carries_training_and_evaluation(logged):
    (model, evaluation, _), parent, row = logged
    run = mlflow.get_run(row)
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.params["training.epochs"] == "2"
    assert run.data.params["model"] == "cnn_lstm"
    assert run.data.metrics["test/accuracy"] == pytest.approx(evaluation.scores("test")["accuracy"])
    assert run.data.metrics["latency_ms"] == evaluation.latency_ms
    assert run.data.tags["data.digest"] == model.card["data_digest"]
    assert len(run.data.tags["git.commit"]) in (4, 40)
    curve = mlflow.MlflowClient().get_metric_history(row, "curves/train_loss")
    assert [(point.step, point.value) for point in curve] == [(r["epoch"], r["train_loss"]) for r in model.history]
    files = {file.path for file in mlflow.MlflowClient().list_artifacts(row)}
    assert {
        "confusion_test.png",
        "curves.png",
        "right.png",
        "wrong.png",
        "evaluation.json",
        "predictions.parquet",
    } <= files


def test_the_same_parent_and_row_are_found_again(logged):
    (model, evaluation, _), parent, row = logged
    assert rows.parent("zenml-run-1", "first run") == parent
    assert rows.row(parent, "small") == (row, False)
    assert rows.log_evaluation(parent, evaluation, model) == row
    assert len(tracking.search("tags.`ferline.kind` = 'architecture'")) == 1
    assert len(mlflow.search_logged_models([tracking.experiment_id()], output_format="list")) == 1


def test_a_model_from_the_cache_gets_its_row_under_the_new_parent_and_is_not_stored_twice(logged):
    (model, evaluation, _), _, row = logged
    second = rows.parent("zenml-run-2", "second run")
    rows.complete(second, [evaluation])
    copy = mlflow.get_run(rows.find_row(second, "small"))
    assert copy.data.metrics == mlflow.get_run(row).data.metrics
    assert copy.data.params == mlflow.get_run(row).data.params
    assert copy.outputs.model_outputs[0].model_id == logged_model(model.digest).model_id
    assert len(mlflow.search_logged_models([tracking.experiment_id()], output_format="list")) == 1


def test_a_row_that_training_began_is_finished_from_the_evaluation_in_the_cache(logged):
    """The same weights again from changed code: train ran, evaluate did not."""
    (model, evaluation, _), _, row = logged
    parent = rows.parent("zenml-run-3", "third run")
    begun, _ = rows.row(parent, "small")
    for record in model.history:
        rows.log_epoch(begun, record)
    rows.complete(parent, [evaluation])
    run = mlflow.get_run(begun)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == mlflow.get_run(row).data.metrics
    assert len(mlflow.MlflowClient().get_metric_history(begun, "curves/train_loss")) == len(model.history)


def test_folds_from_the_cache_have_their_rows_under_the_architectures(logged):
    (_, evaluation, _), _, _ = logged
    evaluation.content["fold"] = 1
    parent = rows.parent("zenml-run-4", "fourth run")
    rows.complete(parent, [evaluation])
    rows.complete(parent, [evaluation])
    above = rows.find_row(parent, "small")
    (fold,) = tracking.search(f"tags.`mlflow.parentRunId` = '{above}'")
    assert fold.data.tags["ferline.fold"] == "1"
    assert fold.info.run_name == "small fold 1"
    assert fold.data.metrics["test/accuracy"] == evaluation.scores("test")["accuracy"]
    assert len(mlflow.MlflowClient().get_metric_history(fold.info.run_id, "curves/train_loss")) == 2


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
        assert ferline.__file__.startswith({str(folder)!r}), ferline.__file__
        print(answer["emotion"][0])
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() in EMOTIONS


def test_runs_of_a_killed_process_are_marked_so(store):
    code = (
        "from ferline.tracking import rows; import time; print(rows.parent('dead', 'dead'), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    left = process.stdout.readline().strip()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert mlflow.get_run(left).info.status == "RUNNING"
    mine = rows.parent("alive", "alive")
    assert mlflow.get_run(left).info.status == "KILLED"
    assert mlflow.get_run(mine).info.status == "RUNNING"


def test_a_server_that_does_not_answer_is_said_before_anything_runs(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    try:
        with pytest.raises(FerlineError, match=r"MLflow at http://127\.0\.0\.1:9 does not answer"):
            tracking.require_reachable()
    finally:
        mlflow.set_tracking_uri("")
