"""`ferline report` as typed, on a real store: which run it reports, where it writes, and what it refuses."""

import json
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner, Result
from decision_made import DECISION
from report_reading import read_html, read_markdown

from ferline.artifact import staging, write_json
from ferline.cli import main
from ferline.evaluation.leaderboard import compare
from ferline.params import PromotionParams
from ferline.promotion.promote import Promotion, log_decision
from ferline.tracking import registry, rows


@pytest.fixture
def pipeline_run(store, make_evaluation, tmp_path):
    """A finished pipeline run as the pipeline leaves it; the id of its MLflow run."""

    def run(name: str, skill: float, decided: bool = True, **more) -> str:
        parent = rows.parent(f"zenml-{name}", name)
        both = [make_evaluation(f"{name}_{each}", skill + each, "matrix", **more) for each in (0, 1)]
        for evaluation in both:
            rows.log_evaluation(parent, evaluation)
        board = compare(both, PromotionParams(), tmp_path / f"board of {name}")
        rows.log_leaderboard(parent, board)
        if decided:
            with staging(tmp_path / f"promotion of {name}") as folder:
                write_json(folder / "promotion.json", DECISION | {"candidate": board.rows[0]})
            log_decision(parent, Promotion(tmp_path / f"promotion of {name}"))
        return parent

    return run


def report(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", "--name", "ferline", *map(str, arguments)])


def crown(digest: str) -> None:
    client = mlflow.MlflowClient()
    client.create_registered_model("ferline")
    version = client.create_model_version("ferline", "nowhere", tags={registry.DIGEST: digest})
    client.set_registered_model_alias("ferline", registry.CHAMPION, version.version)


def test_the_newest_run_is_reported_into_the_folder(pipeline_run, tmp_path):
    pipeline_run("older", 1.0)
    newest = pipeline_run("newer", 2.0)
    done = report(tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert done.output.strip() == str(tmp_path / "out" / "report.html")
    for read in (read_html(tmp_path / "out"), read_markdown(tmp_path / "out")):
        assert f"newer {newest}" in read.text
        assert "newer_1" in read.text
        assert "older" not in read.text
        assert "Promoted. cnn_lstm is better: it says so here." in read.text


@pytest.mark.parametrize("by", ["MLflow id", "ZenML id", "name", "id of a row"])
def test_a_run_is_found_by_every_name_that_it_has(pipeline_run, tmp_path, by):
    older = pipeline_run("older", 1.0)
    pipeline_run("newer", 2.0)
    names = {"MLflow id": older, "ZenML id": "zenml-older", "name": "older"}
    names["id of a row"] = rows.find_row(older, "older_0")
    done = report(tmp_path / "out", "--run", names[by])
    assert done.exit_code == 0, done.output
    assert f"older {older}" in read_html(tmp_path / "out").text


def test_a_run_that_does_not_exist_is_one_clear_error(pipeline_run, tmp_path):
    pipeline_run("there", 1.0)
    done = report(tmp_path / "out", "--run", "it's not there")
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert 'has no pipeline run "it\'s not there"' in done.output
    assert not (tmp_path / "out").exists()


def test_an_empty_store_is_one_clear_error(store, tmp_path):
    done = report(tmp_path / "out")
    assert done.exit_code == 1
    assert "holds no finished run yet. Run: zenml pipeline run fer_training" in done.output


def test_a_run_that_did_not_come_to_a_leaderboard_is_one_clear_error(store, tmp_path):
    parent = rows.parent("zenml-crashed", "crashed")
    done = report(tmp_path / "out", "--run", parent)
    assert done.exit_code == 1
    assert f"MLflow run {parent} has no leaderboard to read" in done.output
    assert done.output.count("\n") == 1


def test_a_run_of_an_earlier_version_is_one_clear_error(store, tmp_path):
    parent = rows.parent("zenml-old", "old")
    mlflow.MlflowClient().log_dict(parent, {"rows": []}, "leaderboard/leaderboard.json")
    done = report(tmp_path / "out", "--run", parent)
    assert done.exit_code == 1
    assert "is of an earlier version of ferline" in done.output


def test_a_run_that_has_not_decided_yet_is_reported(pipeline_run, tmp_path):
    pipeline_run("undecided", 1.0, decided=False)
    assert report(tmp_path / "out").exit_code == 0
    assert "This run did not come to one: nothing was promoted." in read_html(tmp_path / "out").text


def test_the_champion_is_the_registrys(pipeline_run, tmp_path):
    pipeline_run("older", 1.0)
    pipeline_run("newer", 2.0)
    crown("older_1 0")  # the digest that the test's evaluation has
    assert report(tmp_path / "out").exit_code == 0
    assert read_html(tmp_path / "out").text.count("Against the champion, older_1, of an earlier run:") == 2


def test_without_a_folder_it_goes_beside_the_scratch_space(pipeline_run, tmp_path, monkeypatch):
    monkeypatch.setenv("FERLINE_SCRATCH", str(tmp_path / "state" / "scratch"))
    pipeline_run("only", 1.0)
    assert report().output.strip() == str(tmp_path / "state" / "report" / "report.html")
    assert (tmp_path / "state" / "report" / "report.md").exists()


def test_a_folder_of_other_files_is_one_clear_error(pipeline_run, tmp_path):
    pipeline_run("only", 1.0)
    done = report(tmp_path)
    assert done.exit_code == 1
    assert "is no part of a report" in done.output
    assert (tmp_path / "mlflow.db").exists()


def test_an_evaluation_that_was_tampered_with_is_not_reported(pipeline_run, tmp_path):
    parent = pipeline_run("only", 1.0)
    row = mlflow.get_run(rows.find_row(parent, "only_0"))
    file = Path(row.info.artifact_uri.removeprefix("file://")) / "evaluation.json"
    content = json.loads(file.read_text())
    content["splits"]["test"]["accuracy"] = 0.999
    file.write_text(json.dumps(content))
    done = report(tmp_path / "out")
    assert done.exit_code == 1
    assert "evaluation.json: corrupt" in done.output
    assert not (tmp_path / "out").exists()
