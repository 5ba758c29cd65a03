"""What is read back from the store: the evaluations of a run and of the champion."""

from pathlib import Path

import mlflow
import pytest

from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import compare
from ferline.params import PromotionParams
from ferline.tracking import registry, results, rows


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
