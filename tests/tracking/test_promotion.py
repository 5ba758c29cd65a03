"""Every way a promotion can end, decided on numbers and then for real in a registry."""

import shutil
from pathlib import Path

import mlflow
import pytest

from ferline.artifact import staging, write_json
from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import compare
from ferline.evaluation.metrics import score
from ferline.faces.faceset import FaceSet
from ferline.params import GateParams, PromotionParams
from ferline.tracking import registry, rows
from ferline.tracking.promotion import Reigning, decide, promote, reign
from ferline.tracking.results import champion_card, champion_text, export, latest_leaderboard

ROW = {
    "architecture": "new",
    "protocol": "subject",
    "model_digest": "n" * 64,
    "latency_ms": 10.0,
    "test": {"macro_f1": 0.8, "accuracy": 0.7, "min_class_recall": 0.5},
}


@pytest.mark.parametrize(
    ("reigning", "changes", "promoted", "reason"),
    [
        (None, {}, True, "there is no champion yet"),
        (
            Reigning("3", "old", 0.79, 0.8, 50),
            {},
            True,
            "new is better: test macro_f1 0.8000 against 0.7900 of champion 3",
        ),
        (Reigning("3", "old", 0.81, 0.8, 50), {}, False, "of champion 3 on 50 faces that neither was trained on"),
        (Reigning("3", "old", 0.8, 0.8), {}, False, "not better by more than 0"),
        (Reigning("3", "old", 0.9, 0.8), {}, False, "not better"),
        (Reigning("3", "old", 0.79, 0.8), {"min_gain": 0.02}, False, "not better by more than 0.02"),
        (Reigning("3", "old", 0.69, 0.7), {"select_by": "accuracy"}, True, "test accuracy 0.7000 against 0.6900"),
        (Reigning("3", "n" * 64, 0.8, 0.8), {}, False, "is the champion already (version 3"),
        (
            Reigning("3", "old", None, problem="its files are gone"),
            {},
            True,
            "champion 3 cannot be scored: its files are gone",
        ),
        (
            Reigning("3", "old", None, problem="it tells happy, sad", stays=True),
            {},
            False,
            "is not promoted, for champion 3 cannot be scored: it tells happy, sad",
        ),
        (
            None,
            {"gates": GateParams(min_macro_f1=0.9)},
            False,
            "fails the gates: min_macro_f1 is 0.8, at least 0.9 is needed",
        ),
        (None, {"gates": GateParams(min_class_recall=0.6)}, False, "min_class_recall is 0.5, at least 0.6"),
        (None, {"gates": GateParams(max_latency_ms=5)}, False, "max_latency_ms is 10, at most 5"),
    ],
)
def test_the_decision(reigning, changes, promoted, reason):
    decision = decide(ROW, ROW["model_digest"], reigning, PromotionParams(**changes))
    assert decision.promoted is promoted
    assert reason in decision.reason
    assert len(decision.gates) == 3


def test_a_gate_is_passed_at_its_very_threshold():
    floors = GateParams(min_macro_f1=0.8, min_class_recall=0.5, max_latency_ms=10.0)
    assert decide(ROW, "n", None, PromotionParams(gates=floors)).promoted


def run(parent_name: str, made, params: PromotionParams):
    model, evaluation, faces = made
    parent = rows.parent(parent_name, parent_name)
    rows.log_evaluation(parent, evaluation, model)
    board = compare([evaluation], params)
    rows.log_leaderboard(parent, board)
    promotion = promote(board, [model], faces, params, {"git.commit": "abc"})
    rows.log_decision(parent, promotion)
    return promotion.decision


def test_a_first_champion_a_better_one_and_a_worse_one(store, make_model, tmp_path):
    """The registry's life: nothing, a first version, the same again, a better one, a worse one as challenger."""
    params = PromotionParams(gates=GateParams())
    weak, strong, again = (
        make_model("weak", epochs=1),
        make_model("strong", epochs=8),
        make_model("again", epochs=1, seed=3),
    )
    assert registry.champion("ferline") is None

    first = run("r1", weak, params)
    assert first["promoted"]
    assert first["champion_version"] == "1"
    assert not run("r2", weak, params)["promoted"], "the same bytes are not promoted twice"
    assert registry.champion("ferline").version == "1"

    second = run("r3", strong, params)
    assert second["promoted"], second["reason"]
    assert second["previous_champion"]["version"] == "1"
    assert 0 <= second["previous_champion"]["score"] < second["candidate"]["test"]["macro_f1"]
    assert registry.champion("ferline").digest == strong[0].digest

    third = run("r4", again, params)
    assert not third["promoted"]
    assert third["champion_version"] == "2"
    client = mlflow.MlflowClient()
    assert int(client.get_model_version_by_alias("ferline", "challenger").version) == 3
    assert int(client.get_model_version_by_alias("ferline", "champion").version) == 2

    card = champion_card("ferline")
    assert (card["version"], card["architecture"], card["git.commit"]) == ("2", "strong", "abc")
    assert "models:/ferline@champion" in champion_text(card)
    assert latest_leaderboard()["rows"][0]["architecture"] == "again"
    written = {path.name for path in export(tmp_path / "reports")}
    assert written == {"metrics.json", "confusion.csv", "curves.csv"}
    assert (tmp_path / "reports" / "confusion.csv").read_text().count("\n") == 1 + 28


def test_failed_gates_register_nothing_and_the_reasons_are_kept(store, make_model):
    decision = run("r1", make_model(epochs=1), PromotionParams(gates=GateParams(min_macro_f1=1.0)))
    assert not decision["promoted"]
    assert decision["champion_version"] is None
    assert mlflow.MlflowClient().search_registered_models() == []
    parent = rows.parent("r1", "r1")
    text = mlflow.artifacts.load_text(f"runs:/{parent}/promotion/promotion.md")
    assert "FAILED" in text
    assert "min_macro_f1" in text


def test_a_champion_whose_files_are_gone_does_not_block(store, make_model):
    params = PromotionParams(gates=GateParams())
    run("r1", make_model("old", epochs=1), params)
    shutil.rmtree(Path(registry.champion("ferline").model().folder))
    with pytest.raises(FerlineError, match="cannot be read"):
        registry.champion("ferline").model()
    decision = run("r2", make_model("new", epochs=1, seed=1), params)
    assert decision["promoted"]
    assert "cannot be scored" in decision["reason"]


def test_a_champion_is_not_scored_on_faces_that_it_was_trained_on(store, make_model):
    """Another split of the same set: most of today's test faces were the champion's training faces."""
    params = PromotionParams(gates=GateParams())
    champion, evaluation, faces = make_model("old", epochs=1)
    run("r1", (champion, evaluation, faces), params)
    candidate, _, _ = make_model("new", epochs=2, seed=1)
    unseen = reign(params, candidate, faces)
    assert (unseen.faces, unseen.stays) == (len(faces.rows("test")), False)
    sides = {"train": "test", "test": "train", "validation": "validation"}
    swapped = rewritten(faces, split=faces.table["split"].map(sides))
    met = reign(params, candidate, swapped)
    assert (met.score, met.stays) == (None, True)
    assert "it was trained on 140 of today's 140 test faces" in met.problem


def test_the_score_is_of_the_faces_that_the_champion_never_saw(store, make_model):
    params = PromotionParams(gates=GateParams())
    champion, evaluation, faces = make_model("old", epochs=1)
    run("r1", (champion, evaluation, faces), params)
    train = faces.rows("train")[:40]
    test = faces.table["split"].where(~faces.table.index.isin(train), "test")
    mixed = rewritten(faces, split=test)
    found = reign(params, champion, mixed)
    rows = faces.rows("test")
    expected = score(faces.labels[rows], champion.predict(faces.images[rows]))["macro_f1"]
    assert (found.faces, found.score) == (len(rows), pytest.approx(expected))
    assert found.rival == found.score, "both are scored on the same faces"


def test_a_champion_of_other_emotions_stays(store, make_model):
    params = PromotionParams(gates=GateParams())
    champion, evaluation, faces = make_model("old", epochs=1)
    run("r1", (champion, evaluation, faces), params)
    found = reign(params, champion, rewritten(faces, emotions=["happy", "sad"]))
    assert (found.score, found.stays) == (None, True)
    assert "these faces show happy, sad. Another promotion.registered_name starts anew" in found.problem


def rewritten(faces, split=None, emotions=None) -> FaceSet:
    """The same faces with another split, or said to show other emotions."""
    with staging() as folder:
        shutil.copy(faces.folder / "images.npy", folder)
        table = faces.table if split is None else faces.table.assign(split=split)
        table.to_parquet(folder / "faces.parquet", index=False)
        origin = dict(faces.origin)
        if emotions:
            origin["dataset"] = origin["dataset"] | {"emotions": emotions}
        write_json(folder / "origin.json", origin)
    return FaceSet(folder)


def test_without_any_run_the_commands_say_what_to_do(store):
    with pytest.raises(FerlineError, match="holds no finished run yet"):
        latest_leaderboard()
    with pytest.raises(FerlineError, match="has no champion of the name 'ferline'"):
        champion_card("ferline")
