"""The model that comes with Ferline: it is whole, small, described as what it is, and answers by its name."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ferline.cli import main
from ferline.cli.found_model import SHIPPED, named_model
from ferline.emotions import EMOTIONS, KNOWN
from ferline.models.named import SHIPPED as FOLDER
from ferline.models.named import shipped
from ferline.models.trained import TrainedModel

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    return named_model(SHIPPED)


def test_it_is_there_whole_and_small(model: TrainedModel) -> None:
    assert shipped() == [SHIPPED]
    files = [*model.folder.iterdir(), FOLDER / f"{SHIPPED}.onnx"]
    assert sum(file.stat().st_size for file in files) < 25e6
    assert (model.emotions, model.voted().emotions) == (EMOTIONS, KNOWN)
    assert model.card["commit"].isalnum()  # of a clean checkout: the code that trained it can be had
    assert (model.card["dataset"]["name"], model.card["dataset"]["labels"]) == ("ferplus", "own")
    assert model.card["shareable"] is False  # its faces may not be shown


def test_its_card_its_measurements_and_its_file_for_other_programs_are_of_this_model(model: TrainedModel) -> None:
    assert f"Digest `{model.digest}`" in (ROOT / "docs" / "MODEL_CARD.md").read_text()
    measured = json.loads((ROOT / "benchmarks" / "results" / f"{SHIPPED}.json").read_text())
    assert measured["model"]["digest"] == model.digest
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(FOLDER / f"{SHIPPED}.onnx", providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["ferline.model_digest"]) == model.digest
    faces = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 1), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    shares, votes = session.run(["shares", "votes"], {"faces": faces})
    np.testing.assert_allclose(shares, model.predict(faces), atol=1e-4)
    np.testing.assert_allclose(votes, model.voted().predict(faces), atol=1e-4)


def test_predict_uses_it_unless_told_otherwise(model: TrainedModel, put, photo, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    put("photo.png", photo(3, "happy"))
    done = CliRunner().invoke(main, ["predict", "photo.png", "--json", "-"], catch_exceptions=False)
    told = json.loads(done.stdout)
    assert told["model"] == {"architecture": SHIPPED, "digest": model.digest, "head": "votes"}
    (face,) = told["faces"]
    assert list(face["shares"]) == list(KNOWN)
    assert sum(face["shares"].values()) == pytest.approx(1)
