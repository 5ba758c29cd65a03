"""The way back: to whom, how it is written down, and that nothing moves when it cannot be done."""

import json
import shutil
from collections.abc import Iterator

import mlflow
import pytest
from click.testing import CliRunner
from promoting import World, aliases, decide, files_of, judged, logged, rewritten, versions, world_in

from ferline.cli import main
from ferline.errors import FerlineError
from ferline.promotion.champion import champion_card, champion_text, history_text
from ferline.promotion.champion import history as history_of
from ferline.promotion.rollback import rollback
from ferline.tracking import registry, store


@pytest.fixture(scope="module")
def world(tmp_path_factory, faces_in) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("world"), faces_in) as made:
        yield made


@pytest.fixture(scope="module")
def third(world):
    """The second model's answers from other bytes."""
    return logged(rewritten(world.second, seed=3))


@pytest.fixture
def line(world, third):
    """Three champions, each in place of the one before it; the policy under whose name they are registered."""
    params = world.policy(significance="none")
    world.crown(params)
    assert decide(params, world.second, judged(world.faces, world.first, world.second, lost=0, won=9))["promoted"]
    assert decide(params, logged_again(world, params), world.faces)["promoted"]
    return params


def logged_again(world, params):
    """A model of its own for this line, which beats the second on the true labels: the first's weights."""
    return logged(rewritten(world.first, seed=int(params.registered_name.rsplit("-", 1)[1]) + 500))


def champion(params) -> str:
    return aliases(params)["champion"]


def audits(params) -> list:
    """The rollbacks' own runs, newest first."""
    found = store.search(
        f"tags.`ferline.kind` = 'rollback' and tags.`ferline.registered_name` = '{params.registered_name}'"
    )
    return list(found)


def test_it_goes_back_to_the_champion_that_this_one_replaced(line):
    done = rollback(line.registered_name, reason="it takes fear for surprise")
    assert (done.from_version, done.to_version) == ("3", "2")
    assert champion(line) == "2"
    assert "version 2 is champion again, in place of version 3 (the champion before it)" in done.text
    assert done.text.endswith(": it takes fear for surprise")


def test_a_second_one_goes_further_back_and_does_not_come_again_to_where_it_started(line):
    rollback(line.registered_name)
    done = rollback(line.registered_name)
    assert (done.from_version, done.to_version) == ("2", "1")
    with pytest.raises(FerlineError) as error:
        rollback(line.registered_name)
    assert "version 1 has no champion before it. Nothing was changed" in str(error.value)
    assert "ferline champion --history" in str(error.value)
    assert champion(line) == "1"
    assert len(audits(line)) == 2


def test_what_was_taken_back_before_is_passed_over(line):
    """From 3 to 2, and from 2 by name to 3 again: 2 was found wanting too, so from there the way goes to 1."""
    rollback(line.registered_name)
    rollback(line.registered_name, "3")
    done = rollback(line.registered_name)
    assert (done.to_version, done.chosen) == ("1", "the champion before it, past version 2, taken back earlier")


def test_where_all_before_were_taken_back_one_has_to_be_named(line):
    rollback(line.registered_name)
    rollback(line.registered_name)
    rollback(line.registered_name, "3")
    with pytest.raises(FerlineError, match="no champion before it but version 2 and version 1, taken back earlier"):
        rollback(line.registered_name)
    assert champion(line) == "3"


def test_two_that_replaced_each_other_are_no_circle(world, line):
    """Version 3 replaced 2, and then 2 replaces 3, by a promotion on other labels."""
    faces = judged(world.faces, registry.champion(line.registered_name).model(), world.second, lost=0, won=5)
    decide(line, world.second, faces)
    assert champion(line) == "2"
    rollback(line.registered_name)
    assert champion(line) == "3"
    with pytest.raises(FerlineError, match="no champion before it but version 2, taken back earlier"):
        rollback(line.registered_name)


def test_a_version_can_be_named(line):
    done = rollback(line.registered_name, "1")
    assert (done.from_version, done.to_version, done.chosen) == ("3", "1", "as asked for")
    assert champion(line) == "1"


def test_it_can_be_undone_by_name_and_the_mark_goes(line):
    rollback(line.registered_name)
    assert "taken_back" in registry.versions(line.registered_name)[0].tags
    rollback(line.registered_name, "3")
    latest, second, _ = registry.versions(line.registered_name)
    assert champion(line) == "3"
    assert "taken_back" not in latest.tags
    assert "taken_back" in second.tags
    assert "restored" not in second.tags


def test_it_is_written_down_in_a_run_of_its_own_and_on_both_versions(line):
    done = rollback(line.registered_name, reason="complaints")
    (run,) = audits(line)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "rollback to version 2"
    assert (run.data.tags["ferline.from"], run.data.tags["ferline.to"]) == ("3", "2")
    assert run.data.tags["mlflow.note.content"] == done.text
    kept = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/rollback.json")
    assert kept == {
        "registered_name": line.registered_name,
        "from_version": "3",
        "to_version": "2",
        "when": done.when,
        "who": done.who,
        "reason": "complaints",
        "chosen": "the champion before it",
    }
    assert "@" in kept["who"]
    was, now, _ = registry.versions(line.registered_name)
    assert was.tags["taken_back"] == f"by {done.who} on {done.when} for version 2: complaints"
    assert now.tags["restored"] == (
        f"put back by {done.who} in place of version 3 (the champion before it): complaints"
    )


def test_the_champion_that_a_person_put_back_says_so(line):
    done = rollback(line.registered_name, reason="complaints")
    card = champion_card(line.registered_name)
    assert (card["version"], card["since"]) == ("2", done.when)
    assert card["because"].startswith("put back by ")
    assert f"since {done.when}: put back by {done.who}" in champion_text(card)
    told = history_text(history_of(line.registered_name))
    assert f"taken back by {done.who} on {done.when} for version 2: complaints" in told
    assert "version 2, small: the champion\n" in told
    assert "small is better: " in told, "how it became champion in the first place stays"


def test_what_was_taken_back_is_not_promoted_again_by_the_next_run(world, line):
    rollback(line.registered_name, reason="complaints")
    again = registry.versions(line.registered_name)[0].model()
    decision = decide(line, again, world.faces)
    assert (decision["outcome"], decision["promoted"], decision["champion_version"]) == ("taken_back", False, "2")
    assert "version 3 was taken back by " in decision["reason"]
    assert champion(line) == "2"
    assert versions(line) == ["1", "2", "3"]


def test_a_later_promotion_replaces_the_one_that_was_put_back(world, line, third):
    rollback(line.registered_name)
    rollback(line.registered_name)
    faces = judged(world.faces, world.first, third, lost=0, won=9)
    assert decide(line, third, faces)["champion_version"] == "4"
    assert rollback(line.registered_name).to_version == "1"


@pytest.mark.parametrize("asked", ["7", "champion", "0"])
def test_a_version_that_does_not_exist_is_refused(line, asked):
    with pytest.raises(FerlineError) as error:
        rollback(line.registered_name, asked)
    assert f"has no version {asked}; there are: 1, 2, 3. Nothing was changed" in str(error.value)
    assert (champion(line), audits(line)) == ("3", [])


def test_the_champion_itself_is_refused(line):
    with pytest.raises(FerlineError, match="version 3 is the champion already"):
        rollback(line.registered_name, "3")
    assert audits(line) == []


def test_without_a_champion_there_is_nothing_to_go_back_from(world):
    params = world.policy()
    with pytest.raises(FerlineError, match="has no champion to go back from"):
        rollback(params.registered_name)


def test_a_version_whose_files_are_corrupt_is_refused_and_nothing_moves(line):
    before = registry.versions(line.registered_name)
    own = before[0]
    rollback(line.registered_name)  # so that the line's own model is not the champion
    marked = registry.versions(line.registered_name)
    weights = files_of(own) / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(FerlineError, match=r"version 3 cannot be champion: .*corrupt.*Nothing was changed"):
        rollback(line.registered_name, "3")
    assert champion(line) == "2"
    assert registry.versions(line.registered_name) == marked
    assert len(audits(line)) == 1


def test_a_version_whose_files_are_gone_is_refused_and_nothing_moves(line):
    own = registry.versions(line.registered_name)[0]
    rollback(line.registered_name)
    shutil.rmtree(files_of(own).parents[2])
    with pytest.raises(FerlineError, match=r"version 3 cannot be champion: .*its files are gone"):
        rollback(line.registered_name, "3")
    assert champion(line) == "2"


def test_a_write_that_fails_leaves_the_champion_and_an_audit_that_says_so(line, monkeypatch):
    """The alias cannot be moved: the marks are there, the champion is the old one, and once more does it."""

    def refuse(alias, registered):
        raise FerlineError("the store went away")

    with monkeypatch.context() as patch:
        patch.setattr(registry, "point", refuse)
        with pytest.raises(FerlineError, match="went away"):
            rollback(line.registered_name)
    assert champion(line) == "3"
    assert [run.info.status for run in audits(line)] == ["FAILED"]
    assert rollback(line.registered_name).to_version == "2", "and not further back"


def test_nothing_is_held_afterwards(line):
    rollback(line.registered_name)
    with pytest.raises(FerlineError):
        rollback(line.registered_name, "7")
    names = [each.name for each in store.client().search_registered_models()]
    assert not [name for name in names if name.startswith("ferline-lock")]


def test_the_command(line):
    def run(*words: str):
        return CliRunner().invoke(main, [*words, "--name", line.registered_name])

    done = run("rollback", "--reason", "complaints")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{line.registered_name} version 2 is champion again, in place of version 3")
    assert json.loads(run("champion", "--json").output)["version"] == "2"
    assert "put back by" in run("champion").output
    assert run("champion", "--history").output.count("version ") >= 3
    assert [each["version"] for each in json.loads(run("champion", "--history", "--json").output)] == ["3", "2", "1"]
    assert run("rollback", "3").exit_code == 0
    refused = run("rollback", "9")
    assert refused.exit_code == 1
    assert "has no version 9; there are: 1, 2, 3" in refused.output
