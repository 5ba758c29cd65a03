"""One's own faces, from a folder of images to a row of the comparison: added, cut into folds, trained, pooled."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from project_folder import Project, cached, ran

from ferline.datasets.synthetic import faces

FOLDS = 3
TRAINED = {f"{step}_cnn_lstm_fold_{fold}" for step in ("train", "evaluate") for fold in range(FOLDS)}


@pytest.fixture(scope="module")
def first(project: Project, tmp_path_factory: pytest.TempPathFactory) -> str:
    source = tmp_path_factory.mktemp("download") / "my_faces"
    for row in faces(9, 1, seed=11):
        path = source / str(row["label"]).title() / f"{row['subject']}_{row['id'].replace('/', '-')}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row["image"])
    person = r"^([^/_]+)_"
    project.run("ferline", "data", "add", "folder", "--source", str(source), "--name", "mine", "--subject", person)
    project.change(cut_into_folds)
    return project.train()


def cut_into_folds(content: dict) -> None:
    content["dataset"] = {"name": "mine", "protocol": "subject", "folds": FOLDS}
    content["architectures"] = {"cnn_lstm": content["architectures"]["cnn_lstm"]}


@pytest.fixture
def store(project: Project) -> Iterator[mlflow.MlflowClient]:
    mlflow.set_tracking_uri(project.environment["MLFLOW_TRACKING_URI"])
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri("")


def under(store: mlflow.MlflowClient, run_id: str) -> list:
    experiment = store.get_experiment_by_name("fer_training").experiment_id
    return list(store.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'"))


def newest(store: mlflow.MlflowClient) -> str:
    experiment = store.get_experiment_by_name("fer_training").experiment_id
    found = store.search_runs([experiment], "tags.`ferline.kind` = 'pipeline'", order_by=["attributes.start_time DESC"])
    return str(found[0].info.run_id)


def test_every_fold_is_trained_and_they_are_one_row(first, project, store, tmp_path):
    assert TRAINED | {"pool_cnn_lstm", "compare", "promote"} <= ran(first)
    (row,) = under(store, newest(store))
    assert row.info.run_name == "cnn_lstm"
    folds = under(store, row.info.run_id)
    assert sorted(run.data.tags["ferline.fold"] for run in folds) == ["0", "1", "2"]
    accuracies = pd.Series([run.data.metrics["test/accuracy"] for run in folds])
    assert row.data.metrics["test/accuracy"] == pytest.approx(accuracies.mean())
    assert row.data.metrics["test/accuracy_sd"] == pytest.approx(accuracies.std())
    path = store.download_artifacts(row.info.run_id, "predictions.parquet", str(tmp_path))
    tested = pd.read_parquet(path).query("split == 'test'")
    assert tested["id"].nunique() == len(tested) == 63, "every face was tested once"
    assert {run.info.status for run in [row, *folds]} == {"FINISHED"}


def test_nobody_is_in_two_folds(first, project):
    (index,) = project.folder.glob(".ferline/zenml/local_stores/**/samples/**/index.parquet")
    table = pd.read_parquet(index)
    assert table.groupby("subject")["fold"].nunique().max() == 1
    assert sorted(table["fold"].unique()) == [0, 1, 2]


def test_the_leaderboard_says_mean_and_spread_and_the_first_folds_model_is_registered(first, project):
    (row,) = json.loads(project.run("ferline", "leaderboard", "--json"))["rows"]
    table = project.run("ferline", "leaderboard")
    assert f"{row['test']['macro_f1']:.3f} ± {row['test']['sd']['macro_f1']:.3f}" in table
    assert "of 3 folds" in " ".join(table.split())
    card = json.loads(project.run("ferline", "champion", "--json"))
    assert (card["version"], card["architecture"]) == ("1", "cnn_lstm")


def test_a_second_run_takes_all_folds_from_the_cache_and_still_shows_the_row(first, project, store):
    second = project.train()
    assert ran(second) == {"promote"}
    assert cached(second) >= TRAINED | {"pool_cnn_lstm"}
    (row,) = under(store, newest(store))
    assert row.data.metrics["test/accuracy_sd"] >= 0
    assert len(under(store, row.info.run_id)) == FOLDS


def test_the_audit_of_ones_own_set(first, project):
    told = project.run("ferline", "data", "audit", "mine")
    assert "subjects: 9, 0 of them in more than one split" in told
    page = Path(told.strip().splitlines()[-1].removeprefix("To look at: "))
    assert "Leakage audit of mine (protocol subject, 3 folds)" in page.read_text()
    assert not subprocess.run(
        ["git", "status", "--porcelain", "--", str(page)], cwd=project.folder, capture_output=True
    ).stdout


def test_a_papers_protocol_is_shown_and_never_promoted(first, project):
    project.change(lambda content: content["dataset"].update(protocol="paper:cnn_lstm", folds=0))
    project.train()
    decision = project.run("ferline", "champion")
    assert "version 1" in decision
    (row,) = json.loads(project.run("ferline", "leaderboard", "--json"))["rows"]
    assert row["protocol"] == "paper:cnn_lstm"
