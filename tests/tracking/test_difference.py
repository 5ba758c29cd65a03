"""What is said of two trainings that should be one: equal bit for bit, or where they differ and by how much."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ferline.artifact import seal
from ferline.lineage.difference import difference
from ferline.models.trained import CARD, WEIGHTS, TrainedModel

STORY = {"member_seed": None}


@pytest.fixture
def model(make_model) -> TrainedModel:
    return make_model("small")[0]


@pytest.fixture
def changed(model, tmp_path):
    """A copy of the model in which a function changed something."""

    def change(how) -> TrainedModel:
        folder = tmp_path / "changed"
        shutil.copytree(model.folder, folder)
        how(folder)
        seal(folder)
        return TrainedModel(folder)

    return change


def edit_card(**values):
    def edit(folder) -> None:
        card = json.loads((folder / CARD).read_text())
        (folder / CARD).unlink()
        (folder / CARD).write_text(json.dumps(card | values))

    return edit


def shift_weights(folder) -> None:
    weights = load_file(folder / WEIGHTS)
    name = next(name for name, tensor in weights.items() if tensor.dtype == np.float32 and tensor.size > 10)
    weights[name] = weights[name] + np.float32(0.25)
    (folder / WEIGHTS).unlink()
    save_file(weights, folder / WEIGHTS)


def test_equal_bytes_are_said_to_be_so(model, changed):
    found = difference(STORY, model, changed(lambda folder: None), {"latency_ms": 1.0}, {"latency_ms": 2.0})
    assert found.equal
    assert found.text() == f"Reproduced: the model is the same bit for bit, {model.digest}"


def test_other_weights_are_told_with_how_far_apart_and_which_metrics(model, changed):
    was, now = {"test/accuracy": 0.5, "test/ece": 0.1, "latency_ms": 1.0}, {"test/accuracy": 0.75, "test/ece": 0.1}
    found = difference(STORY, model, changed(shift_weights), was, now)
    assert not found.equal
    assert found.files == (WEIGHTS,)
    assert list(found.weights.values()) == pytest.approx([0.25], abs=1e-6)
    assert found.metrics == {"test/accuracy": (0.5, 0.75)}
    assert "1 tensors differ, by at most 0.25" in found.text()
    assert "+0.25" in found.text()


def test_another_card_with_the_same_weights_is_not_the_same_model(model, changed):
    found = difference(STORY, model, changed(edit_card(temperature=9.0)), {}, {})
    assert found.files == (CARD,)
    assert found.card["temperature"] == (model.card["temperature"], 9.0)
    assert "no metric differs" in found.text()


def test_a_seed_that_was_trained_alone_may_say_so_on_its_card(model, changed):
    alone = changed(edit_card(member_seed=4, augmentation_digest="f" * 64))
    assert not difference(STORY, model, alone, {}, {}).equal
    found = difference({"member_seed": 4}, model, alone, {}, {})
    assert found.equal
    assert "it was trained alone" in found.text()
