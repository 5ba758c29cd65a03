"""`ferline changes`: what the comment says of two commits' results, from git, DVC and the files in reports/."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from markdown_it import MarkdownIt
from project_folder import Project, small
from sklearn.metrics import confusion_matrix
from workshop import cells, people

from ferline.cli import main
from ferline.datasets.raw import RawSet
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.retraining.changes import changes, failure_of
from ferline.retraining.changes_page import as_markdown

HERE = Path(__file__).parents[2]
LONGEST = 65_536  # characters of a comment on GitHub


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with seven images of one person, and no results."""
    from dvc.repo import Repo

    project = Project(tmp_path_factory.mktemp("a user") / "my project")
    project.folder.mkdir()
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(HERE / name, project.folder)
    project.change(small)
    (project.folder / "requirements.lock").write_text("")
    RawSet(project.folder / "data/raw/tiny").append(people(1, seed=3))
    project.git("init", "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("dvc")))
        with Repo.init(str(project.folder)) as repo:
            repo.add([str(project.folder / "data/raw/tiny")])
    return project.folder


class Results(Project):
    """The project, and what its retraining leaves in reports/."""

    def write(self, metrics: dict | None = None, decision: dict | None = None, answers: Iterable | None = None) -> None:
        reports = self.folder / "reports"
        reports.mkdir(exist_ok=True)
        (reports / "metrics.json").write_text(json.dumps(metrics or {"net": scores(0.5)}))
        (reports / "promotion.json").write_text(json.dumps(decision or decided()))
        (reports / "data.json").write_text(json.dumps(counted(10)))
        lines = [f"{actual},{predicted}" for actual, predicted in answers or zip(EMOTIONS, EMOTIONS, strict=True)]
        (reports / "confusion.csv").write_text("\n".join(["actual,predicted", *lines]) + "\n")

    def page(self, base: str = "HEAD", log: str | None = None) -> str:
        if log is None:
            return as_markdown(changes(self.folder, base))
        (self.folder / "log").write_text(log)
        return as_markdown(changes(self.folder, base, self.folder / "log"))

    def point_at(self, version: str) -> None:
        path = self.folder / "data/raw/tiny.dvc"
        pointer = yaml.safe_load(path.read_text())
        pointer["outs"][0]["md5"] = version
        path.write_text(yaml.safe_dump(pointer))


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    """Results are committed; `net` is best and was promoted."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc"))
    shutil.copytree(made, tmp_path / "project")
    results = Results(tmp_path / "project")
    results.write()
    results.commit("the last results")
    return results


def scores(value: float, **test: Any) -> dict[str, Any]:
    found = {"macro_f1": value, "accuracy": value, "balanced_accuracy": value, "min_class_recall": value}
    interval = [round(value - 0.05, 6), round(value + 0.05, 6)]
    found |= {"intervals": dict.fromkeys(("macro_f1", "accuracy", "balanced_accuracy"), interval)}
    return {"parameters": 10, "validation": dict(found), "test": found | test}


def decided(outcome: str = "better", **changed: Any) -> dict[str, Any]:
    return {
        "registered_name": "ferline",
        "mode": "enforce",
        "outcome": outcome,
        "reason": "net is better: by far",
        "promoted": True,
        "would_promote": True,
        "champion_version": "2",
        "candidate": {"architecture": "net"},
        "policy": {"select_by": "macro_f1", "select_on": "validation"},
        "gates": [{"name": "min_macro_f1", "value": 0.5, "threshold": 0.4, "passed": True, "rule": "at least"}],
    } | changed


def counted(images: int, **emotions: int) -> dict[str, Any]:
    each = dict.fromkeys(EMOTIONS, images // 7) | emotions
    return {"name": "tiny", "images": images, "subjects": 3, "emotions": each}


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (decided(), "is best and becomes champion (ferline version 2)"),
        (decided(mode="dry-run", promoted=False), "is best and would become champion"),
        (decided("tie", mode="dry-run", promoted=False, would_promote=False), "is best and would not become champion"),
        (decided("off", mode="off", promoted=False), "is best and nothing was decided (promotion.mode is off)"),
        (decided("same", promoted=False), "is best and is the champion already (ferline version 2)"),
        (decided("worse", promoted=False), "is best and is not promoted; the champion stays (ferline version 2)"),
        (decided("gates", promoted=False, champion_version=None), "is best and is not promoted"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["outcome"],
)
def test_the_headline_says_what_became_of_the_best(project: Results, decision: dict, said: str) -> None:
    project.write({"net": scores(0.6)}, decision)
    headline, _, reason, *_ = project.page().splitlines()
    assert headline == f"## `net` {said}"
    assert reason.startswith("net is better: by far.")
    assert ("The champion changes when the main branch runs it." in reason) is (decision["mode"] == "dry-run")


def test_every_architecture_has_its_numbers_before_and_now(project: Results) -> None:
    project.write({"net": scores(0.5), "old": scores(0.7), "worse": scores(0.3)})
    project.commit("three")
    project.write({"worse": scores(0.2), "new": scores(0.4), "net": scores(0.5, accuracy=0.75)})
    table = cells(project.page())
    assert list(table) == ["net", "new", "worse", "old"]
    assert table["net"]["test accuracy"] == [0.5, 0.75, 0.25, 0.45, 0.55]
    assert table["net"]["test macro-F1"] == [0.5, 0.5, 0.0, 0.45, 0.55]
    assert table["worse"]["validation macro-F1"] == [0.3, 0.2, -0.1, 0.15, 0.25]
    assert table["worse"]["test lowest recall"] == [0.3, 0.2, -0.1]
    assert table["new"]["validation macro-F1"] == [0.4, 0.35, 0.45]
    assert table["old"]["validation macro-F1"] == [0.7]
    assert "0.700 → –" in project.page()


def test_without_results_before_there_are_those_of_now(project: Results) -> None:
    project.git("rm", "-r", "--quiet", "--cached", "reports")
    project.git("commit", "--quiet", "--message", "no results")
    page = project.page()
    assert cells(page.replace("<sub>Below", "<sub>Before"))["net"]["test accuracy"] == [0.5, 0.45, 0.55]
    assert "<sub>Below, the 95% interval of now." in page
    assert "change in points" not in page


def test_it_is_sorted_by_what_the_policy_chooses_by(project: Results) -> None:
    policy = {"select_by": "balanced_accuracy", "select_on": "validation"}
    first, second = scores(0.5), scores(0.6)
    first["validation"]["balanced_accuracy"] = 0.9
    project.write({"net": first, "other": second}, decided(policy=policy))
    table = cells(project.page())
    assert list(table) == ["net", "other"]
    assert list(table["net"])[:2] == ["validation balanced accuracy", "test balanced accuracy"]
    assert "Chosen by balanced accuracy on validation" in project.page()


def matrix(page: str) -> tuple[np.ndarray, np.ndarray]:
    """Percentages and changes in points as they stand in the page."""
    lines = page.split("| true \\ predicted")[1].splitlines()[2:]
    rows = [line.strip("| ").split(" | ")[1:] for line in lines[: lines.index("")]]
    parts = [[cell.replace("*", "").replace("</sub>", "").split(" <sub>") for cell in row] for row in rows]
    shares = [[0 if part[0] == "·" else int(part[0]) for part in row] for row in parts]
    moved = [[int(part[1].replace("−", "-")) if part[1:] else 0 for part in row] for row in parts]
    return np.array(shares), np.array(moved)


def test_the_confusion_matrix_and_its_change_are_scikit_learns(project: Results) -> None:
    rng = np.random.default_rng(0)
    actual = np.repeat(EMOTIONS, 40)
    answers = []
    for right in (0.5, 0.8):
        predicted = np.where(rng.random(280) < right, actual, rng.choice(EMOTIONS, 280))
        answers.append(predicted)
        project.write({"net": scores(right)}, answers=zip(actual, predicted, strict=True))
        if right == 0.5:
            project.commit("half right")
    before, now = (
        100 * confusion_matrix(actual, predicted, labels=EMOTIONS, normalize="true") for predicted in answers
    )
    shares, moved = matrix(project.page())
    assert np.abs(shares - now).max() <= 0.5
    assert np.abs(moved - (now - before)).max() <= 0.5
    recall = np.diag(now - before)
    assert f"{EMOTIONS[recall.argmax()]} +{recall.max():.1f}" in project.page()


def test_the_matrix_of_another_best_model_says_whose_it_is_compared_with(project: Results) -> None:
    swapped = zip(EMOTIONS, reversed(EMOTIONS), strict=True)
    project.write({"net": scores(0.5), "other": scores(0.7)}, decided(candidate={"architecture": "other"}), swapped)
    assert "Confusion of other on test" in project.page()
    assert "change in points against net, the best one before. Recall: angry −100.0" in project.page()


def test_matrices_of_other_emotions_are_not_subtracted(project: Results) -> None:
    project.write({"net": scores(0.6)}, answers=[("happy", "happy"), ("sad", "happy")])
    assert "change in points" not in project.page()
    assert matrix(project.page())[0].tolist() == [[100, 0], [100, 0]]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (counted(0), "0 → 7 images, 3 → 1 subjects, +1 of every emotion."),
        (counted(7, happy=6, sad=0), "7 → 7 images, 3 → 1 subjects, happy −5, sad +1."),
        (
            {"name": "tiny", "images": 8, "subjects": 1, "emotions": {**dict.fromkeys(EMOTIONS, 1), "contempt": 1}},
            "8 → 7 images, 1 → 1 subjects, contempt −1 (none left).",
        ),
    ],
    ids=["grown", "shifted", "gone"],
)
def test_the_data_is_counted_as_it_is_on_the_disk(project: Results, before: dict, said: str) -> None:
    (project.folder / "reports/data.json").write_text(json.dumps(before))
    now = (project.folder / "data/raw/tiny.dvc").read_text()
    project.point_at("0a1b2c3d4e.dir")
    project.commit("another version")
    (project.folder / "data/raw/tiny.dvc").write_text(now)
    version = yaml.safe_load(now)["outs"][0]["md5"][:7]
    assert f"**Data** `tiny` `0a1b2c3` → `{version}`: {said}" in project.page()


def test_another_set_and_one_that_is_not_here_are_told(project: Results) -> None:
    project.change(lambda content: content["dataset"].update(name="other"))
    pointer = (project.folder / "data/raw/tiny.dvc").read_text()
    (project.folder / "data/raw/other.dvc").write_text(pointer.replace("path: tiny", "path: other"))
    version = yaml.safe_load(pointer)["outs"][0]["md5"][:7]
    assert f"**Data** `tiny` `{version}` → `other` `{version}`.\n" in project.page()


def test_parameters_are_those_that_dvc_finds_different(project: Results) -> None:
    def change(content: dict) -> None:
        content["architectures"]["cnn_lstm"]["training"]["epochs"] = 3
        content["dataset"]["seed"] = 5

    project.change(change)
    page = project.page()
    assert page.startswith("## `net` is best")
    assert "<details open><summary>2 parameters changed</summary>" in page
    assert "| `architectures.cnn_lstm.training.epochs` | 2 | 3 |\n| `dataset.seed` | – | 5 |\n" in page


def test_many_changes_are_folded_and_cut_and_the_comment_fits(project: Results) -> None:
    def change(content: dict) -> None:
        content["promotion"] |= {f"new_{number:03d}": "x" * 5000 for number in range(100)}

    project.change(change)
    project.write({f"architecture_{number}": scores(number / 40) for number in range(40)})
    page = project.page()
    assert "<details><summary>100 parameters changed</summary>" in page
    assert "| and 60 more |" in page
    assert page.count("`promotion.new_") == 40
    assert len(page) < LONGEST / 2


def test_nothing_changed_is_said_in_two_lines(project: Results) -> None:
    head, reason, *_ = project.page().split("\n\n")
    assert head == "## Nothing changed"
    assert reason.startswith("Data, parameters and results are those of `HEAD` at `")


def test_a_decision_that_was_made_for_good_is_a_change(project: Results) -> None:
    project.write(decision=decided(mode="dry-run", promoted=False, champion_version="1"))
    project.commit("a trial")
    project.write(decision=decided())
    assert project.page().startswith("## `net` is best and becomes champion (ferline version 2)\n")


def test_text_that_comes_from_data_is_no_markup(project: Results) -> None:
    hostile = "net <img src=x onerror=alert(1)> **bold** | @everybody `code` [link](http://x.invalid)"
    project.write({"net": scores(0.6)}, decided(reason=hostile))
    project.change(lambda content: content["dataset"].update(extra=hostile))
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(project.page())
    assert "<img" not in html
    assert "<a href" not in html
    assert "<strong>bold" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") == 2
    assert "@everybody" not in html
    assert html.count("<table>") == 4, "the scores, the confusion, the gates, the parameters"


VALIDATION = """\
> zenml pipeline run fer_training
\x1b[31mFailed to run step validate: tiny: validation stops the run; 70 images were looked at.\x1b[0m
Traceback (most recent call last):
ferline.errors.FerlineError: tiny: validation stops the run; 70 images were looked at.
Error: tiny: validation stops the run; 70 images were looked at.
- Every emotion has at least 12 training images (validation.min_per_class): 7 fail: angry: 8, disgust: 8, fear: 8, ...
- There are test images: found 0
The report: /home/runner/a b/.ferline/failed_validation/tiny/docs/index.html
\x1b[31mERROR\x1b[39m: failed to reproduce 'fer_training': failed to run: zenml pipeline run fer_training, exited with 1
"""


def test_a_failed_validation_is_told_in_its_own_words(project: Results) -> None:
    page = project.page(log=VALIDATION)
    assert page.startswith("## Validation stops the retraining; the champion stays\n\ntiny: validation stops the run;")
    words = "- Every emotion has at least 12 training images (validation.min_per_class): 7 fail: angry: 8, disgust: 8"
    assert words in page
    assert "- There are test images: found 0\n" in page
    assert "`.ferline/failed_validation/tiny/docs/index.html` on the runner" in page
    assert "Nothing was registered and nothing was pushed: the model in use stays." in page
    assert "| model |" not in page
    assert "/home/runner" not in page
    assert "failed to reproduce" not in page


def test_another_message_of_ours_is_told(project: Results) -> None:
    page = project.page(log="Error: first\nError: params.yaml: profile: 'fast' is not allowed; write quick\n")
    assert page.startswith("## Retraining failed\n\nparams.yaml: profile: 'fast' is not allowed")
    assert "first" not in page
    assert "Nothing was pushed; `ferline champion` says which model is in use.\n" in page


def test_of_a_failure_that_is_not_ours_the_log_is_shown_as_it_ends(project: Results) -> None:
    lines = [f"line {number}" for number in range(30)]
    page = project.page(log="\n".join([*lines, "╭── Traceback ──╮", "│ ``` │", "OutOfMemoryError: CUDA out of memory"]))
    fence = page.split("```")
    assert len(fence) == 3, "one block, which nothing in the log can end"
    shown = fence[1].strip().splitlines()
    assert shown[-1] == "OutOfMemoryError: CUDA out of memory"
    assert len(shown) == 16
    assert "line 3\n" not in page


@pytest.mark.parametrize("broken", ["profile: [", "", "dataset: 3\n"], ids=["no YAML", "empty", "no set"])
def test_a_params_yaml_that_cannot_be_read_does_not_hide_the_failure(project: Results, broken: str) -> None:
    (project.folder / "params.yaml").write_text(broken)
    assert "params.yaml: it is broken" in project.page(log="Error: params.yaml: it is broken")


def test_the_last_message_counts() -> None:
    failure = failure_of("Error: one\nmore of one\nERROR: dvc\n")
    assert (failure.message, failure.ours, failure.report) == (("one", "more of one"), True, None)


def test_a_base_that_is_no_commit_here_is_one_message(project: Results) -> None:
    with pytest.raises(FerlineError, match=r"origin/mian: no commit of this clone\. Fetch it: git fetch origin"):
        changes(project.folder, "origin/mian")


def test_a_log_that_is_not_there_is_one_message(project: Results) -> None:
    with pytest.raises(FerlineError, match="nolog: the log cannot be read"):
        changes(project.folder, "HEAD", project.folder / "nolog")


def test_the_command_prints_the_page(project: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    project.write({"net": scores(0.6)})
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    result = CliRunner().invoke(main, ["changes", commit[:10]], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout == project.page(commit[:10])
    assert f"<sub>Compared with `{commit[:7]}`." in result.stdout
    refused = CliRunner().invoke(main, ["changes", "nowhere"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: nowhere: no commit")
