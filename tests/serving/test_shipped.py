"""The models that come with Ferline: whole, small, described as what they are, and they answer by their names."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from ferline.cli import main
from ferline.cli.found_model import SHIPPED, named_model
from ferline.datasets.synthetic import scene
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
    pulled = [
        file for pointer in FOLDER.glob("*.dvc") for file in (FOLDER / pointer.stem, *FOLDER.glob(f"{pointer.stem}/*"))
    ]
    assert {f"{name}.int8.onnx" for name in shipped()} < {file.name for file in pulled}
    assert sum(file.stat().st_size for file in pulled if file.is_file()) < 25e6


def test_each_is_whole_and_says_where_it_comes_from(model: TrainedModel) -> None:
    assert (model.emotions, model.voted().emotions) == (EMOTIONS, KNOWN)
    assert model.card["architecture"] == model.folder.name
    assert model.card["commit"].isalnum()  # of a clean checkout: the code that trained it can be had
    assert (model.card["dataset"]["name"], model.card["dataset"]["labels"]) == ("ferplus", "own")
    assert model.card["shareable"] is False  # its faces may not be shown


def test_its_card_its_measurements_and_its_file_in_8_bits_are_of_this_model(model: TrainedModel) -> None:
    name = model.folder.name
    assert f"Digest `{model.digest}`" in (ROOT / "docs" / "model_cards" / f"{name}.md").read_text()
    measured = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    assert measured["model"]["digest"] == model.digest
    file = FOLDER / f"{name}.int8.onnx"
    assert measured["eight_bits"]["size_bytes"] == file.stat().st_size
    session = session_of(file, model)
    scenes = [scene(7, person, EMOTIONS[person % 7], 0) for person in range(48)]
    faces = np.stack([cv2.resize(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), (48, 48))[:, :, None] for each in scenes])
    shares, votes = session.run(["shares", "votes"], {"faces": faces})
    for told, answering in ((shares, model), (votes, model.voted())):
        assert (told.argmax(1) == answering.predict(faces).argmax(1)).mean() > 0.9


def test_the_most_accurate_one_is_there_in_full_for_other_programs() -> None:
    model = named_model(SHIPPED)
    session = session_of(FOLDER / f"{SHIPPED}.onnx", model)
    faces = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 1), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    shares, votes = session.run(["shares", "votes"], {"faces": faces})
    np.testing.assert_allclose(shares, model.predict(faces), atol=1e-4)
    np.testing.assert_allclose(votes, model.voted().predict(faces), atol=1e-4)


def session_of(file: Path, model: TrainedModel) -> Any:
    """Of a file that was made of this model."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["ferline.model_digest"]) == model.digest
    return session


@pytest.mark.parametrize("given", [(), *(("--model", name) for name in shipped())])
def test_predict_uses_one_by_its_name_and_one_unless_told(given, put, photo, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    put("photo.png", photo(3, "happy"))
    done = CliRunner().invoke(main, ["predict", "photo.png", "--json", "-", *given], catch_exceptions=False)
    told = json.loads(done.stdout)
    name = given[1] if given else SHIPPED
    assert told["model"] == {
        "architecture": name,
        "digest": named_model(name).digest,
        "head": "votes",
        "detector": "yunet",
    }
    (face,) = told["faces"]
    assert list(face["shares"]) == list(KNOWN)
    assert sum(face["shares"].values()) == pytest.approx(1)
