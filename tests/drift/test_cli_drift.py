"""`ferline drift` as a user types it, and as cron sees it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner, Result
from drift_pictures import face, png

from ferline.cli import main
from ferline.models.named import shipped
from ferline.tracking import registry, store
from ferline.tracking.logged_model import log_model

HERE = Path(__file__).parents[2]


def drift(*arguments: str) -> Result:
    """In this process; an error that is not told as one message is raised here."""
    return CliRunner().invoke(main, ["drift", *map(str, arguments)], catch_exceptions=False)


def refused(*arguments: str) -> str:
    result = drift(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    return result.stderr.strip()


@pytest.fixture
def project(tmp_path, make_set, make_folder, monkeypatch) -> Path:
    """A set, a folder like it and a darker one; commands run here."""
    shutil.copy(HERE / "params.yaml", tmp_path)
    make_set("mine", [png(face(number)) for number in range(60)])
    make_folder("same", [png(face(number)) for number in range(100, 140)])
    make_folder("dark", [png(face(number, 0.6)) for number in range(100, 140)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERLINE_SCRATCH", str(tmp_path / ".ferline" / "scratch"))
    return tmp_path


@pytest.fixture
def mlflow_store(tmp_path, monkeypatch) -> Iterator[None]:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield
    mlflow.set_tracking_uri("")


def test_nothing_new_ends_with_0_and_a_drift_with_3(project):
    same, dark = drift("mine", "same", "--no-model"), drift("mine", "dark", "--no-model")
    assert (same.exit_code, dark.exit_code) == (0, 3)
    assert "\nNo drift\n" in same.stdout
    assert "\nDRIFT: brightness, contrast" in dark.stdout
    assert (
        dark.stdout.rstrip().endswith("To look at: .ferline/drift/mine-dark/index.html")
        or str(project / ".ferline" / "drift" / "mine-dark" / "index.html") in dark.stdout
    )
    assert (project / ".ferline" / "drift" / "mine-dark" / "index.html").is_file()


def test_json_is_printed_alone_with_the_same_exit_status(project):
    result = drift("mine", "./dark", "--no-model", "--json", "--page", "out/p.html", "--subject", r"^(p\d+)/")
    content = json.loads(result.stdout)
    assert result.exit_code == 3
    assert content["drift"] is True
    assert content["page"] == "out/p.html"
    assert content["people"] == [10, 10]
    assert Path("out/p.html").is_file()


def test_a_model_by_its_folder(project, make_model):
    model = make_model()
    content = json.loads(drift("mine", "same", "--model", str(model.folder), "--json").stdout)
    assert content["model"]["digest"] == model.digest
    assert {"predicted", "confidence"} <= {line["name"] for line in content["lines"]}


def test_the_champion_is_the_model_unless_another_is_named(project, mlflow_store, make_model):
    store.experiment_id()  # MLflow tells of a new database on stderr
    assert "there is no champion of the name 'ferline' yet; write --model FOLDER, or --no-model" in refused(
        "mine", "same"
    )
    model = make_model()
    with mlflow.start_run(experiment_id=store.experiment_id()) as run:
        log_model(run.info.run_id, model)
    registry.point(registry.CHAMPION, registry.register("ferline", model, {}))
    for named in ((), ("--model", "models:/ferline@champion"), ("--model", "models:/ferline/1")):
        content = json.loads(drift("mine", "same", "--json", *named).stdout)
        assert content["model"]["digest"] == model.digest
    told = refused("mine", "same", "--model", "models:/ferline/7")
    assert told.startswith("Error: models:/ferline/7 cannot be had from MLflow at sqlite:///")


def test_what_cannot_be_compared_is_told_in_one_message_with_status_1(project, make_model):
    (project / "empty").mkdir()
    assert "theirs: neither a set in data/raw (there: mine) nor a folder" in refused("mine", "theirs", "--no-model")
    assert "empty: no images in this folder" in refused("mine", "empty", "--no-model")
    assert "mine:tset: no split of that name" in refused("mine:tset", "same", "--no-model")
    told = refused("mine", "same", "--model", "nowhere")
    ours = ", ".join(shipped())
    assert f"'nowhere' is no folder, none of the models that come with Ferline ({ours}), and no address" in told
    assert "empty/model.json: no readable card" in refused("mine", "same", "--model", "empty")
    assert "--model and --no-model: write one of them" in refused("mine", "same", "--model", "x", "--no-model")
    assert "--level: 2.0 is not allowed" in refused("mine", "same", "--no-model", "--level", "2")
    assert not (project / ".ferline" / "drift").exists()


def test_a_corrupt_model_is_told(project, make_model):
    shutil.copytree(make_model().folder, "model")
    weights = bytearray(Path("model/model.safetensors").read_bytes())
    weights[-1] ^= 1
    Path("model/model.safetensors").write_bytes(weights)
    assert "model/model.safetensors: corrupt" in refused("mine", "same", "--model", "model")


def test_a_mistyped_command_ends_with_2_and_the_help_tells_all_of_them():
    assert drift("mine").exit_code == 2
    text = drift("--help").stdout
    for status in ("0  no drift", "1  an error", "2  the command was mistyped", "3  drift"):
        assert status in text


def test_pictures_of_people_are_in_the_page_only_with_show(project):
    drift("mine", "same", "--no-model", "--page", "plain.html")
    drift("mine", "same", "--no-model", "--page", "shown.html", "--show")
    assert "<img" not in Path("plain.html").read_text()
    assert Path("shown.html").read_text().count("<img") == 12
