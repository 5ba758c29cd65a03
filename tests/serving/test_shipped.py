"""The models that come with Ferline: whole, small, described as what they are, and they answer by their names."""

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


@pytest.fixture(params=shipped())
def model(request: pytest.FixtureRequest) -> TrainedModel:
    return named_model(request.param)


def test_they_are_small_together() -> None:
    assert SHIPPED in shipped()
    files = [file for name in shipped() for file in [*(FOLDER / name).iterdir(), FOLDER / f"{name}.onnx"]]
    assert sum(file.stat().st_size for file in files) < 25e6


def test_each_is_whole_and_says_where_it_comes_from(model: TrainedModel) -> None:
    assert (model.emotions, model.voted().emotions) == (EMOTIONS, KNOWN)
    assert model.card["architecture"] == model.folder.name
    assert model.card["commit"].isalnum()  # of a clean checkout: the code that trained it can be had
    assert (model.card["dataset"]["name"], model.card["dataset"]["labels"]) == ("ferplus", "own")
    assert model.card["shareable"] is False  # its faces may not be shown


def test_its_card_its_measurements_and_its_file_for_other_programs_are_of_this_model(model: TrainedModel) -> None:
    name = model.folder.name
    assert f"Digest `{model.digest}`" in (ROOT / "docs" / "model_cards" / f"{name}.md").read_text()
    measured = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    assert measured["model"]["digest"] == model.digest
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(FOLDER / f"{name}.onnx", providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["ferline.model_digest"]) == model.digest
    faces = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 1), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    shares, votes = session.run(["shares", "votes"], {"faces": faces})
    np.testing.assert_allclose(shares, model.predict(faces), atol=1e-4)
    np.testing.assert_allclose(votes, model.voted().predict(faces), atol=1e-4)


@pytest.mark.parametrize("given", [(), *(("--model", name) for name in shipped())])
def test_predict_uses_one_by_its_name_and_one_unless_told(given, put, photo, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    put("photo.png", photo(3, "happy"))
    done = CliRunner().invoke(main, ["predict", "photo.png", "--json", "-", *given], catch_exceptions=False)
    told = json.loads(done.stdout)
    name = given[1] if given else SHIPPED
    assert told["model"] == {"architecture": name, "digest": named_model(name).digest, "head": "votes"}
    (face,) = told["faces"]
    assert list(face["shares"]) == list(KNOWN)
    assert sum(face["shares"].values()) == pytest.approx(1)
