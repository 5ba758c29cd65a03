"""What .ci/retrain does with git, DVC and params.yaml; in the pipeline's place stands a stage that is done at once."""

import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from project_folder import Project, small
from workshop import SCRIPT, Runner, Workshop, git, params, people, workshop

# Results that follow from requirements.lock alone, and a line for every time that it ran.
PIPELINE = """
import hashlib, json, pathlib, yaml
read = yaml.safe_load(open("params.yaml"))
pathlib.Path("ran").open("a").write(read["promotion"]["mode"] + " " + read["profile"] + "\\n")
score = int(hashlib.md5(open("requirements.lock", "rb").read()).hexdigest(), 16) % 1000 / 1000
out = pathlib.Path("reports"); out.mkdir(exist_ok=True)
(out / "metrics.json").write_text(json.dumps({"net": {"test": {"macro_f1": score}, "validation": {"macro_f1": score}}}))
"""


def light(project: Project) -> None:
    project.change(small)
    (project.folder / "pipeline.py").write_text(PIPELINE)
    with (project.folder / ".gitignore").open("a") as file:
        file.write("ran\n")
    stage = {
        "cmd": "python pipeline.py",
        "deps": ["data/raw/${dataset.name}", "requirements.lock"],
        "params": ["profile", "promotion"],
        "metrics": [{"reports/metrics.json": {"cache": False, "persist": True}}],
    }
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"fer_training": stage}}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The first results are pushed."""
    place = workshop(tmp_path_factory.mktemp("a team") / "our place", light, lambda raw: raw.append(people(1, seed=3)))
    runner = place.runner("first-runner")
    (runner.folder / ".zen").mkdir()
    runner.retrain("pull")
    runner.retrain("train")
    runner.retrain("push", "main")
    return place


@pytest.fixture
def place(made: Workshop, tmp_path: Path) -> Workshop:
    """A git remote of its own; the data is at every runner, which takes no process."""
    shutil.copytree(made.root / "origin.git", tmp_path / "origin.git")
    shutil.copytree(made.root / "first-runner" / ".dvc" / "cache", tmp_path / "cache")
    shutil.copytree(made.root / "first-runner" / "data" / "raw" / "tiny", tmp_path / "tiny")
    return Workshop(tmp_path, made.environment)


def started(place: Workshop, name: str, branch: str = "main") -> Runner:
    runner = place.runner(name, branch)
    (runner.folder / ".zen").mkdir()
    shutil.copytree(place.root / "cache", runner.folder / ".dvc" / "cache")
    shutil.copytree(place.root / "tiny", runner.folder / "data" / "raw" / "tiny")
    return runner


def trained(place: Workshop, name: str) -> Runner:
    runner = started(place, name)
    runner.retrain("train")
    return runner


def changed(place: Workshop, environment: str = "zenml==0.98.1") -> Runner:
    """Somebody pushes something to retrain for."""
    author = place.runner(f"author-{environment}")
    change(author, environment)
    return author


def change(author: Runner, environment: str) -> None:
    (author.folder / "requirements.lock").write_text(f"{environment}\n")
    author.commit(environment)
    author.git("push", "--quiet", "origin", "HEAD")


def runs(runner: Runner) -> list[str]:
    """Mode and profile of every time that the stage ran here."""
    path = runner.folder / "ran"
    return path.read_text().splitlines() if path.exists() else []


def test_two_runners_that_trained_on_the_same_push_once(place: Workshop) -> None:
    changed(place)
    before = place.tip()
    runners = [trained(place, "one"), trained(place, "two")]
    clocks = ["2026-01-01T00:00:00", "2026-01-01T00:00:01"]  # in the same second both would make the very same commit
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda each, at: each.retrain("push", "main", GIT_COMMITTER_DATE=at), runners, clocks))
    assert git(place.root / "origin.git", "rev-list", "--count", f"{before}..main") == "1"
    assert sorted("Pushed" in text for text in said) == [False, True]
    assert sum("Not pushed: main has other data, parameters or results by now" in text for text in said) == 1
    assert "Nothing to retrain" in started(place, "reader").retrain("train")


def test_a_branch_that_moved_elsewhere_is_rebased_on(place: Workshop) -> None:
    author = changed(place)
    runner = trained(place, "runner")
    (author.folder / "README.md").write_text("faces\n")
    author.commit("a readme")
    author.git("push", "--quiet", "origin", "HEAD")
    assert "Pushed" in runner.retrain("push", "main")
    log = git(place.root / "origin.git", "log", "--format=%s", "main").splitlines()
    assert log[:3] == ["Retrained: new results", "a readme", "zenml==0.98.1"]
    assert "README.md" in git(place.root / "origin.git", "ls-tree", "--name-only", "main").splitlines()


def test_results_of_what_is_no_longer_on_the_branch_are_not_pushed(place: Workshop) -> None:
    author = changed(place)
    late = trained(place, "late")
    change(author, "zenml==0.98.2")
    assert "Not pushed: main has other data, parameters or results by now" in late.retrain("push", "main")
    assert git(place.root / "origin.git", "log", "-1", "--format=%s", "main") == "zenml==0.98.2"
    assert "Pushed" in trained(place, "next").retrain("push", "main")


def test_a_branch_that_was_deleted_meanwhile_is_not_brought_back(place: Workshop) -> None:
    changed(place)
    runner, origin = trained(place, "runner"), place.root / "origin.git"
    git(origin, "update-ref", "-d", "refs/heads/main")
    assert "Not pushed: main is not there any more." in runner.retrain("push", "main")
    assert git(origin, "for-each-ref", "refs/heads/main") == ""


def test_a_branch_that_refuses_is_told_and_nothing_is_on_it(place: Workshop) -> None:
    changed(place)
    runner, before = trained(place, "runner"), place.tip()
    hook = place.root / "origin.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho this branch is protected\nexit 1\n")
    hook.chmod(0o755)
    said = runner.retrain("push", "main", ok=False)
    assert "this branch is protected" in said
    assert "Error: the results could not be pushed to main" in said
    assert place.tip() == before


def test_the_data_is_in_the_remote_before_a_commit_names_it(place: Workshop) -> None:
    """A DVC remote that cannot be written."""
    changed(place)
    runner, before = trained(place, "runner"), place.tip()
    (runner.folder / "blocked").write_text("")
    runner.run("dvc", "remote", "modify", "--local", "disk", "url", str(runner.folder / "blocked" / "remote"))
    runner.retrain("push", "main", ok=False)
    assert place.tip() == before


def test_a_trial_trains_without_the_champion_and_main_decides_for_good(place: Workshop) -> None:
    author = place.runner("author")
    author.git("switch", "--quiet", "--create", "upgrade")
    change(author, "zenml==0.98.1")
    trial = started(place, "trial", "upgrade")
    before = (trial.folder / "params.yaml").read_text()
    trial.retrain("train", RETRAIN_TRIAL="true")
    assert runs(trial) == ["dry-run quick"]
    assert (trial.folder / "params.yaml").read_text() == before
    assert "Pushed" in trial.retrain("push", "upgrade")
    assert "Nothing to retrain" in trial.retrain("train", RETRAIN_TRIAL="true")
    assert runs(trial) == ["dry-run quick"]

    author.git("fetch", "--quiet")
    author.git("push", "--quiet", "origin", "origin/upgrade:main")
    merged = trained(place, "merged")
    assert runs(merged) == ["enforce quick"]
    assert "Pushed" in merged.retrain("push", "main")


def test_a_trial_of_what_changes_nothing_trains_nothing(place: Workshop) -> None:
    """A comment in params.yaml starts the workflow. That a trial decides otherwise than main is no change either."""
    author = place.runner("author")
    first = trained(place, "first")
    first.retrain("push", "main")
    author.git("pull", "--quiet", "origin", "main")
    author.git("switch", "--quiet", "--create", "words")
    path = author.folder / "params.yaml"
    path.write_text(path.read_text() + "# a word\n")
    author.commit("a word")
    author.git("push", "--quiet", "origin", "HEAD")
    trial = started(place, "trial", "words")
    assert "Nothing to retrain" in trial.retrain("train", RETRAIN_TRIAL="true")
    assert runs(trial) == []


def test_a_trial_that_cannot_be_one_is_refused(place: Workshop) -> None:
    runner = started(place, "runner")
    path = runner.folder / "params.yaml"
    path.write_text(path.read_text().replace("  mode: enforce\n", ""))
    before = path.read_text()
    said = runner.retrain("train", ok=False, RETRAIN_TRIAL="true")
    assert "Error: params.yaml: promotion.mode has no line of its own" in said
    assert (runs(runner), path.read_text()) == ([], before)


def test_a_profile_that_was_asked_for_is_committed_with_the_results(place: Workshop) -> None:
    runner = started(place, "runner")
    path = runner.folder / "params.yaml"
    path.write_text(path.read_text().replace("profiles:\n", "profiles:\n  paper: {}\n"))
    runner.commit("a second profile")
    runner.retrain("train", RETRAIN_PROFILE="paper")
    assert runs(runner) == ["enforce paper"]
    assert params(runner.folder)["profile"] == "paper"
    changed = runner.says("diff", "--unified=0", "--", "params.yaml").splitlines()[-2:]
    assert changed == ["-profile: quick", "+profile: paper"]
    runner.retrain("push", "main")
    assert "Nothing to retrain" in started(place, "next").retrain("train")


def test_it_can_be_forced(place: Workshop) -> None:
    runner = started(place, "runner")
    assert "Nothing to retrain" in runner.retrain("train")
    assert runs(runner) == []
    runner.retrain("train", RETRAIN_FORCE="true")
    assert runs(runner) == ["enforce quick"]


def test_a_training_that_is_killed_leaves_nothing_to_push(place: Workshop) -> None:
    runner = started(place, "runner")
    stage = runner.folder / "pipeline.py"
    stage.write_text("import time; print('sleeping', flush=True); time.sleep(600)")
    process = subprocess.Popen(
        [SCRIPT, "train"],
        cwd=runner.folder,
        env=runner.environment | {"RETRAIN_FORCE": "true"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert any("sleeping" in line for line in process.stdout)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "Error: the retraining failed" in runner.retrain("push", "main", ok=False)
    assert runner.says("rev-parse", "HEAD") == place.tip()


def test_a_workflow_gets_the_comment_as_its_output_and_on_its_page(place: Workshop, tmp_path: Path) -> None:
    changed(place)
    runner = trained(place, "runner")
    output, page = tmp_path / "output", tmp_path / "page.md"
    runner.retrain("comment", GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(page))
    first, *lines, last = output.read_text().splitlines()
    assert first == f"comment<<{last}"
    assert "\n".join(lines) + "\n" == runner.comment == page.read_text()
    assert last not in runner.comment
    assert "**Data** `tiny` as before, 7 images." in runner.comment


def test_a_servers_address_and_key_reach_neither_the_log_nor_the_comment(place: Workshop) -> None:
    """They are secrets, and a message about a server that does not answer names it."""
    runner = started(place, "runner")
    said = "{os.environ['MLFLOW_TRACKING_URI']} does not answer; {os.environ['ZENML_STORE_API_KEY']}"
    said += ", mlflow.example.org:5000"
    stage = f'import os; raise SystemExit(f"{said}")'
    (runner.folder / "pipeline.py").write_text(stage)
    address, key = "https://someone:s3cret@mlflow.example.org:5000/at", "ZENKEY_abc/+=&*[x]"
    secrets = {"MLFLOW_TRACKING_URI": address, "ZENML_STORE_API_KEY": key, "RETRAIN_FORCE": "true"}
    said = runner.retrain("train", ok=False, **secrets)
    runner.retrain("comment", **secrets)
    for text in (said, (runner.folder / ".ferline" / "retrain" / "log").read_text(), runner.comment):
        assert "<MLFLOW_TRACKING_URI> does not answer; <ZENML_STORE_API_KEY>" in text
        assert "<host of MLFLOW_TRACKING_URI>:5000" in text
        assert "mlflow.example.org" not in text
        assert "s3cret" not in text
        assert "ZENKEY_abc" not in text


def test_a_part_that_is_none_is_told(place: Workshop) -> None:
    said = place.runner("runner").retrain("tarin", ok=False)
    assert "pull | train | comment [BASE] | push BRANCH" in said
