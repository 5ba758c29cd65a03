"""MLflow as people see it: one parent, one row an architecture, everything on it, the same names in all."""

import base64
import json
import shutil
import signal
import subprocess
import sys
import zlib
from dataclasses import asdict

import mlflow
import numpy as np
import pytest

from ferline.augment.policy import AugmentationPolicy
from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import compare
from ferline.models.predecessors import on_a_card
from ferline.params import ArchitectureParams, InputParams, PromotionParams, TrainingParams
from ferline.tracking import rows, view
from ferline.tracking import store as tracking
from ferline.tracking.logged_model import logged_model
from ferline.training.loop import train


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


def test_a_row_begins_with_what_its_models_card_ends_with(store, make_model):
    """A parameter that was written once cannot be changed: where another model lay is no part of either."""
    first, _, faces = make_model("small")
    training = TrainingParams(epochs=1, batch_size=28, device="cpu", teachers=(str(first.folder),))
    given = ArchitectureParams("cnn_lstm", InputParams(48, 1), training, weights=str(first.folder))
    policy = AugmentationPolicy.write(given.augmentation, faces, given.input, 0)
    card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    row, _ = rows.row(rows.parent("zenml-run-1", "first run"), "second")
    rows.begin(row, {"architecture": "second", **on_a_card(asdict(given)), **card})
    rows.log_parameters(row, train("second", given, faces, policy, card=card).card)
    params = mlflow.get_run(row).data.params
    assert (params["weights"], params["training.teachers"]) == (first.folder.name, f"['{first.folder.name}']")


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
    rows.complete(second, [evaluation], [model])
    copy = mlflow.get_run(rows.find_row(second, "small"))
    assert copy.data.metrics == mlflow.get_run(row).data.metrics
    assert copy.data.params == mlflow.get_run(row).data.params
    assert copy.outputs.model_outputs[0].model_id == logged_model(model.digest).model_id
    assert len(mlflow.search_logged_models([tracking.experiment_id()], output_format="list")) == 1


def test_a_new_store_beside_an_old_cache_gets_the_model_too(logged, empty_store, tmp_path):
    (model, evaluation, _), _, _ = logged
    shutil.copy(empty_store, tmp_path / "moved.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'moved.db'}")
    assert logged_model(model.digest) is None
    rows.complete(rows.parent("zenml-run-1", "after the move"), [evaluation], [model])
    assert logged_model(model.digest).source_run_id


def test_a_row_that_training_began_is_finished_from_the_evaluation_in_the_cache(logged):
    """The same weights again from changed code: train ran, evaluate did not."""
    (model, evaluation, _), _, row = logged
    parent = rows.parent("zenml-run-3", "third run")
    begun, _ = rows.row(parent, "small")
    for record in model.history:
        rows.log_epoch(begun, record)
    rows.complete(parent, [evaluation], [])
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
    rows.complete(again, [each for _, each, _ in made], [model for model, _, _ in made])
    copied = tracking.search(f"tags.`mlflow.parentRunId` = '{rows.find_row(again, 'twice')}'")
    assert {run.data.tags["ferline.seed"] for run in copied} == {"4", "5"}
    assert {run.data.tags["ferline.trained_in"] for run in copied} == {run.info.run_id for run in found.values()}


def test_folds_from_the_cache_have_their_rows_under_the_architectures(logged):
    (_, evaluation, _), _, _ = logged
    evaluation.content["fold"] = 1
    parent = rows.parent("zenml-run-4", "fourth run")
    rows.complete(parent, [evaluation], [])
    rows.complete(parent, [evaluation], [])
    above = rows.find_row(parent, "small")
    (fold,) = tracking.search(f"tags.`mlflow.parentRunId` = '{above}'")
    assert fold.data.tags["ferline.fold"] == "1"
    assert fold.info.run_name == "small fold 1"
    assert fold.data.metrics["test/accuracy"] == evaluation.scores("test")["accuracy"]
    assert len(mlflow.MlflowClient().get_metric_history(fold.info.run_id, "curves/train_loss")) == 2


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


def saved_view() -> dict:
    """As MLflow's page reads it."""
    told = mlflow.get_experiment(tracking.experiment_id()).tags[view.TAG]
    return json.loads(zlib.decompress(base64.b64decode(json.loads(told)["state"].removeprefix("deflate;"))))


def test_the_saved_view_shows_what_the_rows_have(logged):
    """A column or a chart of a name that no row has would be empty, and nobody would know why."""
    (_, evaluation, _), parent, row = logged
    rows.log_leaderboard(parent, compare([evaluation], PromotionParams()))
    run, shown = mlflow.get_run(row), saved_view()
    there = {f"metrics.`{key}`" for key in run.data.metrics} | {f"tags.`{key}`" for key in run.data.tags}
    assert set(shown["selectedColumns"]) - there == {"attributes.`Models`", "attributes.`Dataset`"}
    charts = shown["compareRunCharts"]
    assert {chart["metricKey"] for chart in charts if "metricKey" in chart} <= set(run.data.metrics)
    (parallel,) = (chart for chart in charts if chart["type"] == "PARALLEL")
    assert set(parallel["selectedMetrics"]) <= set(run.data.metrics)
    assert set(parallel["selectedParams"]) <= set(run.data.params)
    assert {chart["metricSectionId"] for chart in charts} == {each["uuid"] for each in shown["compareRunSections"]}
    assert len({chart["uuid"] for chart in charts}) == len(charts)


def test_the_confusion_matrix_is_there_as_an_image_that_mlflow_lays_beside_others(logged):
    _, _, row = logged
    files = [file.path for file in mlflow.MlflowClient().list_artifacts(row, "images")]
    assert sorted(name.rsplit(".", 1)[1] for name in files) == ["png", "webp"]
    assert all(name.startswith(f"images/{view.IMAGE}+step+0") for name in files)


def test_the_leaderboard_ranks_the_rows_and_is_told_on_the_parent(logged, make_model):
    (_, evaluation, _), parent, row = logged
    model, other, _ = make_model("other", epochs=4, seed=3)
    other_row = rows.log_evaluation(parent, other, model)
    board = compare([evaluation, other], PromotionParams())
    rows.log_leaderboard(parent, board)
    ranks = {each: mlflow.get_run(each).data.tags["ferline.rank"] for each in (row, other_row)}
    best = row if board.best["architecture"] == "small" else other_row
    assert ranks == {best: "1", ({row, other_row} - {best}).pop(): "2"}
    note = mlflow.get_run(parent).data.tags["mlflow.note.content"]
    assert "Leaderboard" in note
    assert "![" not in note, "a note has no files beside it"


def test_steps_that_start_at_once_share_one_parent_and_one_row(store, tmp_path):
    """As with a pod a step: five processes, started together, each a fold of one architecture."""
    script = (
        "import sys, time; from pathlib import Path; from ferline.tracking import rows\n"
        "folder, fold = Path(sys.argv[1]), sys.argv[2]; (folder / fold).touch()\n"
        "while len(list(folder.iterdir())) < 5: time.sleep(0.01)\n"
        "parent = rows.parent('at once', 'at once'); rows.row(parent, 'small', int(fold)); print(parent)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    started = [subprocess.Popen([*command, str(fold)], stdout=subprocess.PIPE, text=True) for fold in range(5)]
    parents = {process.communicate()[0].split()[-1] for process in started}
    assert len(parents) == 1
    client = mlflow.MlflowClient()
    experiment = [client.get_experiment_by_name("fer_training").experiment_id]
    assert len(client.search_runs(experiment, "tags.`ferline.pipeline_run` = 'at once'")) == 1
    rows_found = client.search_runs(experiment, f"tags.`mlflow.parentRunId` = '{parents.pop()}'")
    assert len(rows_found) == 1
    assert len(client.search_runs(experiment, f"tags.`mlflow.parentRunId` = '{rows_found[0].info.run_id}'")) == 5


def test_epochs_that_a_row_has_are_known(store):
    row, _ = rows.row(rows.parent("epochs", "epochs"), "small")
    assert rows.epochs(row) == 0
    for epoch in (1, 2):
        rows.log_epoch(row, {"epoch": epoch, "train_loss": 1.0})
    assert rows.epochs(row) == 2
