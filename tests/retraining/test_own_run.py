"""Which run an export takes, and what it leaves of the data."""

import json
from pathlib import Path

import mlflow
import pytest
from workshop import people

from ferline.datasets.raw import RawSet
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.tracking.exported import counts, write_data, write_decision
from ferline.tracking.own_run import own_parent, remember


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An MLflow store and a project's state of their own."""
    monkeypatch.setenv("FERLINE_SCRATCH", str(tmp_path / "state" / "scratch"))
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    yield tmp_path
    mlflow.set_tracking_uri("")


def test_the_newest_run_of_this_checkout_is_known(store: Path) -> None:
    assert own_parent() is None
    remember("a")
    remember("b")
    assert own_parent() == "b"


def test_a_run_in_another_store_is_none_of_this_one(store: Path) -> None:
    remember("a")
    mlflow.set_tracking_uri(f"sqlite:///{store / 'another.db'}")
    assert own_parent() is None


def test_a_set_is_counted_by_image_person_and_emotion(tmp_path: Path) -> None:
    raw = RawSet(tmp_path / "data/raw/mine")
    rows = people(2, seed=3)
    raw.append([row for row in rows if row["label"] != "sad" or "p000" in row["id"]])
    each = dict.fromkeys(EMOTIONS, 2) | {"sad": 1}
    assert counts(tmp_path, "mine") == {"name": "mine", "images": 13, "subjects": 2, "emotions": each}
    write_data(tmp_path, tmp_path, "mine")
    assert json.loads((tmp_path / "data.json").read_text()) == counts(tmp_path, "mine")


def test_a_set_that_is_not_here_is_not_counted(tmp_path: Path) -> None:
    assert counts(tmp_path, "mine") is None
    with pytest.raises(FerlineError, match=r"data/raw/mine: not here.* Run: dvc pull data/raw/mine\.dvc"):
        write_data(tmp_path, tmp_path, "mine")
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_decision_is_told(store: Path) -> None:
    experiment = mlflow.create_experiment("made by the test", artifact_location=(store / "artifacts").as_uri())
    run = mlflow.MlflowClient().create_run(experiment).info.run_id
    with pytest.raises(FerlineError, match=rf"MLflow run {run} has no promotion\.json to read"):
        write_decision(store, run)
