"""From a model back to what made it, however the model is named; and what is said where the trail ends."""

import json
import sqlite3
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner

from ferline.cli import main
from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import compare
from ferline.lineage.trace import as_text, lineage
from ferline.params import PromotionParams
from ferline.tracking import registry, rows


@pytest.fixture
def registered(store, make_model):
    """A champion as the steps make one: trained, evaluated, registered."""
    made = make_model("small")
    parent = rows.parent("zenml-run-1", "fer_training-one")
    row, _ = rows.row(parent, "small")
    rows.begin(row, made[1].card)
    rows.log_evaluation(parent, made[1], made[0])
    version = registry.register("ferline", made[0], {"decision": "small passes every gate"})
    registry.point(registry.CHAMPION, version)
    return made, parent, row


def test_a_model_leads_back_to_data_code_parameters_and_runs(registered):
    (model, evaluation, _), parent, row = registered
    found = lineage("champion", "ferline")
    assert found["model_digest"] == model.digest
    assert found["registered"][0]["aliases"] == ["champion"]
    assert found["data"]["data_digest"] == evaluation.card["data_digest"]
    assert found["runs"]["row"] == row
    assert found["runs"]["parent"] == parent
    assert found["runs"]["zenml_pipeline_run"] == "zenml-run-1"
    assert found["runs"]["trained_here"]
    assert found["parameters"]["training.epochs"] == 1
    assert found["parameters"]["faces.margin"] == evaluation.card["preprocessing"]["margin"]
    assert found["seed"] == 0
    assert found["code"]["git_commit"] == mlflow.get_run(row).data.tags["git.commit"]
    assert len(found["code"]["environment_lock"]) == 64


@pytest.mark.parametrize("named", ["champion", "1", "digest", "DIGEST"])
def test_a_model_is_named_by_alias_version_or_digest(registered, named):
    digest = registered[0][0].digest
    model = {"digest": digest[:8], "DIGEST": digest.upper()}.get(named, named)
    assert lineage(model, "ferline")["model_digest"] == digest


def test_a_model_that_was_never_registered_has_its_lineage_too(store, make_model):
    model, evaluation, _ = make_model("small")
    rows.log_evaluation(rows.parent("zenml-run-2", "two"), evaluation, model)
    found = lineage(model.digest[:12], "ferline")
    assert (found["architecture"], found["registered"]) == ("small", [])


@pytest.mark.parametrize("model", ["7", "nobody", "abcdef", "abc", "../x"])
def test_a_model_that_is_not_there_is_one_message(registered, model):
    with pytest.raises(FerlineError, match=r"has no model .*write a version of ferline \(here: 1\)"):
        lineage(model, "ferline")


def test_a_model_whose_training_run_was_wiped_says_that_it_was_stored_from_the_cache(store, make_model):
    """ZenML's cache outlives a store that was deleted; the commit of the later run made nothing."""
    model, evaluation, _ = make_model("small")
    rows.log_evaluation(rows.parent("zenml-run-3", "three"), evaluation, model)
    found = lineage(model.digest, "ferline")
    assert not found["runs"]["trained_here"]
    assert "stored by that run from ZenML's cache" in as_text(found)


def test_the_decisions_about_a_model_are_told_and_those_about_others_are_not(registered, make_model):
    (_, evaluation, _), parent, _ = registered
    other = make_model("other", epochs=6, seed=4)
    rows.log_evaluation(parent, other[1], other[0])
    rows.log_leaderboard(parent, compare([evaluation], PromotionParams()))
    mlflow.MlflowClient().set_tag(parent, "ferline.promoted", "true")
    mlflow.MlflowClient().set_tag(parent, "ferline.outcome", "first")
    mlflow.MlflowClient().set_tag(parent, "ferline.reason", "small passes every gate")
    (decision,) = lineage("champion", "ferline")["decisions"]
    assert (decision["promoted"], decision["outcome"]) == (True, "first")
    assert decision["reason"] == "small passes every gate"
    assert lineage(other[0].digest, "ferline")["decisions"] == []


def test_rollbacks_of_its_version_are_told(registered):
    tags = {"taken_back": "for version 2, by anna: too many sad faces", "taken_back_at": "2026-11-20 20:34:46 UTC"}
    registry.tag(registry.champion("ferline"), tags)
    found = lineage("champion", "ferline")
    assert [(each["version"], each["what"]) for each in found["rollbacks"]] == [("1", "taken_back")]
    assert "version 1 taken back for version 2, by anna: too many sad faces" in as_text(found)


def test_a_deleted_run_is_said(registered):
    _, _, row = registered
    store_file = Path(mlflow.get_tracking_uri().removeprefix("sqlite:///"))
    with sqlite3.connect(store_file) as database:
        for table in ("tags", "params", "metrics", "latest_metrics"):
            database.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (row,))
        database.execute("DELETE FROM runs WHERE run_uuid = ?", (row,))
    with pytest.raises(FerlineError, match=f"its MLflow run {row} was deleted"):
        lineage("champion", "ferline")


def test_the_command_prints_text_and_json(registered):
    (model, _, _), _, row = registered
    text = CliRunner().invoke(main, ["lineage", "champion", "--name", "ferline"], catch_exceptions=False).stdout
    assert model.digest in text
    assert row in text
    assert "training.learning_rate" in text
    told = CliRunner().invoke(main, ["lineage", "1", "--name", "ferline", "--json"], catch_exceptions=False).stdout
    assert json.loads(told)["runs"]["row"] == row
