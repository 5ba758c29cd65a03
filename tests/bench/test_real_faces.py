"""The scripts that train on real faces: whose pictures they take, and that every recipe of theirs makes a network."""

import argparse
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError, Preempted
from ferline.models import temperature
from ferline.models.registry import check
from ferline.params import DatasetParams, FaceParams
from ferline.serving import model_card

ROOT = Path(__file__).parents[2]
VOTED = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
TINY = {"width": 8, "blocks": "1-1", "votes_head": True}
GREY = FaceParams(side=48, colour="grey")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """One of benchmarks/, as Python finds it when it is run from there."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))

    def found(name: str) -> ModuleType:
        return __import__(name)

    return found


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A fer2013.csv and its votes: 70 Training rows, 21 of PublicTest, of which the first three stand in Training too;
    the fourth of Training shows no face to FER+, and the fifth has no vote that counts."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (91, 48 * 48))
    pixels[70:73] = pixels[:3]
    rows, votes = ["emotion,pixels,Usage"], [f"Usage,Image name,{','.join(VOTED)}"]
    for number, values in enumerate(pixels):
        usage, emotion = "Training" if number < 70 else "PublicTest", number % 7
        rows.append(f"{emotion},{' '.join(map(str, values))},{usage}")
        name = {0: "anger", 1: "disgust", 2: "fear", 3: "happiness", 4: "sadness", 5: "surprise", 6: "neutral"}[emotion]
        cells = dict.fromkeys(VOTED, 0) | {name: 8, "contempt": 2}
        if number == 4:
            cells = dict.fromkeys(VOTED, 0) | {"unknown": 10}
        row = "" if number == 3 else f"fer{number:07}.png"
        votes.append(f"{usage},{row},{','.join(str(cells[each]) for each in VOTED)}")
    csv, other = tmp_path / "fer2013.csv", tmp_path / "fer2013new.csv"
    csv.write_text("\n".join(rows) + "\n")
    other.write_text("\n".join(votes) + "\n")
    return csv, other


def test_the_champion_learns_from_training_and_chooses_by_public_test(script, files, tmp_path) -> None:
    faces = script("champion").faces_of(*files, tmp_path / "faces")
    train, validation = faces.rows("train"), faces.rows("validation")
    assert (len(train), len(validation), len(faces.rows("test"))) == (70 - 3 - 1, 21, 0)
    assert not set(faces.table["sha256"][train]) & set(faces.table["sha256"][validation])
    shares = faces.second_opinions(train)
    assert shares.shape == (66, len(KNOWN))
    assert shares.sum(1).tolist().count(0.0) == 1  # the one that nobody could tell
    assert shares[-1, KNOWN.index("contempt")] == pytest.approx(0.2)
    assert faces.labels[validation].tolist() == [(70 + i) % 7 for i in range(21)]
    assert faces.emotions == EMOTIONS
    assert faces.origin["preprocessing"]["margin"] == script("champion").PREPROCESSING.margin


def test_a_mean_of_weights_is_fitted_and_scored_anew_and_says_what_it_was_made_of(script, files, tmp_path) -> None:
    champion = script("champion")
    faces = champion.faces_of(*files, tmp_path / "faces")
    tiny = replace(champion.changed(champion.ALONE, epochs=1, grow_from=0), options=TINY)
    first = champion.trained("first", tiny, faces, tmp_path / "first")
    again = replace(champion.changed(tiny, seed=1), weights=str(first.folder))
    second = champion.trained("second", again, faces, tmp_path / "second")
    mean = champion.mean_of([first, second], faces, tmp_path / "mean", "both")
    own, of = mean.network().state_dict(), [model.network().state_dict() for model in (first, second)]
    for name, tensor in own.items():
        if tensor.is_floating_point():  # and no count of batches
            half = (of[0][name].double() + of[1][name].double()) / 2
            torch.testing.assert_close(tensor.double(), half, rtol=1e-6, atol=1e-8)
    assert any(not torch.equal(own[name], of[0][name]) for name in own if name.endswith("weight"))
    assert mean.card["mean_of"] == [
        {"architecture": "first", "digest": first.digest}, {"architecture": "second", "digest": second.digest}
    ]  # fmt: skip
    rows = faces.rows("validation")
    told = mean.predict(faces.images[rows]).argmax(axis=1)
    assert mean.card["validation"]["accuracy"] == pytest.approx((told == faces.labels[rows]).mean())
    assert mean.card["temperature"] == pytest.approx(
        temperature.fit(mean.logits(faces.images[rows]), faces.labels[rows])
    )
    assert mean.card["votes_temperature"] not in (first.card["votes_temperature"], second.card["votes_temperature"])
    assert (mean.card["seed"], mean.card["weights"], mean.card["architecture"]) == (1, "first", "both")
    assert mean.has_seen(faces.table["sha256"]).all()
    assert "the mean of those of `first` (" in model_card.as_markdown(mean)


def test_no_mean_is_taken_of_other_networks_or_of_what_other_faces_taught(script, files, tmp_path) -> None:
    champion = script("champion")
    faces = champion.faces_of(*files, tmp_path / "faces")
    tiny = replace(champion.changed(champion.ALONE, epochs=1, grow_from=0), options=TINY)
    first = champion.trained("first", tiny, faces, tmp_path / "first")
    wide = champion.trained("wide", replace(tiny, options=TINY | {"width": 16}), faces, tmp_path / "wide")
    with pytest.raises(FerlineError, match=r"has other options; write options: \{width: 8"):
        champion.mean_of([first, wide], faces, tmp_path / "mean", "both")
    for file in files:
        file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    fewer = champion.faces_of(*files, tmp_path / "fewer")
    with pytest.raises(FerlineError, match="was trained on other faces than these"):
        champion.mean_of([first, first], fewer, tmp_path / "mean", "both")
    assert not (tmp_path / "mean").exists()


def test_a_papers_split_keeps_its_copies_and_an_honest_one_does_not(script, files, tmp_path) -> None:
    read, (csv, _) = script("real_faces").faces_of, files
    honest = read("fer2013", csv, DatasetParams("fer2013"), GREY, tmp_path / "honest")
    paper = read("fer2013", csv, DatasetParams("fer2013", "paper:resnet50_resnet34"), GREY, tmp_path / "paper")
    assert (len(honest), len(paper)) == (88, 91)
    assert len(honest.rows("test")) == len(paper.rows("test")) == 21
    seen = set(honest.table["sha256"][np.concatenate([honest.rows("train"), honest.rows("validation")])])
    assert not seen & set(honest.table["sha256"][honest.rows("test")])


def test_faces_come_at_the_side_and_in_the_colours_that_a_network_takes(script, files, tmp_path) -> None:
    wide = FaceParams(side=64, colour="rgb")
    faces = script("real_faces").faces_of("fer2013", files[0], DatasetParams("fer2013"), wide, tmp_path / "faces")
    assert faces.images.shape == (88, 64, 64, 3)


def test_every_recipe_and_every_change_of_one_makes_a_network(script) -> None:
    champion = script("champion")
    for recipe in champion.RECIPES.values():
        for name, values in champion.CHANGES.items():
            changed = champion.changed(recipe, epochs=3, **values)
            check(name.replace(" ", "_"), changed)
            assert changed.training.epochs == 3
            if recipe is champion.ALONE:  # of another recipe a change may be a part already
                assert changed != replace(recipe, training=replace(recipe.training, epochs=3)) or not values, name


def test_every_row_of_the_papers_makes_a_network_with_the_papers_values(script) -> None:
    papers = script("papers")
    given = argparse.Namespace(epochs=None, imagenet=True)
    rows = list(papers.rows(3))
    assert {row.model for row in rows} == set(papers.PAPERS)
    assert len({row.name for row in rows}) == len(rows) == 14
    for row in rows:
        own = papers.architecture(row, True, 1, given)
        check(row.model, own, row.dataset.emotions)
        assert own.training.seed == 1
    random = papers.architecture(next(row for row in rows if row.model == "resnet50_transfer"), False, 0, given)
    assert (random.weights, random.options) == ("none", {"frozen_layers": 0})


def test_a_row_of_the_papers_that_was_stopped_goes_on(script, files, tmp_path, monkeypatch) -> None:
    papers = script("papers")
    row = papers.Row("cnn_lstm", "fer2013", DatasetParams("fer2013", "paper:cnn_lstm_svm"))
    given = argparse.Namespace(csv=files[0], votes=None, epochs=2, imagenet=False, graphs=False)
    whole = papers.trained(row, given)["members"][0]

    class Stopping(papers.Clock):
        def note(self, record: dict[str, float]) -> None:
            super().note()
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setenv("FERLINE_SCRATCH", str(tmp_path / "state" / "scratch"))
    with monkeypatch.context() as here:
        here.setattr(papers, "Clock", Stopping)
        with pytest.raises(Preempted):
            papers.trained(row, given)
    (left,) = (tmp_path / "state" / "checkpoints").glob("*.json")
    before = json.loads(left.read_text())["seconds"]
    resumed = papers.trained(row, given)["members"][0]
    assert resumed.pop("seconds") > before > 0
    assert not left.exists()
    del whole["seconds"]
    assert resumed == whole


def test_the_results_page_is_what_the_measurements_make(script) -> None:
    results = script("results")
    assert (ROOT / "docs" / "results.md").read_text() == results.page(results.measured(ROOT / "benchmarks" / "results"))


def test_the_page_says_what_was_not_run(script) -> None:
    results = script("results")
    content = {"ferline_small": json.loads((ROOT / "benchmarks" / "results" / "ferline_small.json").read_text())}
    page = results.page(content)
    assert "| `resnet50_gru` | CK+ | 95.56 | not run | not run |" in page
    assert "Not run. `profile: finetune`" in page
    assert "Not run. `benchmarks/photos.py`" in page
