"""Every way a promotion can end, for real: models in an MLflow store, and what the registry says afterwards."""

import shutil
import sqlite3
from collections.abc import Iterator

import mlflow
import pytest
from promoting import (
    World,
    aliases,
    board_of,
    changed,
    decide,
    files_of,
    judged,
    logged,
    reseal,
    rewritten,
    row_of,
    trained,
    versions,
    world_in,
)

from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import compare
from ferline.models.trained import WEIGHTS
from ferline.params import GateParams
from ferline.promotion import promote as promotion
from ferline.promotion.champion import champion_card, champion_text, history, history_text
from ferline.tracking import registry, rows, store
from ferline.tracking.results import latest_leaderboard


@pytest.fixture(scope="module")
def world(tmp_path_factory, faces_in) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("world"), faces_in) as made:
        yield made


# ---- no champion, or the very same


def test_the_first_model_that_passes_the_gates_becomes_champion(world):
    params = world.policy()
    decision = decide(params, world.first, world.faces)
    assert (decision["outcome"], decision["promoted"], decision["champion_version"]) == ("first", True, "1")
    assert aliases(params) == {"champion": "1", "challenger": "1"}
    tags = registry.champion(params.registered_name).tags
    assert (tags["outcome"], tags["decision"], tags["promotion"]) == ("first", decision["reason"], decision["reason"])
    assert (tags["promoted_at"], tags["ferline.replaced"]) == (decision["decided_at"], "none")
    assert tags["git.commit"] == "abc"


def test_the_same_bytes_are_not_registered_twice(world):
    params = world.policy()
    world.crown(params)
    before = registry.champion(params.registered_name)
    decision = decide(params, world.first, world.faces)
    assert (decision["outcome"], decision["promoted"], decision["champion_version"]) == ("same", False, "1")
    assert registry.champion(params.registered_name) == before, "not a tag is changed"
    assert versions(params) == ["1"]


# ---- compared with the champion on the same faces


def test_better_and_significantly_so_takes_the_alias(world):
    params = world.policy()
    world.crown(params)
    faces = judged(world.faces, world.first, world.second, lost=0, won=10)
    decision = decide(params, world.second, faces)
    assert (decision["outcome"], decision["promoted"], decision["champion_version"]) == ("better", True, "2")
    found = decision["previous_champion"]["comparison"]
    assert found["gain"] == pytest.approx(10 / 70)
    assert found["candidate"] - found["champion"] == pytest.approx(found["gain"])
    assert found["interval"][0] > 0
    assert found["p"] < 0.05
    assert (found["faces"], found["left_out"], found["notes"]) == (70, 0, [])
    assert aliases(params) == {"champion": "2", "challenger": "2"}
    assert registry.champion(params.registered_name).tags["ferline.replaced"] == "1"


def refused(world: World, faces, outcome: str, **policy) -> dict:
    """The second model against the first as champion: it ends as the challenger, and the champion stays."""
    params = world.policy(**policy)
    world.crown(params)
    decision = decide(params, world.second, faces)
    assert (decision["outcome"], decision["promoted"], decision["champion_version"]) == (outcome, False, "1")
    assert aliases(params) == {"champion": "1", "challenger": "2"}
    tags = registry.versions(params.registered_name)[0].tags
    assert (tags["outcome"], tags["decision"]) == (outcome, decision["reason"])
    assert "promoted_at" not in tags
    assert "ferline.replaced" not in tags
    return decision


def test_better_but_perhaps_by_chance_stays_challenger(world):
    decision = refused(world, judged(world.faces, world.first, world.second, lost=3, won=5), "not_significant")
    assert "that may be chance" in decision["reason"]


def test_the_same_gain_wins_where_no_test_is_asked_for(world):
    params = world.policy(significance="none")
    world.crown(params)
    decision = decide(params, world.second, judged(world.faces, world.first, world.second, lost=3, won=5))
    assert (decision["outcome"], decision["previous_champion"]["comparison"]["p"]) == ("better", None)


def test_better_by_no_more_than_the_minimum_gain_stays_challenger(world):
    faces = judged(world.faces, world.first, world.second, lost=0, won=7)
    refused(world, faces, "below_min_gain", min_gain=0.1)


def test_a_tie_keeps_the_champion(world):
    refused(world, judged(world.faces, world.first, world.second, lost=4, won=4), "tie")


def test_worse_keeps_the_champion(world):
    refused(world, judged(world.faces, world.first, world.second, lost=6, won=2), "worse")


def test_the_same_answers_from_other_bytes_are_a_tie(world):
    params = world.policy()
    world.crown(params)
    twin = logged(rewritten(world.first, seed=99))
    assert decide(params, twin, world.faces)["outcome"] == "tie"


# ---- a champion that cannot be compared


def crowned(world: World, **policy):
    """A champion of its own, whose files a test may spoil."""
    params = world.policy(**policy)
    own = logged(rewritten(world.first, seed=int(params.registered_name.rsplit("-", 1)[1]) + 1000))
    return params, world.crown(params, own)


def test_a_champion_whose_files_are_gone_gives_way(world):
    params, champion = crowned(world)
    shutil.rmtree(files_of(champion).parents[2])  # models/ID, as a clean-up takes it away
    decision = decide(params, world.second, world.faces)
    assert (decision["outcome"], decision["champion_version"]) == ("champion_unreadable", "2")
    assert "champion 1 cannot be scored" in decision["reason"]
    assert "its files are gone" in decision["reason"]
    assert aliases(params)["champion"] == "2"


def test_a_champion_with_a_flipped_bit_gives_way(world):
    params, champion = crowned(world)
    weights = files_of(champion) / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.unlink()  # it may share its blocks with the artifact that it was logged from
    weights.write_bytes(content)
    decision = decide(params, world.second, world.faces)
    assert (decision["outcome"], decision["promoted"]) == ("champion_unreadable", True)
    assert "model.safetensors: corrupt" in decision["reason"]


@pytest.mark.parametrize("gone", ["all of it", "a bit"])
def test_the_same_bytes_take_the_place_of_a_champion_that_the_store_has_lost(world, gone):
    """A training from the cache, say, of which MLflow keeps the record and no files."""
    params = world.policy()
    own = logged(rewritten(world.first, seed=int(params.registered_name.rsplit("-", 1)[1]) + 1000))
    champion = world.crown(params, own)
    weights = files_of(champion) / WEIGHTS
    if gone == "a bit":
        content = weights.read_bytes()
        weights.unlink()
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        shutil.rmtree(weights.parents[3])
    decision = decide(params, own, world.faces)
    assert (decision["outcome"], decision["promoted"], decision["champion_version"]) == (
        "champion_unreadable",
        True,
        "2",
    )
    again = registry.champion(params.registered_name)
    assert again.model().digest == own.digest
    assert again.tags["ferline.replaced"] == "1"
    assert decide(params, own, world.faces)["outcome"] == "same"
    assert versions(params) == ["1", "2"]


def test_a_champion_that_is_another_model_than_was_registered_gives_way(world):
    params, champion = crowned(world)
    reseal(files_of(champion), seed=7)
    decision = decide(params, world.second, world.faces)
    assert decision["outcome"] == "champion_unreadable"
    assert "holds another model than the one that was registered" in decision["reason"]


def test_a_champion_that_this_version_of_the_code_cannot_build_stays(world):
    params, champion = crowned(world)
    digest = reseal(files_of(champion), format=99)
    registry.tag(champion, {"ferline.model_digest": digest})
    decision = decide(params, world.second, world.faces)
    assert (decision["outcome"], decision["promoted"]) == ("champion_incompatible", False)
    assert "format 99" in decision["reason"]
    assert "Another promotion.registered_name starts anew" in decision["reason"]
    assert aliases(params) == {"champion": "1", "challenger": "2"}


def test_a_champion_of_other_emotions_stays(world):
    params = world.policy()
    world.crown(params)
    decision = decide(params, world.second, changed(world.faces, emotions=["happy", "sad"]))
    assert (decision["outcome"], decision["champion_version"]) == ("other_emotions", "1")
    assert "these faces show happy, sad. Another promotion.registered_name starts anew" in decision["reason"]
    assert aliases(params) == {"champion": "1", "challenger": "2"}


def test_a_champion_that_was_trained_on_todays_test_faces_stays(world):
    """Another split of the same set: today's test faces were its training faces."""
    params = world.policy()
    world.crown(params)
    sides = {"train": "test", "test": "train", "validation": "validation"}
    swapped = changed(world.faces, split=world.faces.table["split"].map(sides))
    decision = decide(params, world.second, swapped)
    assert (decision["outcome"], decision["champion_version"]) == ("seen", "1")
    assert "of today's 140 test faces it was trained on 140 and the candidate on 140" in decision["reason"]


def test_a_champion_of_another_input_size_and_channels_is_compared_on_faces_of_its_own(world, faces_in, tmp_path):
    """The same people at 64 pixels in colour; the candidate takes 48 in grey."""
    large = faces_in(tmp_path, train=140, test=70, side=64, channels=3)
    params = world.policy()
    champion = logged(trained(large, epochs=1, side=64))
    world.crown(params, champion)
    decision = decide(params, world.second, large)
    found = decision["previous_champion"]["comparison"]
    assert found["faces"] == 70
    assert decision["outcome"] in ("better", "not_significant", "worse", "tie")
    own = large.rows("test")
    right = champion.predict(large.images[own]).argmax(axis=1) == large.labels[own]
    assert found["champion"] == pytest.approx(right.mean())


# ---- a candidate that may not be promoted


def untouched(world: World, decision: dict, params, outcome: str) -> None:
    assert (decision["outcome"], decision["promoted"], decision["champion_version"]) == (outcome, False, None)
    assert store.client().search_registered_models(f"name = '{params.registered_name}'") == []


def test_a_challenger_from_a_papers_protocol_is_never_promoted(world):
    params = world.policy()
    untouched(world, decide(params, world.first, world.faces, protocol="paper:cnn_lstm"), params, "paper")


def test_a_challenger_from_leaking_data_is_never_promoted(world):
    """What validation wrote into the origin of the samples is on the model's card."""
    params = world.policy()
    leaking = rewritten(world.first, leaks={"exact": 2, "subject": 0, "sequence": 0})
    decision = decide(params, leaking, world.faces)
    untouched(world, decision, params, "leaks")
    assert "In params.yaml: validation.leakage.exact: drop" in decision["reason"]


def test_a_challenger_whose_data_nobody_audited_is_never_promoted(world):
    params = world.policy()
    untouched(world, decide(params, rewritten(world.first, leaks=None), world.faces), params, "unaudited")


@pytest.mark.parametrize(
    "gate",
    [
        {"min_macro_f1": 0.81},
        {"min_class_recall": 0.61},
        {"max_ece": 0.04},
        {"max_robustness_drop": 0.19},
        {"max_latency_ms": 4.9},
        {"max_size_mb": 1.4},
    ],
    ids=lambda gate: next(iter(gate)),
)
def test_a_challenger_that_fails_a_gate_is_not_registered(world, gate):
    params = world.policy(gates=GateParams(**gate))
    decision = decide(params, world.first, world.faces)
    untouched(world, decision, params, "gates")
    assert [each["name"] for each in decision["gates"] if not each["passed"]] == list(gate)


def test_a_gate_on_what_was_not_measured_fails(world):
    params = world.policy(gates=GateParams(max_robustness_drop=0.5))
    decision = decide(params, world.first, world.faces, robustness_drop=None)
    untouched(world, decision, params, "gates")
    assert "max_robustness_drop is not measured" in decision["reason"]


# ---- the modes


def test_a_dry_run_decides_and_leaves_the_registry_alone(world):
    params = world.policy()
    world.crown(params)
    faces = judged(world.faces, world.first, world.second, lost=0, won=10)
    before = registry.versions(params.registered_name)
    dry = world.policy(registered_name=params.registered_name, mode="dry-run")
    made = promotion.promote(board_of(row_of(world.second)), [world.second], faces, dry, {})
    decision = made.decision
    assert (decision["outcome"], decision["would_promote"], decision["promoted"]) == ("better", True, False)
    assert decision["reason"].startswith("dry run, nothing is changed: small is better")
    assert decision["champion_version"] == "1"
    assert made.text.startswith("# Would be promoted: small")
    assert registry.versions(params.registered_name) == before
    assert aliases(params) == {"champion": "1", "challenger": "1"}


def test_a_dry_run_of_a_first_model_registers_no_name(world):
    params = world.policy(mode="dry-run")
    decision = decide(params, world.first, world.faces)
    assert (decision["outcome"], decision["would_promote"]) == ("first", True)
    assert store.client().search_registered_models(f"name = '{params.registered_name}'") == []


def test_off_decides_nothing_and_says_so(world):
    params = world.policy()
    world.crown(params)
    off = world.policy(registered_name=params.registered_name, mode="off")
    made = promotion.promote(board_of(row_of(world.second)), [world.second], world.faces, off, {})
    assert (made.decision["outcome"], made.decision["gates"], made.decision["promoted"]) == ("off", [], False)
    assert made.text.startswith("# Nothing decided: small")
    assert "promotion.mode is off: nothing was compared and nothing is registered" in made.text
    assert versions(params) == ["1"]


# ---- a store that fails


def test_a_store_that_does_not_answer_stops_the_promotion_and_changes_nothing(world, monkeypatch):
    params = world.policy()
    world.crown(params)
    before = (aliases(params), registry.versions(params.registered_name))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri("http://127.0.0.1:9")  # the port of `discard`, at which nothing listens
    try:
        with pytest.raises(FerlineError, match=r"MLflow at http://127.0.0.1:9 does not answer"):
            decide(params, world.second, world.faces)
    finally:
        mlflow.set_tracking_uri(world.uri)
    assert (aliases(params), registry.versions(params.registered_name)) == before


def test_files_that_cannot_be_asked_for_now_are_not_taken_for_files_that_are_gone(world, monkeypatch):
    """The database answers, the server of the champion's files does not: a better candidate has to wait."""
    params, champion = crowned(world)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    relocated(world, champion, "http://127.0.0.1:9/api/2.0/mlflow-artifacts/artifacts/models/m")
    with pytest.raises(FerlineError, match="does not answer"):
        decide(params, world.second, judged(world.faces, world.first, world.second, lost=0, won=10))
    assert aliases(params) == {"champion": "1", "challenger": "1"}
    assert versions(params) == ["1"]


def test_a_disk_that_is_not_mounted_is_not_taken_for_files_that_are_gone(world, tmp_path):
    params, champion = crowned(world)
    relocated(world, champion, (tmp_path / "unmounted" / "models" / "m" / "artifacts").as_uri())
    with pytest.raises(FerlineError, match=r"/models, which is not there\. Run it"):
        decide(params, world.second, world.faces)
    assert aliases(params)["champion"] == "1"


def relocated(world: World, version: registry.Registered, location: str) -> None:
    """Have the store say that a version's files are somewhere else."""
    with sqlite3.connect(world.uri.removeprefix("sqlite:///")) as database:
        where = "WHERE name = ? AND version = ?"
        values = (location, location, version.name, int(version.version))
        database.execute(f"UPDATE model_versions SET storage_location = ?, source = ? {where}", values)
    database.close()


# ---- what is written down


def test_the_document_has_every_gate_and_the_whole_comparison(world):
    params = world.policy(gates=GateParams(min_macro_f1=0.5, max_robustness_drop=1.0))
    world.crown(params)
    faces = judged(world.faces, world.first, world.second, lost=0, won=10)
    row = row_of(world.second, robustness_drop=None)
    made = promotion.promote(board_of(row), [world.second], faces, params, {"git.commit": "abc"})
    text, decision = made.text, made.decision
    assert text.startswith("# Promoted: small\n")
    assert "Outcome `better`, mode enforce" in text
    assert "| min_macro_f1 | 0.8 | at least 0.5 | passed |" in text
    assert "| max_robustness_drop | not measured | at most 1 | passed |" in text
    assert text.count("passed") == 6
    found = decision["previous_champion"]["comparison"]
    assert f"| gain | {found['gain']:+.4f} | 95% interval {found['interval'][0]:+.4f} to" in text
    assert "On 70 test faces that neither was trained or chosen on." in text
    assert f"Champion now: {params.registered_name} version 2." in text
    assert "- git.commit: `abc`" in text
    assert decision["policy"]["gates"]["min_macro_f1"] == 0.5
    assert set(made.summary()) == {"promoted", "outcome", "reason", "champion_version"}


def test_faces_that_were_cut_out_otherwise_are_noted(world):
    params = world.policy()
    world.crown(params)
    today = changed(world.faces, preprocessing=world.faces.origin["preprocessing"] | {"margin": 0.3, "workers": 9})
    made = promotion.promote(board_of(row_of(world.second)), [world.second], today, params, {})
    note = "The champion learnt on faces that were cut out otherwise: margin 0.1 then, 0.3 today"
    assert made.decision["previous_champion"]["comparison"]["notes"] == [note]
    assert f"{note}.\n" in made.text


def test_who_was_champion_and_why_can_be_read(world):
    params = world.policy()
    world.crown(params)
    better = decide(params, world.second, judged(world.faces, world.first, world.second, lost=0, won=10))
    twin = logged(rewritten(world.second, seed=77))
    tie = decide(params, twin, world.faces)
    card = champion_card(params.registered_name)
    assert (card["version"], card["because"], card["since"]) == ("2", better["reason"], better["decided_at"])
    text = champion_text(card)
    assert text.startswith(f"Champion: small, registered as {params.registered_name} version 2\n")
    assert f"since {better['decided_at']}: {better['reason']}" in text
    assert f"models:/{params.registered_name}@champion" in text
    assert [each["version"] for each in history(params.registered_name)] == ["3", "2", "1"]
    told = history_text(history(params.registered_name))
    assert f"version 3, small: never champion\n  {tie['decided_at']}  {tie['reason']}" in told
    assert f"version 2, small: the champion\n  {better['decided_at']}  {better['reason']}" in told
    assert "version 1, small: was champion\n" in told


def test_an_earlier_promotion_is_not_overwritten_by_a_later_decision(world):
    """Version 1 was champion, and is a candidate again, and loses: both is written of it."""
    params = world.policy()
    world.crown(params)
    faces = judged(world.faces, world.first, world.second, lost=0, won=10)
    decide(params, world.second, faces)
    assert decide(params, world.first, faces)["outcome"] == "worse"
    tags = registry.versions(params.registered_name)[1].tags
    assert tags["outcome"] == "worse"
    assert tags["promotion"] == "small passes every gate and there is no champion yet"


def test_without_a_champion_the_command_says_what_to_do(world):
    with pytest.raises(FerlineError, match="has no champion of the name 'nobody'"):
        champion_card("nobody")
    assert history_text(history("nobody")) == "No version is registered yet."


# ---- from training to the registry, as the pipeline goes


def test_an_evaluated_model_goes_the_whole_way(store, make_model):
    params = World.policy(gates=GateParams(max_latency_ms=10_000))
    model, evaluation, faces = make_model("weak", epochs=1)
    parent = rows.parent("r1", "r1")
    rows.log_evaluation(parent, evaluation, model)
    leaderboard = compare([evaluation], params)
    rows.log_leaderboard(parent, leaderboard)
    made = promotion.promote(leaderboard, [model], faces, params, {"mlflow.parent_run": parent})
    promotion.log_decision(parent, made)
    assert made.decision["outcome"] == "first"
    gates = {gate["name"]: gate["value"] for gate in made.decision["gates"]}
    assert gates["max_ece"] == evaluation.scores("test")["ece"]
    assert gates["max_robustness_drop"] == evaluation.content["robustness"]["drop"]
    assert gates["max_size_mb"] == pytest.approx(evaluation.size_bytes / 1e6)
    assert champion_card(params.registered_name)["mlflow.parent_run"] == parent
    assert latest_leaderboard()["rows"][0]["model_digest"] == model.digest
    kept = mlflow.artifacts.load_dict(f"runs:/{parent}/promotion/promotion.json")
    assert kept == made.decision
    assert mlflow.get_run(parent).data.tags["ferline.promoted"] == "true"
