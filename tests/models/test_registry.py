"""A row of `architectures` that cannot work is refused before anything runs, and the message says what to write."""

import pytest
import torch

from ferline.errors import FerlineError
from ferline.models.network import Network
from ferline.models.registry import check, create, register_model
from ferline.params import ArchitectureParams, InputParams, TrainingParams


def row(model: str, side: int = 48, channels: int = 3, weights: str = "none", **options) -> ArchitectureParams:
    return ArchitectureParams(model, InputParams(side, channels), TrainingParams(1, 1), weights, options)


@pytest.mark.parametrize(
    "good",
    [
        row("cnn_lstm", channels=1, width=16, dropout=0.2),
        row("cnn_lstm_svm", svm_kernel="rbf", svm_c=10),
        row("resnet50_gru", side=224, weights="imagenet", gru_units=128),
        row("resnet50_resnet34", side=24),
        row("resnet50_transfer", side=224, weights="imagenet"),
        row("resnet50_transfer", frozen_layers=0),
    ],
)
def test_a_good_row_passes_without_memory_or_network_or_random_draws(good, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    before = torch.get_rng_state()
    check("a_row", good)
    assert torch.equal(torch.get_rng_state(), before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            row("resnet51"),
            r"model: 'resnet51' is unknown; write one of cnn_lstm, cnn_lstm_svm, ferline_net, resnet50_gru",
        ),
        (row("cnn_lstm", weights="vggface"), r"weights: 'vggface' is not allowed; write none, imagenet, "),
        (row("cnn_lstm", weights="imagenet"), r"weights: imagenet has no counterpart for this model; write none"),
        (row("resnet50_gru", channels=1, weights="imagenet"), r"input.channels: 1 is not allowed .* write 3"),
        (row("resnet50_gru", gru_unit=64), r"options.gru_unit: .*its options are gru_units, dense_units"),
        (row("resnet50_resnet34", dropout=0.5), r"options.dropout: resnet50_resnet34 does not know .*it has none"),
        (row("resnet50_gru", gru_units="many"), r"options.gru_units: 'many' is not allowed; write a whole number"),
        (row("resnet50_gru", gru_units=64.5), r"options.gru_units: 64.5 is not allowed; write a whole number"),
        (row("resnet50_gru", gru_units=True), r"options.gru_units: True is not allowed; write a whole number"),
        (row("resnet50_gru", gru_units=0), r"options.gru_units: 0 is not allowed; write a whole number of at least 1"),
        (row("cnn_lstm", dropout=True), r"options.dropout: True is not allowed; write a number"),
        (row("cnn_lstm", dropout=1.0), r"options.dropout: 1.0 is not allowed; write a share from 0 to below 1"),
        (
            row("cnn_lstm_svm", svm_kernel="poly"),
            r"options.svm_kernel: 'poly' is not allowed; write one of linear, rbf",
        ),
        (row("cnn_lstm_svm", svm_c=-1), r"options.svm_c: -1.0 is not allowed; write a number above 0"),
        (row("cnn_lstm_svm", init_sd=0), r"options.init_sd: 0.0 is not allowed; write a number above 0"),
        (row("resnet50_transfer", frozen_layers=50), r"options.frozen_layers: 50 .* from 0 to 49"),
        (row("resnet50_transfer"), r"options.frozen_layers: 40 would freeze random layers"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.model,
)
def test_a_bad_row_is_refused_by_its_name(bad, message):
    with pytest.raises(FerlineError, match=r"^architectures\.a_row\." + message):
        check("a_row", bad)


def test_a_network_keeps_its_options_with_their_defaults_written_out():
    network = create("cnn_lstm", InputParams(48, 1), "none", {"width": 8, "dropout": 0})
    assert network.options == {"width": 8, "lstm_units": 128, "dropout": 0.0}
    assert isinstance(network.options["dropout"], float)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="two models are registered as 'cnn_lstm'"):
        register_model("cnn_lstm")(Network)
