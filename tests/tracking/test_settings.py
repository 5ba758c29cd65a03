"""What a pipeline run ran under, kept with it in MLflow: parameters, data and environment."""

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import yaml

from ferline.artifact import sha256_of
from ferline.errors import FerlineError
from ferline.params import load
from ferline.tracking import dataset, rows, settings

ROOT = Path(__file__).parents[2]
DVC = [sys.executable, "-m", "dvc"]


def test_the_data_is_an_input_of_the_row_with_dvcs_digest_and_ours(store, make_model, project, monkeypatch):
    monkeypatch.chdir(project)
    model, evaluation, _ = make_model("small")
    parent = rows.parent("zenml-run", "a run")
    row, _ = rows.row(parent, "small")
    rows.begin(row, evaluation.card)
    rows.log_evaluation(parent, evaluation, model)
    found = {each.dataset.name: each for each in mlflow.get_run(row).inputs.dataset_inputs}
    pointer = project / "data" / "raw" / "patterns.dvc"
    md5 = yaml.safe_load(pointer.read_text())["outs"][0]["md5"]
    assert {name: {t.key: t.value for t in each.tags}["mlflow.data.context"] for name, each in found.items()} == {
        "patterns": "training",
        "patterns, held out": "evaluation",
    }
    for each in found.values():
        assert each.dataset.digest == md5.removesuffix(".dir")
        assert json.loads(each.dataset.source)["md5"] == md5
        assert {"data.digest", "protocol"} <= {tag.key for tag in each.tags}


def test_the_settings_of_a_pipeline_run_are_kept_with_it(store, project, monkeypatch, tmp_path):
    monkeypatch.chdir(project)
    parent = rows.parent("zenml-run", "a run")
    tags = mlflow.get_run(parent).data.tags
    assert tags["dvc.pointer"] == dataset.revision_of(project / "data" / "raw" / "patterns.dvc")
    assert tags["ferline.lock"] == sha256_of(ROOT / "requirements.lock")
    kept = Path(mlflow.artifacts.download_artifacts(f"runs:/{parent}/settings", dst_path=str(tmp_path / "kept")))
    assert (kept / "params.yaml").read_bytes() == (project / "params.yaml").read_bytes()
    assert (kept / "patterns.dvc").read_bytes() == (project / "data" / "raw" / "patterns.dvc").read_bytes()
    assert load(kept / "params_used.yaml") == load(project / "params.yaml")
    assert settings.read(parent)["architectures"]["cnn_lstm"]["training"]["epochs"] == 30, "the profile is laid over"


def test_a_pointer_that_is_none_of_dvcs_is_refused(tmp_path):
    (tmp_path / "broken.dvc").write_text("outs: []\n")
    with pytest.raises(FerlineError, match="not a pointer of DVC"):
        dataset.revision_of(tmp_path / "broken.dvc")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A folder with params.yaml and a set that DVC holds."""
    folder = tmp_path_factory.mktemp("a user") / "my project"
    (folder / "data" / "raw" / "patterns").mkdir(parents=True)
    (folder / "data" / "raw" / "patterns" / "manifest.json").write_text("{}")
    (folder / "data" / "raw" / "patterns" / "shard-00000.parquet").write_bytes(b"images")
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["dataset"]["name"] = "patterns"
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    for command in (
        ["git", "init", "--quiet"],
        [*DVC, "init", "--quiet"],
        [*DVC, "add", "--quiet", "data/raw/patterns"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    return folder
