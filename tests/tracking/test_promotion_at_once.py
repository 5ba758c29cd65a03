"""Two promotions at one time, and promotions that are killed: real processes at one real store."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from promoting import World, aliases, board_of, decide, judged, logged, rewritten, row_of, versions, world_in

from ferline.tracking import registry, store

PROMOTE = """
import json, os, sys, time
from dataclasses import replace
from pathlib import Path

from ferline.evaluation.leaderboard import Leaderboard
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import GateParams, PromotionParams
from ferline.tracking import registry
from ferline.promotion import promote as promotion

task = json.loads(sys.argv[1])
own = Path(task["own"])
champion, point = registry.champion, registry.point

def slowly(name):
    found = champion(name)
    own.with_suffix(".in").write_text(repr(time.time()))
    time.sleep(task["pause"])
    return found

def moving(alias, registered):
    if task["die"] == f"before {alias}":
        os._exit(9)
    point(alias, registered)
    if task["die"] == f"after {alias}":
        os._exit(9)

registry.champion, registry.point = slowly, moving
params = PromotionParams(registered_name=task["name"], select_by="accuracy", gates=GateParams())
own.with_suffix(".ready").touch()
while not all(Path(other).exists() for other in task["wait_for"]):
    time.sleep(0.01)
made = promotion.promote(
    Leaderboard(task["board"]), [TrainedModel(task["model"])], FaceSet(task["faces"]), params, {}, own
)
own.with_suffix(".out").write_text(repr(time.time()))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory, faces_in) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("world"), faces_in) as made:
        yield made


def started(params, model, faces, own: Path, pause: float = 0, die: str = "", wait_for: tuple[Path, ...] = ()):
    """A promotion in a process of its own; what it decides is at `own`."""
    task = {
        "name": params.registered_name,
        "board": str(board_of(row_of(model)).folder),
        "model": str(model.folder),
        "faces": str(faces.folder),
        "own": str(own),
        "pause": pause,
        "die": die,
        "wait_for": [str(other.with_suffix(".ready")) for other in wait_for],
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROMOTE, json.dumps(task)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def decision_of(own: Path) -> dict:
    return json.loads((own / "promotion.json").read_text())


def moment(own: Path, which: str) -> float:
    return float(own.with_suffix(which).read_text())


def locks() -> list[str]:
    names = [each.name for each in store.client().search_registered_models()]
    return [name for name in names if name.startswith("ferline-lock")]


def test_of_two_at_once_the_second_meets_the_first_as_champion(world, tmp_path):
    """Both beat the champion and answer alike: the one that is later ties with the one that was sooner."""
    params = world.policy()
    world.crown(params)
    faces = judged(world.faces, world.first, world.second, lost=0, won=10)
    folders = [tmp_path / "one", tmp_path / "other"]
    twins = [logged(rewritten(world.second, seed=seed)) for seed in (11, 12)]
    processes = [
        started(params, twin, faces, own, pause=1.5, wait_for=tuple(folders))
        for twin, own in zip(twins, folders, strict=True)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    first, second = sorted(folders, key=lambda own: moment(own, ".in"))
    assert moment(second, ".in") > moment(first, ".in") + 1.5, "the second read the champion when the first was done"
    won, lost = decision_of(first), decision_of(second)
    assert (won["outcome"], won["previous_champion"]["version"], won["champion_version"]) == ("better", "1", "2")
    assert (lost["outcome"], lost["previous_champion"]["version"], lost["champion_version"]) == ("tie", "2", "2")
    assert aliases(params) == {"champion": "2", "challenger": "3"}
    assert "waiting for another promotion or rollback to end: process" in "".join(outputs)
    assert locks() == []


@pytest.fixture
def killed(world, tmp_path):
    """Kill a promotion of a better model at some moment; its policy, the model and the faces."""

    def kill(moment: str):
        params = world.policy()
        world.crown(params)
        faces = judged(world.faces, world.first, world.second, lost=0, won=10)
        process = started(params, world.second, faces, tmp_path / "dead", die=moment)
        output = process.communicate(timeout=120)[0]
        assert process.returncode == 9, output
        return params, faces

    return kill


@pytest.mark.parametrize("moment", ["before challenger", "before champion"])
def test_killed_between_register_and_alias_the_old_champion_stays_and_the_next_run_succeeds(
    world, killed, tmp_path, moment
):
    params, faces = killed(moment)
    assert aliases(params)["champion"] == "1"
    assert versions(params) == ["1", "2"], "the candidate is registered, and nothing more"
    assert "promoted_at" not in registry.versions(params.registered_name)[0].tags
    assert not (tmp_path / "dead").exists(), "no document tells of a promotion that did not happen"
    assert locks() == [f"ferline-lock-{params.registered_name}"]

    decision = decide(params, world.second, faces)
    assert (decision["outcome"], decision["champion_version"]) == ("better", "2")
    assert versions(params) == ["1", "2"]
    tags = registry.champion(params.registered_name).tags
    assert (tags["ferline.replaced"], tags["promoted_at"]) == ("1", decision["decided_at"])
    swept(params)


def test_killed_after_the_alias_the_new_champion_stays_and_the_way_back_is_known(world, killed):
    params, faces = killed("after champion")
    assert aliases(params)["champion"] == "2"
    assert registry.champion(params.registered_name).tags["ferline.replaced"] == "1"
    assert decide(params, world.second, faces)["outcome"] == "same"
    swept(params)


def swept(params) -> None:
    """The dead process's lock is aside under a name of its own, and held no more."""
    (name,) = locks()
    assert name.startswith(f"ferline-lock-{params.registered_name}-left-")
    store.client().delete_registered_model(name)
