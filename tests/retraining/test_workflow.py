"""The workflow that GitHub runs: what it may do and whom it trusts. Its syntax is actionlint's (`make workflows`)."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from workshop import HERE, SCRIPT

TEXT = (HERE / ".github" / "workflows" / "retrain.yml").read_text()
WORKFLOW = yaml.safe_load(TEXT)
EVENTS = WORKFLOW[True]  # `on` is YAML's word for true
NEEDED = {
    "Pull the data": {"AWS"},
    "Train, if anything changed": {"AWS", "MLFLOW", "ZENML"},
    "Push the results": {"AWS"},
}


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in WORKFLOW["jobs"].items():
        for step in job["steps"]:
            yield name, step


def test_every_action_is_pinned_by_its_hash_with_the_version_beside_it() -> None:
    used = re.findall(r"uses: (.*)", TEXT)
    assert used
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", each), each


def test_it_may_do_no_more_than_it_needs() -> None:
    assert WORKFLOW["permissions"] == {}
    permissions = {name: job["permissions"] for name, job in WORKFLOW["jobs"].items()}
    assert permissions == {"retrain": {"contents": "write"}, "comment": {"pull-requests": "write"}}
    assert "pull_request_target" not in EVENTS, "a fork's code would run with our secrets"


def test_secrets_are_in_the_steps_that_need_them_and_nowhere_else() -> None:
    assert "secrets." not in yaml.safe_dump({key: value for key, value in WORKFLOW.items() if key != "jobs"})
    for job in WORKFLOW["jobs"].values():
        assert "secrets." not in yaml.safe_dump({key: value for key, value in job.items() if key != "steps"})
    for _, step in steps():
        found = {name.split("_")[0] for name in re.findall(r"secrets\.(\w+)", yaml.safe_dump(step))}
        assert found == NEEDED.get(step.get("name", ""), set()), step


def test_the_token_is_only_where_something_is_written() -> None:
    checkout = next(step for _, step in steps() if "checkout" in step.get("uses", ""))
    assert checkout["with"]["persist-credentials"] is False
    having = [step.get("name", job) for job, step in steps() if "github.token" in yaml.safe_dump(step)]
    assert having == ["Push the results", "comment"]


def test_nothing_from_outside_is_pasted_into_a_command() -> None:
    for _, step in steps():
        assert "${{" not in step.get("run", "")


def test_forks_push_nothing_and_comment_nothing() -> None:
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    push = next(step for _, step in steps() if step.get("name") == "Push the results")
    assert own in push["if"]
    assert own in WORKFLOW["jobs"]["comment"]["if"]
    assert "!cancelled()" not in push["if"], "results of a failed step are no results"


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_it_starts_where_dvc_would_run_the_pipeline(event: str) -> None:
    assert EVENTS[event]["paths"] == ["data/raw/**.dvc", "params.yaml", "requirements.lock"]
    stage = yaml.safe_load((HERE / "dvc.yaml").read_text())["stages"]["fer_training"]
    assert stage["deps"] == ["data/raw/${dataset.name}", "requirements.lock"]


def test_its_own_commit_does_not_start_it_again() -> None:
    stage = yaml.safe_load((HERE / "dvc.yaml").read_text())["stages"]["fer_training"]
    written = [name for each in stage["metrics"] + stage["outs"] for name in each]
    assert written
    assert all(name.startswith("reports/") for name in written)


def test_one_retraining_a_branch_and_none_is_cancelled() -> None:
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is False
    assert "github.head_ref || github.ref_name" in WORKFLOW["concurrency"]["group"]
    assert "head.repo.full_name" in WORKFLOW["concurrency"]["group"], "a fork's branch of the same name is another"


def test_the_steps_are_parts_of_the_script_and_every_setting_is_one_that_it_reads() -> None:
    script = (HERE / ".ci" / "retrain").read_text()
    called = [step["run"].split()[1] for _, step in steps() if step.get("run", "").startswith(".ci/retrain")]
    assert called == ["pull", "train", "comment", "push"]
    assert all(f"\n  {part})" in script for part in called)
    given = {name for _, step in steps() for name in step.get("env", {}) if name.startswith("RETRAIN_")}
    assert given == set(re.findall(r"RETRAIN_[A-Z]+", script))
    assert SCRIPT.endswith(".ci/retrain")
