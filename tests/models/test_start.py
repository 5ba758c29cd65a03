"""Beginning from a trained model: what is taken over, what is refused, and that what it has seen stays seen."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.faces.look import looks
from ferline.models import named
from ferline.models.predecessors import FEW, Predecessors, name_of, on_a_card
from ferline.models.registry import check, create
from ferline.models.trained import TrainedModel, fingerprints
from ferline.params import ArchitectureParams, InputParams, TrainingParams

OPTIONS = {"width": 8, "blocks": "1-1"}
AT_48 = InputParams(48, 1)


@pytest.fixture
def before(card, tmp_path: Path) -> TrainedModel:
    """A trained ferline_net of seven emotions, which has seen two images."""
    torch.manual_seed(1)
    network = create("ferline_net", AT_48, "none", OPTIONS)
    network.normalisation = ((0.4,), (0.3,))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.fill_(0.25)
    return TrainedModel.write(network, card, [], tmp_path / "before", fingerprints(["a" * 64, "b" * 64]))


def given(weights: str, **values: object) -> ArchitectureParams:
    settings = {"model": "ferline_net", "input": AT_48, "options": OPTIONS, **values}
    return ArchitectureParams(training=TrainingParams(epochs=1, batch_size=2), weights=weights, **settings)


def test_a_network_begins_with_the_weights_and_the_normalisation_of_the_model(before: TrainedModel) -> None:
    network = create("ferline_net", AT_48, str(before.folder), OPTIONS)
    theirs = before.network().state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in network.state_dict().items())
    assert network.normalisation == ((0.4,), (0.3,))
    assert network.weights == str(before.folder)


def test_with_other_emotions_the_rows_of_those_that_both_know_are_taken_over(before: TrainedModel) -> None:
    emotions = (*EMOTIONS[:-1], "contempt")  # CK+'s: contempt and no neutral
    torch.manual_seed(5)
    network = create("ferline_net", AT_48, str(before.folder), OPTIONS, emotions)
    theirs = before.network()
    assert torch.equal(network.head.weight[:6], theirs.head.weight[:6])
    assert not torch.equal(network.head.weight[6], theirs.head.weight[6])
    assert torch.equal(network.stem[0].weight, theirs.stem[0].weight)


def test_a_second_head_may_be_new(before: TrainedModel) -> None:
    network = create("ferline_net", AT_48, str(before.folder), OPTIONS | {"votes_head": True}, KNOWN)
    assert network.votes_head.weight.shape == (8, 16)
    assert network.votes_head.weight.abs().sum() > 0


def test_the_head_for_votes_is_taken_over_whole_whatever_the_emotions(card, tmp_path: Path) -> None:
    both = OPTIONS | {"votes_head": True}
    first = TrainedModel.write(create("ferline_net", AT_48, "none", both), card, [], tmp_path / "first")
    network = create("ferline_net", AT_48, str(first.folder), both, ("angry", "contempt", "happy"))
    assert torch.equal(network.votes_head.weight, first.network().votes_head.weight)


def test_faces_that_the_start_has_seen_are_no_test(before: TrainedModel, make_faces) -> None:
    from ferline.augment.policy import AugmentationPolicy
    from ferline.training.loop import train

    faces, architecture = make_faces(train=14, validation=7, test=7), given(str(before.folder))
    faces.table.at[faces.rows("test")[2], "sha256"] = "a" * 64
    policy = AugmentationPolicy.write(architecture.augmentation, faces, architecture.input, 0)
    with pytest.raises(FerlineError, match=r"before was trained or chosen on 1 of the 14 validation and test images"):
        train("mine", architecture, faces, policy, card=dict(faces.origin))


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_faces_that_the_start_has_seen_in_another_file_are_no_test(
    share: float, card, make_faces, tmp_path: Path
) -> None:
    """Half of them; a photograph in a hundred that stands in two sets says nothing."""
    faces = make_faces(train=14, validation=60, test=40)
    held_out = np.concatenate([faces.rows("validation"), faces.rows("test")])
    looked = looks(faces.images[row] for row in held_out[: round(share * len(held_out))])
    network = create("ferline_net", AT_48, "none", OPTIONS)
    model = TrainedModel.write(network, card, [], tmp_path / "elsewhere", looked=looked)
    before = Predecessors(model, ())
    if share > FEW:
        with pytest.raises(FerlineError, match=r"weights: elsewhere was trained or chosen on 50 of the 100 validation"):
            before.require_unseen(faces)
    else:
        before.require_unseen(faces)
    assert (before.looks == model.looks).all()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"model": "cnn_lstm", "options": {}}, r"is a ferline_net, and no cnn_lstm; write model: ferline_net"),
        ({"options": {"width": 16, "blocks": "1-1"}}, r"has other options; write options: \{width: 8\}"),
        ({"input": InputParams(48, 3)}, r"has another input; write input.channels: 1"),
    ],
)
def test_a_model_of_another_make_is_refused_before_anything_runs(before: TrainedModel, values: dict, told: str) -> None:
    with pytest.raises(FerlineError, match=rf"architectures.mine.weights: .*before {told}"):
        check("mine", given(str(before.folder), **values))
    check("mine", given(str(before.folder)))


def test_a_name_that_is_no_model_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(named, "SHIPPED", tmp_path)
    with pytest.raises(FerlineError, match=r"'imagenett' is not allowed; write none, imagenet, or a model's folder"):
        check("mine", given("imagenett"))
    (tmp_path / "ours.dvc").touch()
    with pytest.raises(FerlineError, match=r"a model that comes with Ferline \(ours\)"):
        check("mine", given("imagenett"))
    with pytest.raises(FerlineError, match=r"architectures.mine.weights: ours comes with Ferline and is not here yet"):
        check("mine", given("ours"))


def test_a_model_of_a_changed_file_is_refused(before: TrainedModel) -> None:
    weights = before.folder / "model.safetensors"
    weights.chmod(0o644)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(FerlineError, match=r"model\.safetensors"):
        create("ferline_net", AT_48, str(before.folder), OPTIONS)


def test_what_the_first_model_has_seen_the_second_has_too(before: TrainedModel, make_faces) -> None:
    from ferline.augment.policy import AugmentationPolicy
    from ferline.training.loop import train

    faces, architecture = make_faces(train=14, validation=7, test=7), given(str(before.folder))
    policy = AugmentationPolicy.write(architecture.augmentation, faces, architecture.input, 0)
    own = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    trained = train("mine", architecture, faces, policy, card=own)
    assert trained.has_seen(["a" * 64, "b" * 64, "c" * 64]).tolist() == [True, True, False]
    assert trained.has_seen(faces.table["sha256"]).sum() == 21
    assert trained.has_seen_alike(looks(faces.images)).sum() == 21
    assert trained.card["started_from"] == before.digest
    assert np.isfinite(trained.predict(faces.images[:3])).all()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("none", "none"),
        ("imagenet", "imagenet"),
        ("ferline_small", "ferline_small"),
        ("runs/first", "first"),
        ("runs/imagenet", "folder imagenet"),  # which would be read as ImageNet's weights
    ],
)
def test_a_card_has_a_models_name_and_not_where_it_lay(given: str, name: str) -> None:
    assert name_of(given) == name
    row = {"weights": given, "training": {"seed": 1, "teachers": [given]}}
    assert on_a_card(row) == {"weights": name, "training": {"seed": 1, "teachers": [name]}}


def test_a_model_from_a_folder_of_any_name_can_be_loaded(before: TrainedModel, make_faces, tmp_path: Path) -> None:
    from ferline.augment.policy import AugmentationPolicy
    from ferline.training.loop import train

    folder = before.folder.rename(tmp_path / "imagenet")
    faces, architecture = make_faces(train=14, validation=7, test=7), given(str(folder))
    policy = AugmentationPolicy.write(architecture.augmentation, faces, architecture.input, 0)
    own = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    trained = train("mine", architecture, faces, policy, card=own)
    assert trained.card["weights"] == "folder imagenet"
    assert trained.network() is not None
