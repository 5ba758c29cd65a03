"""Changed data is retrained on once, unchanged data is not, bad data stops: the workflow's steps, with real trainings.

One story: every runner is a fresh clone; what stays is the git remote, the DVC remote and the MLflow store.
"""

import json
from pathlib import Path

import mlflow
import pytest
from project_folder import ran, small
from workshop import Runner, Workshop, cells, grow, people, workshop

from ferline.errors import FerlineError
from ferline.tracking.results import export

BROKEN = [
    {"id": f"broken-{number}", "image": b"no image", "label": "happy", "subject": "q", "split": "train"}
    for number in range(60)
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Its path has a space in it."""
    root = tmp_path_factory.mktemp("a team") / "our place"
    return workshop(root, lambda project: project.change(small), lambda raw: raw.append(people(10, seed=3)))


@pytest.fixture(scope="module")
def first(place: Workshop) -> Runner:
    """The first results there are, pushed to main."""
    runner = place.runner("first-runner")
    runner.retrain("pull")
    runner.retrain("train")
    runner.retrain("comment")
    runner.retrain("push", "main")
    return runner


@pytest.fixture(scope="module")
def changed(place: Workshop, first: Runner) -> tuple[Runner, str]:
    """Somebody adds people; a new runner retrains. What its training printed."""
    grow(place.runner("author"), people(8, seed=4))
    runner = place.runner("second-runner")
    runner.retrain("pull")
    printed = runner.retrain("train")
    runner.retrain("comment")
    runner.retrain("push", "main")
    return runner, printed


def test_the_first_results_are_one_commit_on_main_with_a_champion(place: Workshop, first: Runner) -> None:
    fresh = place.runner("reader")
    assert fresh.says("rev-list", "--count", "HEAD") == "2"
    files = "dvc.lock reports/confusion.csv reports/curves.csv reports/data.json reports/metrics.json"
    files += " reports/promotion.json reports/promotion.md"
    assert fresh.says("show", "--name-only", "--format=", "HEAD").split() == files.split()
    best = fresh.report("promotion.json")["candidate"]["architecture"]
    assert (
        fresh.says("log", "-1", "--format=%s") == f"Retrained: {best} is best and becomes champion (ferline version 1)"
    )
    assert first.comment.startswith(f"## `{best}` is best and becomes champion (ferline version 1)\n")
    assert fresh.report("data.json") | {"emotions": {}} == {
        "name": "tiny",
        "images": 70,
        "subjects": 10,
        "emotions": {},
    }


def test_changed_data_is_retrained_on_exactly_once(place: Workshop, changed: tuple[Runner, str]) -> None:
    runner, printed = changed
    assert {"ingest", "train_cnn_lstm", "train_cnn_lstm_svm", "promote"} <= ran(printed)
    assert len(place.parents()) == 2
    assert runner.says("rev-parse", "HEAD") == place.tip()

    again = place.runner("third-runner")
    files = {path.split("/")[0] for path in again.says("diff", "--name-only", "HEAD~", "HEAD").split()}
    assert files == {"dvc.lock", "reports"}
    again.retrain("pull")
    assert "Nothing to retrain: the results at" in again.retrain("train")
    assert "Nothing to push: no result changed." in again.retrain("push", "main")
    assert again.says("rev-parse", "HEAD") == place.tip()
    assert len(place.parents()) == 2


def test_a_commit_that_touches_neither_data_nor_parameters_is_not_retrained_on(
    place: Workshop, changed: tuple[Runner, str]
) -> None:
    author = place.runner("writer")
    (author.folder / "README.md").write_text("faces\n")
    author.commit("a readme")
    author.git("push", "--quiet", "origin", "HEAD")
    runner = place.runner("fourth-runner")
    runner.retrain("pull")
    assert "Nothing to retrain" in runner.retrain("train")
    assert "Nothing to push" in runner.retrain("push", "main")
    assert len(place.parents()) == 2


def test_the_comments_numbers_are_those_of_both_commits(changed: tuple[Runner, str]) -> None:
    runner, _ = changed
    before, now = runner.report("metrics.json", "HEAD~"), runner.report("metrics.json", "HEAD")
    table = cells(runner.comment)
    assert list(table) == sorted(now, key=lambda name: -now[name]["validation"]["macro_f1"])
    columns = {"validation macro-F1": ("validation", "macro_f1"), "test macro-F1": ("test", "macro_f1")}
    columns |= {"test accuracy": ("test", "accuracy"), "test lowest recall": ("test", "min_class_recall")}
    for name, row in table.items():
        assert set(row) == set(columns)
        for column, (split, metric) in columns.items():
            old, new = before[name][split][metric], now[name][split][metric]
            interval = now[name][split]["intervals"].get(metric, [])
            assert row[column] == pytest.approx([old, new, new - old, *interval], abs=5.01e-4), (name, column)


def test_the_comment_says_who_is_best_what_was_decided_and_what_the_data_was(changed: tuple[Runner, str]) -> None:
    runner, _ = changed
    decision = runner.report("promotion.json")
    assert runner.comment.startswith(f"## `{decision['candidate']['architecture']}` is best and ")
    assert ("becomes champion" in runner.comment) is decision["promoted"]
    assert decision["reason"].split(":")[0] in runner.comment
    assert "70 → 126 images, 10 → 18 subjects, +8 of every emotion." in runner.comment
    assert "**Parameters** as before." in runner.comment
    assert "Confusion of" in runner.comment


def test_dvc_prints_what_two_data_versions_make_of_the_metrics(changed: tuple[Runner, str]) -> None:
    runner, _ = changed
    lines = runner.run("dvc", "metrics", "diff", "HEAD~", "HEAD").splitlines()
    values = {tuple(line.split()[:2]): line.split()[2:] for line in lines}
    assert values["reports/data.json", "images"] == ["70", "126", "56"]
    before, now = runner.report("metrics.json", "HEAD~"), runner.report("metrics.json", "HEAD")
    moved = {
        (name, metric)
        for name in now
        for metric in ("macro_f1", "accuracy", "ece")
        if now[name]["test"][metric] != before[name]["test"][metric]
    }
    assert moved
    for name, metric in moved:
        old, new, _ = values["reports/metrics.json", f"{name}.test.{metric}"]
        shown = [before[name]["test"][metric], now[name]["test"][metric]]
        assert [float(old), float(new)] == pytest.approx(shown, abs=1e-5)


def test_a_bad_version_of_the_data_stops_and_the_champion_stays(place: Workshop, changed: tuple[Runner, str]) -> None:
    """On a pull request, against main."""
    champion, runs, main = place.champion(), len(place.parents()), place.tip()
    author = place.runner("careless-author")
    author.git("switch", "--quiet", "--create", "bad-data")
    grow(author, BROKEN, "sixty more")
    tip = place.tip("bad-data")

    runner = place.runner("fifth-runner", "bad-data")
    runner.retrain("pull")
    assert "validation stops the run" in runner.retrain("train", ok=False, RETRAIN_TRIAL="true")
    runner.retrain("comment", "origin/main")
    assert "Error: the retraining failed, so there is nothing to push" in runner.retrain("push", "bad-data", ok=False)

    assert runner.comment.startswith("## Validation stops the retraining; the champion stays\n")
    assert "At most 20.00% of the images are bad (validation.max\\_bad\\_share)" in runner.comment.replace("_", "\\_")
    assert "Nothing was registered and nothing was pushed: the model in use stays." in runner.comment
    assert "`.ferline/failed_validation/tiny/docs/index.html` on the runner" in runner.comment
    assert "126 → 186 images" in runner.comment
    assert (runner.folder / ".ferline/failed_validation/tiny/docs/index.html").is_file()

    assert (place.tip("bad-data"), place.tip(), place.champion()) == (tip, main, champion)
    assert len(place.parents()) == runs
    assert runner.says("status", "--porcelain") == "", "neither the results nor params.yaml are touched"


def test_data_that_nobody_pushed_is_told_as_that(place: Workshop, changed: tuple[Runner, str]) -> None:
    author = place.runner("forgetful-author")
    author.git("switch", "--quiet", "--create", "forgotten")
    grow(author, people(1, seed=5), "more", push=False)
    runner = place.runner("sixth-runner", "forgotten")
    runner.retrain("pull", ok=False)
    runner.retrain("comment", "origin/main")
    assert runner.comment.startswith("## Retraining failed\n")
    assert "If it was never pushed, run \\`dvc push\\` where it was added" in runner.comment
    assert json.loads(runner.says("show", "HEAD:reports/data.json"))["images"] == 126


def test_what_is_exported_is_this_checkouts_run_and_not_the_newest_in_the_store(
    place: Workshop, changed: tuple[Runner, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another runner's, say, that has come to its leaderboard meanwhile."""
    runner, _ = changed
    tags = {"ferline.kind": "pipeline", "ferline.leaderboard": "another"}
    newest = mlflow.MlflowClient(place.store).create_run(place.parents()[0].info.experiment_id, tags=tags)
    mlflow.set_tracking_uri(place.store)
    try:
        monkeypatch.setenv("FERLINE_SCRATCH", runner.environment["FERLINE_SCRATCH"])
        export(tmp_path / "own")
        monkeypatch.setenv("FERLINE_SCRATCH", str(tmp_path / "elsewhere" / "scratch"))
        with pytest.raises(FerlineError, match=f"MLflow run {newest.info.run_id} has no leaderboard"):
            export(tmp_path / "newest")
    finally:
        mlflow.set_tracking_uri("")
    assert json.loads((tmp_path / "own" / "metrics.json").read_text()) == runner.report("metrics.json")
