"""What each paper fixes, looked for in the network that is built."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ferline.errors import FerlineError
from ferline.models.registry import build, create
from ferline.params import InputParams

AT_48, AT_224 = InputParams(48, 3), InputParams(224, 3)


def weighted_layers(module: nn.Module) -> list[nn.Module]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.RNNBase)]


def shape_only(model: str, input: InputParams, weights: str = "none", **options) -> nn.Module:
    """The network without memory, through which shapes alone flow."""
    with torch.device("meta"):
        return build(model, input, weights, options).eval()


# resnet50_gru


def test_the_gru_has_128_units_and_reads_49_steps_at_224():
    network = shape_only("resnet50_gru", AT_224)
    feature_map = network.trunk(torch.empty(2, 3, 224, 224, device="meta"))
    assert feature_map.shape == (2, 2048, 7, 7)
    assert network.sequence(feature_map).shape == (2, 49, 2048)
    assert (network.gru.input_size, network.gru.hidden_size) == (2048, 128)
    assert (network.gru_dense.in_features, network.gru_dense.out_features) == (128, 256)


def test_the_gru_reads_4_steps_at_48():
    network = shape_only("resnet50_gru", AT_48)
    assert network.sequence(network.trunk(torch.empty(1, 3, 48, 48, device="meta"))).shape == (1, 4, 2048)


def test_the_gru_reads_the_map_row_by_row():
    network = shape_only("resnet50_gru", AT_48)
    feature_map = torch.arange(8.0).view(1, 2, 2, 2)
    assert network.sequence(feature_map)[0].tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_both_branches_of_resnet50_gru_reach_the_classifier(fresh):
    network, batch = fresh("resnet50_gru"), torch.rand(2, 3, 48, 48)
    both = network.features(batch)
    nn.init.zeros_(network.dense.weight)
    nn.init.zeros_(network.dense.bias)
    gru_only = network.features(batch)
    assert both.shape == (2, 256 + 256)
    assert both[:, :256].any()
    assert not gru_only[:, :256].any()
    assert torch.equal(both[:, 256:], gru_only[:, 256:])
    assert gru_only[:, 256:].any()


# resnet50_resnet34


def test_the_hybrid_joins_2048_and_512_pooled_features():
    network = shape_only("resnet50_resnet34", AT_224)
    assert network.features(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 2048 + 512)
    assert network.head.in_features == 2560


# resnet50_transfer


def test_the_first_40_layers_are_frozen_and_the_last_10_train():
    network = shape_only("resnet50_transfer", AT_224, "imagenet")
    trunk = dict(network.trunk.named_parameters())
    frozen = {name for name, parameter in trunk.items() if not parameter.requires_grad}
    assert frozen == {name for name in trunk if not name.startswith("layer4")}
    kernels = [n for n in trunk if n.endswith("weight") and trunk[n].ndim == 4 and "downsample" not in n]
    assert sum(name in frozen for name in kernels) == 40
    assert sum(name not in frozen for name in kernels) + 1 == 10  # with the classifier, which the new top replaces
    assert all(parameter.requires_grad for parameter in [*network.dense.parameters(), *network.head.parameters()])


def test_frozen_layers_do_not_move_in_a_training_step(faces):
    torch.manual_seed(0)
    network = build("resnet50_transfer", AT_48, "imagenet", {"frozen_layers": 40}).train()
    for name, parameter in network.named_parameters():
        if name.endswith("bn3.weight"):  # 0 in a fresh block, which holds back the first step; ImageNet's are not
            torch.nn.init.ones_(parameter)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.Adam((p for p in network.parameters() if p.requires_grad), lr=1e-3, weight_decay=0.1)
    functional.cross_entropy(network(torch.rand(8, 3, 48, 48)), torch.arange(8) % 7).backward()
    optimiser.step()
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {name for name in before if name.startswith(("trunk.layer4", "dense", "head"))}


def test_no_frozen_layers_means_that_all_train(fresh):
    network = fresh("resnet50_transfer").train()
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(module.training for module in network.modules())


def test_freezing_random_layers_is_refused():
    with pytest.raises(FerlineError, match=r"frozen_layers: 40 would freeze random layers.*write frozen_layers: 0"):
        create("resnet50_transfer", AT_48, "none", {})


def test_l2_acts_on_the_dense_128_kernel_alone(fresh):
    (kernel,) = fresh("resnet50_transfer").regularised()
    assert kernel.shape == (128, 2048)


def test_the_new_top_is_dense_128_dropout_half_dense_7():
    network = shape_only("resnet50_transfer", AT_224, "imagenet")
    dropout, classifier = network.head
    assert network.dense.out_features == 128
    assert dropout.p == 0.5
    assert (classifier.in_features, classifier.out_features) == (128, 7)


# cnn_lstm


def test_three_blocks_halve_the_image_and_double_their_width():
    network = shape_only("cnn_lstm", InputParams(48, 1))
    assert [type(layer) for layer in network.blocks[0]] == [nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    x = torch.empty(1, 1, 48, 48, device="meta")
    shapes = []
    for block in network.blocks:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(32, 24, 24), (64, 12, 12), (128, 6, 6)]
    assert network.lstm.input_size == 6 * 128


def test_the_lstm_reads_the_rows_of_the_map():
    from ferline.models.cnn_lstm import rows

    feature_map = torch.arange(12.0).view(1, 2, 3, 2)  # two features of three rows
    assert rows(feature_map)[0].tolist() == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]


# cnn_lstm_svm


def test_the_spatial_transformer_starts_as_the_identity(fresh):
    transformer, batch = fresh("cnn_lstm_svm").transformer, torch.rand(3, 3, 48, 48)
    assert torch.allclose(transformer(batch), batch, atol=1e-5)


def test_the_spatial_transformer_samples_as_finely_in_bfloat16(fresh):
    transformer, batch = fresh("cnn_lstm_svm").transformer, torch.rand(3, 3, 48, 48)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(transformer(batch), batch, atol=1e-4)
    assert transformer.bfloat16()(batch.bfloat16()).dtype == torch.bfloat16


def test_the_spatial_transformer_crops_where_its_localisation_says(fresh):
    transformer = fresh("cnn_lstm_svm", channels=1).transformer
    with torch.no_grad():
        transformer.affine[-1].bias.copy_(torch.tensor([0.5, 0, -0.5, 0, 0.5, -0.5]))  # the upper left quarter
    image = torch.zeros(1, 1, 48, 48)
    image[:, :, :24, :24] = 1
    assert transformer(image)[:, :, :46, :46].min() == 1


def test_the_localisation_learns(fresh):
    network = fresh("cnn_lstm_svm").train()
    functional.cross_entropy(network(torch.rand(7, 3, 48, 48)), torch.arange(7)).backward()
    assert network.transformer.affine[-1].weight.grad.abs().max() > 0


def test_the_layers_of_cnn_lstm_svm_are_the_papers():
    network = shape_only("cnn_lstm_svm", InputParams(48, 1))
    kinds = [type(layer) for layer in network.convolutions]
    group = [nn.Conv2d] * 3 + [nn.MaxPool2d, nn.ReLU]
    assert kinds == [*group, *group, nn.Dropout]
    assert [type(layer) for layer in network.transformer.localisation] == [nn.Conv2d, nn.MaxPool2d, nn.ReLU] * 3 + [
        nn.Flatten
    ]
    assert len(weighted_layers(network.transformer.affine)) == 3


def test_initial_weights_are_gaussian_of_the_given_sd():
    torch.manual_seed(0)
    network = create("cnn_lstm_svm", InputParams(48, 1), "none", {"init_sd": 0.0065})
    for kernel in (network.convolutions[2].weight, network.dense.weight, network.lstm.weight_ih_l0):
        assert kernel.std().item() == pytest.approx(0.0065, rel=0.05)
        assert abs(kernel.mean().item()) < 0.0065 / 10
    assert not network.lstm.bias_hh_l0.any()


def test_after_fit_head_the_logits_are_the_svms(fresh, faces):
    network = fresh("cnn_lstm_svm")
    batch = torch.rand(70, 3, 48, 48)
    labels = np.arange(70) % 7
    with torch.inference_mode():
        features, softmax_head = network.features(batch), network(batch)
        network.fit_head(features.numpy(), labels, seed=0)
        logits = network(batch)
    assert not torch.equal(logits, softmax_head)
    assert torch.equal(logits, network.svm(features))


# all


@pytest.mark.parametrize("model", ["cnn_lstm", "cnn_lstm_svm", "resnet50_gru", "resnet50_resnet34"])
def test_l2_acts_on_every_kernel_and_matrix_once_and_on_nothing_else(model):
    network = shape_only(model, AT_48)
    penalised = [id(parameter) for parameter in network.regularised()]
    matrices = [id(parameter) for parameter in network.parameters() if parameter.ndim > 1]
    assert sorted(penalised) == sorted(matrices)
