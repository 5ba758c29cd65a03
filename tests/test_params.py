"""params.yaml: what is accepted, and what each mistake is told."""

from pathlib import Path

import pytest
import yaml

from ferline.errors import FerlineError
from ferline.params import Params, load

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def content() -> dict:
    return yaml.safe_load((PROJECT / "params.yaml").read_text())


def loaded(content: dict, folder: Path) -> Params:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return load(path)


def refused(content: dict, folder: Path) -> str:
    with pytest.raises(FerlineError) as error:
        loaded(content, folder)
    return str(error.value)


def test_one_line_switches_between_quick_and_the_papers_own_values(content, tmp_path):
    quick = loaded(content | {"profile": "quick"}, tmp_path)
    paper = loaded(content | {"profile": "paper"}, tmp_path)
    assert quick.architectures["resnet50_gru"].input.side == 48
    assert paper.architectures["resnet50_gru"].input.side == 224
    assert (
        paper.architectures["resnet50_gru"].training.epochs,
        paper.architectures["resnet50_gru"].training.batch_size,
    ) == (50, 32)
    assert paper.architectures["resnet50_transfer"].training.learning_rate == 1e-4
    optimisers = {a.training.optimiser for a in paper.architectures.values() if a.model == "resnet50_resnet34"}
    assert optimisers == {"sgd", "adam", "rmsprop"}


def test_every_key_is_documented(content):
    """Each key of the file stands beside a comment, or in the comment block above the architectures."""
    text = (PROJECT / "params.yaml").read_text()
    comments = " ".join(line.split("#", 1)[1] for line in text.splitlines() if "#" in line)
    for section in ("dataset", "validation", "faces", "promotion"):
        for key in content[section]:
            line = next(line for line in text.splitlines() if line.strip().startswith(f"{key}:"))
            assert "#" in line, f"{section}.{key} has no comment"
    for entry in content["architectures"].values():
        for key in [*entry["augmentation"], *entry["training"]]:
            assert key in comments or key in ("epochs", "batch_size", "learning_rate", "seed"), key


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("faces.sidd", 96, "faces.sidd: unknown key; known here: choose, colour"),
        (
            "architectures.cnn_lstm.training.epoch",
            3,
            "architectures.cnn_lstm.training.epoch: unknown key; known here: batch_size",
        ),
        ("architectures.cnn_lstm.input.channels", 2, "architectures.cnn_lstm.input.channels: 2 is not allowed"),
        (
            "architectures.cnn_lstm.training.learning_rate",
            -1,
            "learning_rate: -1.0 is not allowed; write a number above 0",
        ),
        ("architectures.cnn_lstm.training.optimiser", "sdg", "optimiser: 'sdg' is not allowed; input should be 'adam'"),
        (
            "architectures.cnn_lstm.augmentation.rotation",
            400,
            "rotation: 400.0 is not allowed; write degrees from 0 to 180",
        ),
        ("dataset.shares", [0.8, 0.1, 0.2], "shares: (0.8, 0.1, 0.2) is not allowed; write three shares above 0"),
        ("validation.max_bad_share", "much", "validation.max_bad_share: 'much' is not allowed"),
        ("promotion.select_on", "test", "promotion.select_on: 'test' is not allowed"),
        ("promotion.gates.min_macro_f1", 7, "min_macro_f1: 7.0 is not allowed; write a share from 0 to 1"),
        ("profile", "fast", "profile: 'fast' is not allowed; write one of paper, quick"),
    ],
)
def test_a_mistake_is_told_with_its_key_value_and_what_is_allowed(content, tmp_path, path, value, said):
    *parents, key = path.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place[key] = value
    if path.startswith("architectures"):  # a profile would lay its own value over it
        content["profiles"]["quick"] = {}
    assert said in refused(content, tmp_path)


def test_a_profile_that_is_not_chosen_is_checked_too(content, tmp_path):
    content["profiles"]["paper"]["faces"] = {"sidd": 3}
    assert "(paper): faces.sidd: unknown key" in refused(content | {"profile": "quick"}, tmp_path)


def test_all_mistakes_are_told_at_once(content, tmp_path):
    content["faces"]["side"] = "big"
    content["dataset"]["protocl"] = "random"
    message = refused(content, tmp_path)
    assert "faces.side: 'big'" in message
    assert "dataset.protocl: unknown key" in message


def test_a_missing_file_and_a_file_that_is_no_yaml(tmp_path):
    with pytest.raises(FerlineError, match="cannot be read"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [1")
    with pytest.raises(FerlineError, match="not YAML"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("- a")
    with pytest.raises(FerlineError, match="expected keys and values, found list"):
        load(tmp_path / "params.yaml")


def test_a_missing_part_is_named(content, tmp_path):
    del content["architectures"]["cnn_lstm"]["training"]
    content["profiles"] = {"quick": {}}
    assert "architectures.cnn_lstm.training: missing" in refused(content | {"profile": "quick"}, tmp_path)
