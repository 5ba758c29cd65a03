"""The product as a user runs it: `zenml pipeline run fer_training`, again, changed, with mistakes, after kill -9."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator

import mlflow
import pandas as pd
import pytest
import warm
import yaml
from project_folder import Project, cached, ran

from ferline.datasets.raw import RawSet
from ferline.datasets.synthetic import faces

ARCHITECTURES = {"cnn_lstm", "cnn_lstm_svm"}
SHARED = {"ingest", "validate", "crop_faces", "resize_48x1"}
BRANCHES = {f"{step}_{name}" for step in ("augment", "train", "evaluate") for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def first(project: Project) -> str:
    return project.train()


@pytest.fixture
def store(project: Project) -> Iterator[mlflow.MlflowClient]:
    mlflow.set_tracking_uri(project.environment["MLFLOW_TRACKING_URI"])
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri("")


def parents(store: mlflow.MlflowClient) -> list:
    """Pipeline runs, newest first."""
    experiment = store.get_experiment_by_name("fer_training").experiment_id
    return list(
        store.search_runs([experiment], "tags.`ferline.kind` = 'pipeline'", order_by=["attributes.start_time DESC"])
    )


def children(store: mlflow.MlflowClient, parent) -> dict:
    found = store.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    return {run.info.run_name: run for run in found}


def test_the_first_run_runs_every_stage(first, store):
    assert ran(first) == SHARED | BRANCHES | {"compare", "promote"}
    parent = parents(store)[0]
    rows = children(store, parent)
    assert set(rows) == ARCHITECTURES
    assert {row.info.status for row in rows.values()} | {parent.info.status} == {"FINISHED"}
    names = [set(row.data.metrics) for row in rows.values()]
    assert names[0] == names[1], "the same names in every row, or the comparison page has holes"
    assert {"test/accuracy", "validation/macro_f1", "curves/train_loss"} <= names[0]
    assert parent.data.tags["ferline.best"] in ARCHITECTURES


def test_bad_rows_are_set_aside_with_their_reason_and_the_run_goes_on(first, project):
    tables = [pd.read_csv(path) for path in project.folder.glob(".ferline/zenml/local_stores/**/quarantine.csv")]
    reasons = {row.id: row.reason for table in tables for row in table.itertuples()}
    assert set(reasons) == {"truncated", "text", "nothing", "huge", "unlabelled"}
    assert "hungry" in reasons["unlabelled"]


def test_the_commands_print_what_was_found(first, project):
    board = json.loads(project.run("ferline", "leaderboard", "--json"))
    assert {row["architecture"] for row in board["rows"]} == ARCHITECTURES
    table = project.run("ferline", "leaderboard")
    assert all(name in table for name in ARCHITECTURES)
    card = json.loads(project.run("ferline", "champion", "--json"))
    assert (card["version"], card["architecture"]) == ("1", board["rows"][0]["architecture"])
    assert "version 1" in project.run("ferline", "champion")


def test_nothing_changed_nothing_runs(first, project, store):
    second = project.train()
    assert cached(second) == SHARED | BRANCHES | {"compare"}
    assert ran(second) == {"promote"}
    assert "is the champion already" in parents(store)[0].data.tags["ferline.reason"]
    assert set(children(store, parents(store)[0])) == ARCHITECTURES, "a run from the cache shows its comparison too"


def test_one_parameter_of_one_architecture_runs_its_branch_and_what_follows(first, project, store):
    project.change(lambda content: content["architectures"]["cnn_lstm"]["training"].update(epochs=3))
    output = project.train()
    assert ran(output) == {"train_cnn_lstm", "evaluate_cnn_lstm", "compare", "promote"}
    rows = children(store, parents(store)[0])
    assert set(rows) == ARCHITECTURES, "the branch from the cache has its row here too"
    assert rows["cnn_lstm"].data.params["training.epochs"] == "3"
    assert rows["cnn_lstm_svm"].data.params["training.epochs"] == "2"


def test_new_images_run_everything(first, project):
    RawSet(project.folder / "data" / "raw" / "tiny").append(
        {**row, "id": f"more-{row['id']}"} for row in faces(8, 1, seed=4)
    )
    refused = project.train(ok=False)
    assert "data/raw/tiny differs from data/raw/tiny.dvc. Keep the change: dvc add data/raw/tiny" in refused
    project.run("dvc", "add", "--quiet", "data/raw/tiny")
    assert {"ingest", "validate", "crop_faces", "train_cnn_lstm", "promote"} <= ran(project.train())


def interrupted(project: Project, line_seen: str, by: signal.Signals) -> tuple[int, str]:
    """The pipeline, sent a signal after it printed a line: its exit status, and what it printed from then on."""
    process = subprocess.Popen(
        [str(warm.BIN / "zenml"), "pipeline", "run", "fer_training"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert any(line_seen in line for line in process.stdout)
    time.sleep(0.05)
    process.send_signal(by)
    rest = process.stdout.read()
    return process.wait(), rest


def test_kill_minus_nine_in_the_middle_of_training_then_the_same_command(first, project, store):
    def longer(content: dict) -> None:
        content["architectures"]["cnn_lstm"]["training"].update(epochs=12, seed=5)

    project.change(longer)
    interrupted(project, "cnn_lstm  epoch 4/12", signal.SIGKILL)
    assert list(project.folder.glob(".ferline/checkpoints/cnn_lstm-*/epoch-*"))

    output = project.train()
    assert {"train_cnn_lstm", "evaluate_cnn_lstm", "compare", "promote"} <= ran(output)
    assert not list(project.folder.glob(".ferline/checkpoints/cnn_lstm-*"))
    newest, killed = parents(store)[:2]
    assert (newest.info.status, killed.info.status) == ("FINISHED", "KILLED")
    row = children(store, newest)["cnn_lstm"]
    steps = [point.step for point in store.get_metric_history(row.info.run_id, "curves/train_loss")]
    assert steps == list(range(1, 13)), "one whole curve, the epochs before the kill included"


def test_a_machine_that_is_wanted_back_saves_two_processes_work_and_the_same_command_goes_on(first, project, store):
    def shared(content: dict) -> None:
        content["architectures"]["cnn_lstm"]["training"].update(epochs=12, seed=6)
        content["compute"].update(devices=2)

    project.change(shared)
    status, told = interrupted(project, "cnn_lstm  epoch 3/12", signal.SIGTERM)
    assert status == 75
    assert "cnn_lstm: asked to stop (SIGTERM) in epoch" in told
    assert "the same command goes on from there" in told
    assert list(project.folder.glob(".ferline/checkpoints/cnn_lstm-*/epoch-*"))

    project.train(PYTHON_EXEC=warm.program("python"))
    row = children(store, parents(store)[0])["cnn_lstm"]
    steps = [point.step for point in store.get_metric_history(row.info.run_id, "curves/train_loss")]
    assert steps == list(range(1, 13))
    assert not list(project.folder.glob(".ferline/jobs/*"))

    def as_before(content: dict) -> None:
        content["architectures"]["cnn_lstm"]["training"].update(seed=5)
        content["compute"].update(devices=1)

    project.change(as_before)


def test_several_seeds_are_one_row_with_their_spread_and_each_below_it(first, project, store):
    path = project.folder / "params.yaml"
    before = path.read_text()
    try:
        project.change(lambda content: content.update(seeds=2) or content["architectures"].pop("cnn_lstm_svm"))
        output = project.train()
        board = json.loads(project.run("ferline", "leaderboard", "--json"))
    finally:
        path.write_text(before)
    assert {"train_cnn_lstm_seed_5", "train_cnn_lstm_seed_6", "pool_cnn_lstm", "promote"} <= ran(output)
    (row,) = children(store, parents(store)[0]).values()
    members = children(store, row)
    assert set(members) == {"cnn_lstm seed 5", "cnn_lstm seed 6"}
    accuracies = pd.Series([run.data.metrics["test/accuracy"] for run in members.values()])
    assert row.data.metrics["test/accuracy"] == pytest.approx(accuracies.mean())
    assert row.data.metrics["test/accuracy_sd"] == pytest.approx(accuracies.std())
    best = max(members.values(), key=lambda run: run.data.metrics["validation/macro_f1"])
    assert board["rows"][0]["model_digest"] == best.data.tags["model.digest"]
    assert board["rows"][0]["seeds"] == 2


MISTAKES = [
    ({"dataset": {"name": "nosuch"}}, "dataset.name: 'nosuch' is no set in"),
    ({"dataset": {"name": "tiny", "protocol": "sequence"}}, "needs to know which video each image is from"),
    (
        {"dataset": {"name": "tiny", "emotions": ["contempt", "fear"]}},
        "dataset.emotions: tiny has no image of contempt. It has [angry, disgust, fear, happy, sad, ",
    ),
    (
        {"evaluation": {"slices": ["age"]}},
        "evaluation.slices: tiny has no column 'age'. Write some of: auto, face_size",
    ),
    ({"facees": {}}, "facees: unknown key; known here: architectures, compute, dataset, evaluation, faces"),
    ({"profile": "fast"}, "profile: 'fast' is not allowed; write one of quick"),
]
MISSPELT = [
    ("enable_cahce: false", "unknown key enable_cahce; ZenML's run settings are: "),
    (
        "steps: {train_resnet: {enable_cache: false}}",
        "steps: unknown key train_resnet; the steps are: augment_cnn_lstm",
    ),
]
REFUSED = """
import json, sys
from pathlib import Path
from zenml.cli.cli import cli
for params, settings, options in json.loads(sys.argv[1]):
    Path("params.yaml").write_text(params)
    Path("run.yaml").write_text(settings)
    print("== NEXT", flush=True)
    try:
        cli(["pipeline", "run", "fer_training", *options])
    except SystemExit as end:
        print("== STATUS", end.code, flush=True)
"""


@pytest.fixture(scope="module")
def refusals(first, project) -> list[str]:
    """What is said to every mistake, in turn, by one process: its start takes longer than they do."""
    path = project.folder / "params.yaml"
    before = path.read_text()
    cases = [(yaml.safe_dump(yaml.safe_load(before) | change), "", []) for change, _ in MISTAKES]
    cases += [(before, settings, ["-c", "run.yaml"]) for settings, _ in MISSPELT]
    try:
        output = project.run("python", "-c", REFUSED, json.dumps(cases))
    finally:
        path.write_text(before)
    return output.split("== NEXT\n")[1:]


@pytest.mark.parametrize(("number", "said"), list(enumerate(said for _, said in [*MISTAKES, *MISSPELT])))
def test_a_mistake_in_params_yaml_or_run_yaml_is_one_message_before_anything_runs(refusals, number, said):
    assert said in refusals[number]
    assert refusals[number].endswith("== STATUS 1\n")
    assert "Traceback" not in refusals[number]
    assert not ran(refusals[number])


def test_zenmls_own_run_settings_are_taken(first, project):
    (project.folder / "run.yaml").write_text("run_name: my own name\nsteps: {compare: {enable_cache: false}}\n")
    output = project.run("zenml", "pipeline", "run", "fer_training", "-c", "run.yaml")
    assert {"compare", "promote"} <= ran(output)
    assert "my own name" in project.run("zenml", "pipeline", "runs", "list")


def test_dvc_repro_runs_when_a_parameter_changed_and_not_otherwise(first, project):
    assert ran(project.run("dvc", "repro")) >= {"promote"}
    assert "Data and pipelines are up to date" in project.run("dvc", "repro")
    project.commit("the first results")
    before = json.loads(project.run("dvc", "metrics", "show", "--json"))

    project.run("dvc", "exp", "run", "-S", "architectures.cnn_lstm.input.side=40")
    assert "architectures.cnn_lstm.input.side" in project.run("dvc", "params", "diff")
    assert "cnn_lstm.parameters" in project.run("dvc", "metrics", "diff")
    after = json.loads(project.run("dvc", "metrics", "show", "--json"))
    assert before != after
    project.run("dvc", "plots", "show", "--out", "plots")
    page = (project.folder / "plots" / "index.html").read_text()
    assert "The best model on the test split" in page
    assert '"predicted"' in page


def test_a_folder_that_cannot_be_written_is_one_message(first, project):
    (project.folder / "file").write_text("")
    output = project.run(
        "zenml",
        "pipeline",
        "run",
        "fer_training",
        "-c",
        str(uncached(project)),
        ok=False,
        FERLINE_SCRATCH=str(project.folder / "file" / "scratch"),
    )
    assert "no scratch folder can be made there" in output


def uncached(project: Project):
    path = project.folder / "uncached.yaml"
    path.write_text("steps: {crop_faces: {enable_cache: false}}")
    return path
