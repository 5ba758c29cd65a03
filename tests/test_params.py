"""params.yaml: what is accepted, and what each mistake is told."""

from pathlib import Path

import pytest
import yaml

from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.params import PAPERS, LeakageParams, Params, load

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


def test_a_profile_takes_rows_away_by_null(content, tmp_path):
    own = loaded(content | {"profile": "finetune"}, tmp_path)
    assert list(own.architectures) == ["ferline_net"]
    assert own.architectures["ferline_net"].weights == "ferline_small"
    content["profiles"]["quick"]["architectures"] = dict.fromkeys(content["architectures"])
    assert "at least one architecture" in refused(content, tmp_path)


def test_every_key_is_documented(content):
    """Each key of the file stands beside a comment, or in the comment block above the architectures."""
    text = (PROJECT / "params.yaml").read_text()
    comments = " ".join(line.split("#", 1)[1] for line in text.splitlines() if "#" in line)
    for section in ("dataset", "validation", "faces", "evaluation", "promotion"):
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
        (
            "dataset.protocol",
            "subjects",
            "dataset.protocol: 'subjects' is not allowed; write official, random, subject, sequence, column:NAME or "
            "paper:KEY, KEY being one of resnet50_gru, cnn_lstm, cnn_lstm_svm, resnet50_resnet34, resnet50_transfer",
        ),
        ("dataset.protocol", "paper:vgg", "protocol: 'paper:vgg' is not allowed; write official, random"),
        ("dataset.protocol", "column:", "protocol: 'column:' is not allowed; write official, random"),
        ("dataset.folds", 2, "dataset.folds: 2 is not allowed; write 0 (one split) or 3 and more"),
        ("dataset.folds", 5, "folds: 5 is not allowed; write 0 with protocol: official; random, subject and sequence"),
        (
            "dataset.emotions",
            ["happy", "joy"],
            "emotions: ['happy', 'joy'] is not allowed; write two or more of angry, disgust, fear, happy, sad, "
            "surprise, neutral, contempt, each once",
        ),
        ("dataset.emotions", ["happy", "sad", "happy"], "emotions: ['happy', 'sad', 'happy'] is not allowed"),
        ("dataset.emotions", ["happy"], "emotions: ['happy'] is not allowed; write two or more"),
        (
            "dataset.labels",
            "winner",
            "dataset.labels: 'winner' is not allowed; input should be 'majority', 'plurality'",
        ),
        ("dataset.fraction", 0, "fraction: 0.0 is not allowed; write a share of the images above 0, at most 1"),
        ("dataset.fraction", 1.5, "fraction: 1.5 is not allowed"),
        ("dataset.name", ".hidden", "name: '.hidden' is not allowed; write the name of a set under data/raw/"),
        (
            "validation.leakage.exact",
            "stop",
            "validation.leakage.exact: 'stop' is not allowed; input should be 'report'",
        ),
        ("validation.leakage.mirror", "drop", "leakage.mirror: unknown key; known here: conflicts, exact, near"),
        (
            "validation.cross_split_duplicates",
            "fail",
            "validation.cross_split_duplicates: unknown key; known here: leak",
        ),
        ("faces.detect", "maybe", "faces.detect: 'maybe' is not allowed"),
        ("architectures.cnn_lstm.training.targets", "soft", "targets: 'soft' is not allowed; input should be 'label'"),
        ("promotion.select_on", "test", "promotion.select_on: 'test' is not allowed"),
        ("promotion.gates.min_macro_f1", 7, "min_macro_f1: 7.0 is not allowed; write a share from 0 to 1"),
        ("promotion.mode", "dry", "promotion.mode: 'dry' is not allowed; input should be 'enforce', 'dry-run'"),
        ("promotion.significance", "mcnemar", "write bootstrap: McNemar's test is of accuracy, not macro_f1"),
        ("promotion.level", 5, "level: 5.0 is not allowed; write a probability between 0 and 1"),
        ("promotion.gates.max_size_mb", 0, "max_size_mb: 0.0 is not allowed; write megabytes above 0"),
        ("evaluation.resamples", 10, "resamples: 10 is not allowed; write 200 or more"),
        ("evaluation.occlusion.stride", 0.5, "stride: 0.5 is not allowed; write a share of the side above 0, at most"),
        ("evaluation.robustness.strengths", 6, "strengths: 6 is not allowed; write a whole number from 1 to 5"),
        ("seeds", 0, "seeds: 0 is not allowed; write a whole number of at least 1"),
        ("profile", "fast", "profile: 'fast' is not allowed; write one of finetune, paper, quick"),
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


@pytest.mark.parametrize(
    "protocol", ["official", "random", "subject", "sequence", "column:Usage", *(f"paper:{key}" for key in PAPERS)]
)
def test_every_protocol_can_be_written(content, tmp_path, protocol):
    content["dataset"]["protocol"] = protocol
    assert loaded(content, tmp_path).dataset.protocol == protocol


@pytest.mark.parametrize("protocol", ["random", "subject", "sequence"])
def test_the_protocols_that_are_drawn_can_be_cut_into_folds(content, tmp_path, protocol):
    content["dataset"] |= {"protocol": protocol, "folds": 3}
    assert loaded(content, tmp_path).dataset.folds == 3


def test_the_classes_are_the_chosen_emotions_in_their_own_order(content, tmp_path):
    del content["dataset"]["emotions"]
    assert loaded(content, tmp_path).dataset.emotions == EMOTIONS
    content["dataset"]["emotions"] = ["contempt", *reversed(EMOTIONS)]
    assert loaded(content, tmp_path).dataset.emotions == KNOWN


@pytest.mark.parametrize(("written", "value"), [("auto", "auto"), ("true", True), ("false", False)])
def test_detect_is_auto_or_a_yes_or_a_no(content, tmp_path, written, value):
    content["faces"]["detect"] = "DETECT"
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content).replace("DETECT", written))
    assert load(path).faces.detect is value or load(path).faces.detect == value == "auto"


def test_what_is_not_written_of_leakage_is_dropped_or_reported(content, tmp_path):
    content["validation"]["leakage"] = {"near": "fail"}
    assert loaded(content, tmp_path).validation.leakage == LeakageParams("drop", "fail", "report")


def test_a_profile_cannot_name_another_set(content, tmp_path):
    content["profiles"]["finetune"]["dataset"] = {"name": "mine"}
    told = r"profiles\.finetune\.dataset\.name: a profile cannot name another set"
    with pytest.raises(FerlineError, match=told):
        loaded(content, tmp_path)


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


def test_votes_as_targets_need_labels_that_come_from_votes(content, tmp_path):
    content["dataset"]["labels"] = "own"
    content["architectures"]["cnn_lstm"]["training"]["targets"] = "votes"
    message = refused(content, tmp_path)
    assert "architectures.cnn_lstm.training.targets: 'votes' is not allowed; write label or both; or dataset" in message


def test_both_as_targets_needs_the_sets_own_labels(content, tmp_path):
    content["architectures"]["cnn_lstm"]["training"]["targets"] = "both"
    message = refused(content, tmp_path)
    assert "architectures.cnn_lstm.training.targets: 'both' is not allowed; write label or votes; or dataset" in message
    content["dataset"]["labels"] = "own"
    assert loaded(content, tmp_path).architectures["cnn_lstm"].training.targets == "both"


def test_faces_grow_from_a_smaller_side_only(content, tmp_path):
    content["architectures"]["cnn_lstm"]["training"]["grow_from"] = 48
    message = refused(content, tmp_path)
    assert (
        "architectures.cnn_lstm.training.grow_from: 48 is not allowed; write 0, or a side from 24 to below 48"
        in message
    )


def test_folds_and_seeds_at_once_are_refused(content, tmp_path):
    content |= {"seeds": 3, "dataset": {"name": "a", "protocol": "subject", "folds": 5}}
    assert "seeds: 3 is not allowed; write 1 with dataset.folds" in refused(content, tmp_path)


def test_an_architecture_is_trained_once_or_once_a_fold_or_once_a_seed(content, tmp_path):
    content["architectures"]["cnn_lstm"]["training"]["seed"] = 4
    once = loaded(content, tmp_path).repetitions("cnn_lstm")
    assert [(one.fold, one.seed, one.suffix) for one in once] == [(None, None, "")]

    folds = loaded(content | {"dataset": {"name": "a", "protocol": "subject", "folds": 3}}, tmp_path)
    assert [(one.fold, one.seed, one.suffix) for one in folds.repetitions("cnn_lstm")] == [
        (fold, None, f"_fold_{fold}") for fold in range(3)
    ]

    seeds = loaded(content | {"seeds": 3}, tmp_path).repetitions("cnn_lstm")
    assert [(one.fold, one.seed, one.suffix) for one in seeds] == [(None, n, f"_seed_{n}") for n in (4, 5, 6)]
    assert [one.architecture.training.seed for one in seeds] == [4, 5, 6]


def test_a_key_that_stands_there_twice_is_refused_where_it_stands(tmp_path):
    """As when a card's `dataset:` was put beside the one that was there: YAML would take the last."""
    lines = (PROJECT / "params.yaml").read_text().splitlines()
    path = tmp_path / "params.yaml"
    path.write_text("\n".join([*lines, "dataset: {name: mine, name: yours}", ""]))
    with pytest.raises(FerlineError) as error:
        load(path)
    first = 1 + next(i for i, line in enumerate(lines) if line.startswith("dataset:"))
    last = len(lines) + 1
    assert str(error.value).splitlines() == [
        f"{path}, line {last}: dataset is in line {first} already. Leave one of the two out",
        f"{path}, line {last}: dataset.name is in line {last} already. Leave one of the two out",
    ]


def test_the_same_key_in_two_entries_of_a_list_is_no_repetition(content, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content) + "extra:\n- {a: 1}\n- {a: 2}\n")
    with pytest.raises(FerlineError, match="extra: unknown key"):
        load(path)
