"""MLflow as people see it: one parent, one row an architecture, everything on it; and models that load anywhere."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pytest
import yaml

from ferline.artifact import sha256_of
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import compare
from ferline.params import PromotionParams, load
from ferline.tracking import dataset, registry, results, rows, settings
from ferline.tracking import store as tracking
from ferline.tracking.logged_model import images, logged_model
from ferline.tracking.machine import watched

ROOT = Path(__file__).parents[2]
DVC = [sys.executable, "-m", "dvc"]


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


def test_every_row_has_the_same_names_and_no_number_twice(logged, make_model):
    (_, evaluation, _), parent, row = logged
    model, other, _ = make_model("other", epochs=1, seed=3)
    second = mlflow.get_run(rows.log_evaluation(parent, other, model))
    found = mlflow.get_run(row).data
    assert set(found.metrics) == set(second.data.metrics)
    assert set(found.params) == set(second.data.params)
    assert not {"test/macro_recall", "test/macro_sensitivity", "test/weighted_recall"} & set(found.metrics)
    scores = evaluation.scores("test")
    for name in ("accuracy", "macro_f1"):
        assert [found.metrics[f"test/{name}_{end}"] for end in ("low", "high")] == scores["intervals"][name]
    assert found.metrics["validation/ece"] == evaluation.scores("validation")["ece"]
    assert found.metrics["test/min_class_recall"] == min(each["recall"] for each in scores["per_class"].values())


def test_robustness_is_the_accuracy_left_under_each_corruption(logged):
    (_, evaluation, _), _, row = logged
    found, metrics = evaluation.content["robustness"], mlflow.get_run(row).data.metrics
    assert metrics["robustness_drop"] == found["drop"]
    left = {name: np.mean([each["accuracy"] for each in steps]) for name, steps in found["corruptions"].items()}
    assert {key: metrics[f"robustness/{key}"] for key in left} == pytest.approx(left)
    assert len(left) >= 6


def test_the_note_says_what_to_know_before_choosing(logged):
    (model, evaluation, _), _, row = logged
    note = mlflow.get_run(row).data.tags["mlflow.note.content"]
    low, high = evaluation.scores("test")["intervals"]["macro_f1"]
    assert f"({low:.3f} to {high:.3f})" in note
    assert model.digest[:12] in note
    assert "protocol official" in note


def test_the_scores_are_on_the_models_own_page_too(logged):
    (model, evaluation, _), _, _ = logged
    found = mlflow.get_logged_model(logged_model(model.digest).model_id)
    metrics = {metric.key: metric for metric in found.metrics}
    assert metrics["test/accuracy"].value == evaluation.scores("test")["accuracy"]
    assert metrics["test/accuracy"].dataset_name == "patterns, held out"
    assert found.params["training.epochs"] == "2"


def test_the_data_is_an_input_of_the_row_with_dvcs_digest_and_ours(store, make_model, project, monkeypatch):
    monkeypatch.chdir(project)
    model, evaluation, _ = make_model("small")
    parent = rows.parent("zenml-run", "a run")
    row, _ = rows.row(parent, "small")
    rows.begin(row, evaluation.card)
    rows.log_evaluation(parent, evaluation, model)
    found = {each.dataset.name: each for each in mlflow.get_run(row).inputs.dataset_inputs}
    pointer = project / "data" / "raw" / "patterns.dvc"
    md5 = yaml.safe_load(pointer.read_text())["outs"][0]["md5"]
    assert {name: {t.key: t.value for t in each.tags}["mlflow.data.context"] for name, each in found.items()} == {
        "patterns": "training",
        "patterns, held out": "evaluation",
    }
    for each in found.values():
        assert each.dataset.digest == md5.removesuffix(".dir")
        assert json.loads(each.dataset.source)["md5"] == md5
        assert {"data.digest", "protocol"} <= {tag.key for tag in each.tags}


def test_the_settings_of_a_pipeline_run_are_kept_with_it(store, project, monkeypatch, tmp_path):
    monkeypatch.chdir(project)
    parent = rows.parent("zenml-run", "a run")
    tags = mlflow.get_run(parent).data.tags
    assert tags["dvc.pointer"] == dataset.revision_of(project / "data" / "raw" / "patterns.dvc")
    assert tags["ferline.lock"] == sha256_of(ROOT / "requirements.lock")
    kept = Path(mlflow.artifacts.download_artifacts(f"runs:/{parent}/settings", dst_path=str(tmp_path / "kept")))
    assert (kept / "params.yaml").read_bytes() == (project / "params.yaml").read_bytes()
    assert (kept / "patterns.dvc").read_bytes() == (project / "data" / "raw" / "patterns.dvc").read_bytes()
    assert load(kept / "params_used.yaml") == load(project / "params.yaml")
    assert settings.read(parent)["architectures"]["cnn_lstm"]["training"]["epochs"] == 30, "the profile is laid over"


def test_a_pointer_that_is_none_of_dvcs_is_refused(tmp_path):
    (tmp_path / "broken.dvc").write_text("outs: []\n")
    with pytest.raises(FerlineError, match="not a pointer of DVC"):
        dataset.revision_of(tmp_path / "broken.dvc")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A folder with params.yaml and a set that DVC holds."""
    folder = tmp_path_factory.mktemp("a user") / "my project"
    (folder / "data" / "raw" / "patterns").mkdir(parents=True)
    (folder / "data" / "raw" / "patterns" / "manifest.json").write_text("{}")
    (folder / "data" / "raw" / "patterns" / "shard-00000.parquet").write_bytes(b"images")
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["dataset"]["name"] = "patterns"
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    for command in (
        ["git", "init", "--quiet"],
        [*DVC, "init", "--quiet"],
        [*DVC, "add", "--quiet", "data/raw/patterns"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    return folder


def test_a_training_shorter_than_mlflows_interval_still_says_how_busy_the_machine_was(store):
    row, _ = rows.row(rows.parent("run", "run"), "small")
    with watched(row):
        sum(range(3_000_000))
    found = mlflow.get_run(row).data.metrics
    assert found["system/cpu_utilization_percentage"] > 0
    assert found["system/system_memory_usage_megabytes"] > 0
    assert mlflow.get_run(row).info.status == "RUNNING", "whoever watches does not end the run"


def test_a_longer_training_has_a_curve_of_it(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    row, _ = rows.row(rows.parent("run", "run"), "small")
    with watched(row):
        time.sleep(1.2)
    points = mlflow.MlflowClient().get_metric_history(row, "system/cpu_utilization_percentage")
    assert len(points) >= 3
    assert sorted(point.step for point in points) == list(range(len(points)))


def test_a_training_that_fails_fails_with_its_own_error(store):
    row, _ = rows.row(rows.parent("run", "run"), "small")
    with pytest.raises(FerlineError, match="the loss was NaN"), watched(row):
        raise FerlineError("the loss was NaN")
    assert "system/system_memory_usage_megabytes" in mlflow.get_run(row).data.metrics


def test_seeds_have_their_rows_under_the_architectures_and_every_model_is_stored(store, make_model):
    """The best of the seeds is promoted, so each must be there to be registered."""
    parent = rows.parent("zenml-run-5", "fifth run")
    made = [make_model("twice", epochs=1, seed=seed) for seed in (4, 5)]
    for seed, (model, each, _) in zip((4, 5), made, strict=True):
        each.content["member_seed"] = seed
        row, new = rows.row(parent, "twice", None, seed)
        assert new
        assert rows.log_evaluation(parent, each, model) == row
    above = rows.find_row(parent, "twice")
    found = {run.info.run_name: run for run in tracking.search(f"tags.`mlflow.parentRunId` = '{above}'")}
    assert set(found) == {"twice seed 4", "twice seed 5"}
    assert {run.data.tags["ferline.kind"] for run in found.values()} == {"seed"}
    assert [logged_model(model.digest).source_run_id for model, _, _ in made] == [
        found[f"twice seed {seed}"].info.run_id for seed in (4, 5)
    ]
    again = rows.parent("zenml-run-6", "sixth run")
    rows.complete(again, [each for _, each, _ in made])
    copied = tracking.search(f"tags.`mlflow.parentRunId` = '{rows.find_row(again, 'twice')}'")
    assert {run.data.tags["ferline.seed"] for run in copied} == {"4", "5"}
    assert {run.data.tags["ferline.trained_in"] for run in copied} == {run.info.run_id for run in found.values()}


def test_the_evaluations_of_a_run_come_back_as_they_were_best_first(logged, make_model):
    (_, evaluation, _), parent, _ = logged
    made = make_model("other", epochs=4, seed=3)
    rows.log_evaluation(parent, made[1], made[0])
    board = compare([evaluation, made[1]], PromotionParams())
    rows.log_leaderboard(parent, board)
    assert results.latest_parent() == parent
    found = results.evaluations(parent)
    assert [each.architecture for each in found] == [row["architecture"] for row in board.rows]
    assert {each.digest for each in found} == {evaluation.digest, made[1].digest}
    assert found[0].predictions.equals(
        next(e for e in (evaluation, made[1]) if e.digest == found[0].digest).predictions
    )


def test_an_evaluation_that_was_damaged_in_the_store_is_refused(logged):
    (_, evaluation, _), parent, row = logged
    rows.log_leaderboard(parent, compare([evaluation], PromotionParams()))
    path = Path(mlflow.get_run(row).info.artifact_uri.removeprefix("file://")) / "evaluation.json"
    path.write_text(path.read_text().replace("0", "1", 1))
    with pytest.raises(FerlineError, match="corrupt"):
        results.evaluations(parent)


def test_a_run_that_did_not_come_to_a_leaderboard_has_no_evaluations(store):
    parent = rows.parent("run", "run")
    with pytest.raises(FerlineError, match="has no leaderboard to read"):
        results.evaluations(parent)


def test_the_champions_evaluation_is_the_newest_of_its_weights(logged):
    (model, evaluation, _), _, _ = logged
    assert results.champion_evaluation("ferline") is None
    registry.point(registry.CHAMPION, registry.register("ferline", model, {}))
    newer = rows.log_evaluation(rows.parent("zenml-run-7", "seventh run"), evaluation)
    found = results.champion_evaluation("ferline")
    assert (found.digest, found.model_digest) == (evaluation.digest, model.digest)
    mlflow.MlflowClient().delete_run(newer)
    assert results.champion_evaluation("ferline").model_digest == model.digest


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
