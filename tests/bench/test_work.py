"""The operations of a training step against counts by hand."""

import pytest
import torch
from architectures import MODELS, small
from torch.utils.flop_counter import FlopCounterMode

from ferline.bench.work import FORMULAS, _on_meta, kernels, optimiser_bytes_a_weight, step, work
from ferline.models import products
from ferline.models.registry import build
from ferline.params import ArchitectureParams, TrainingParams

N, WIDTH, UNITS, CLASSES = 5, 8, 16, 7


def lstm_backward_and_forward(steps: int, inputs: int, units: int, gates: int) -> int:
    """FLOPs of an image: each product once forward and twice backward, but none to the zeros before the first step."""
    return 2 * (3 * steps * gates * units * (inputs + units) - gates * units * units)


def counted_by_torch(architecture: ArchitectureParams, batch: int) -> int:
    """The FLOPs of the same step by torch's own counter."""
    network, images, labels = _on_meta(architecture, batch, torch.float32)
    with FlopCounterMode(display=False, custom_mapping=FORMULAS) as counter:
        step(network, images, labels, architecture.training)
    return int(counter.get_total_flops())


def test_cnn_lstm_against_a_count_by_hand():
    """48 x 48 x 1 through three convolutions, each halved after it; six rows of 6 x 32 into an LSTM."""
    first = 48 * 48 * 9 * 1 * WIDTH
    others = 24 * 24 * 9 * WIDTH * 2 * WIDTH + 12 * 12 * 9 * 2 * WIDTH * 4 * WIDTH
    convolutions = 2 * (2 * first + 3 * others)  # nobody needs the gradient of the image
    lstm = lstm_backward_and_forward(6, 6 * 4 * WIDTH, UNITS, gates=4)
    head = 2 * 3 * UNITS * CLASSES
    assert work(small(), N).flops == N * (convolutions + lstm + head)


def test_a_gru_against_a_count_by_hand():
    """What resnet50_gru has beside its trunk: two dense layers, a GRU over 2 x 2 places, a classifier of 512."""
    trunk_alone = work(small("resnet50_transfer", channels=3), N).flops - N * 2 * 3 * (2048 * 128 + 128 * CLASSES)
    gru = lstm_backward_and_forward(4, 2048, 128, gates=3)
    dense = 2 * 3 * (2048 * 256 + 128 * 256 + 512 * CLASSES)
    assert work(small("resnet50_gru", channels=3), N).flops - trunk_alone == N * (gru + dense)


def test_resnet50_at_224_is_three_times_the_published_forward():
    """torchvision publishes 4.09 G multiply-adds, 2 M of them in the classifier that is not here."""
    conv1 = 112 * 112 * 49 * 3 * 64
    expected = 2 * (3 * (4.089e9 - 2048 * 1000) - conv1)
    found = work(small("resnet50_transfer", side=224, channels=3), 1).flops
    assert found == pytest.approx(expected, rel=1e-3)


def test_frozen_layers_cost_their_forward_only():
    whole = work(small("resnet50_transfer", channels=3, weights="imagenet"), N)
    frozen = work(small("resnet50_transfer", channels=3, weights="imagenet", options={"frozen_layers": 40}), N)
    assert whole.flops / 3 < frozen.flops < 0.6 * whole.flops
    assert frozen.optimiser_bytes < 0.7 * whole.optimiser_bytes  # layer4 holds 15 of 24 million weights


@pytest.mark.parametrize("model", MODELS)
def test_every_model_against_torchs_own_counter(model):
    architecture = small(model, channels=3)
    assert work(architecture, N).flops == counted_by_torch(architecture, N) > 0


def test_grid_sample_is_counted_by_formula_and_not_by_torch():
    """8 x 8 points of 3 channels: 14 FLOPs a point and 7 a channel, twice as many backward."""
    image, grid = torch.rand(N, 3, 6, 6, requires_grad=True), torch.rand(N, 8, 8, 2, requires_grad=True)

    def counted(formulas: dict) -> int:
        with FlopCounterMode(display=False, custom_mapping=formulas) as counter:
            torch.nn.functional.grid_sample(image, grid, align_corners=False).sum().backward()
        return counter.get_total_flops()

    assert counted({}) == 0
    assert counted(FORMULAS) == 3 * N * 64 * (14 + 7 * 3)


def test_the_transformers_sampling_is_in_the_count():
    sampled = [each for each in work(small("cnn_lstm_svm"), N).operations if "grid_sampler" in each.name]
    assert [each.flops for each in sampled] == [N * 48 * 48 * 21, 2 * N * 48 * 48 * 21]


@pytest.mark.parametrize(("precision", "size"), [("bfloat16", 2), ("float32", 4)])
def test_bytes_of_the_first_convolution_by_hand(precision, size):
    """Forward: image, weights and bias in, map out. Backward: map's gradient, image and weights in, theirs out."""
    counted = work(small(), N, precision)
    image, feature_map, weights = N * 48 * 48, N * 48 * 48 * WIDTH, 9 * WIDTH
    forward, backward = counted.products[0], counted.products[-1]
    assert (forward.name, backward.name) == ("aten.convolution", "aten.convolution_backward")
    assert forward.bytes == size * (image + weights + WIDTH + feature_map)
    assert backward.bytes == size * (feature_map + image + weights + weights + WIDTH)
    assert (forward.kernels, backward.kernels) == (1, 1)


def test_the_least_is_less_than_what_eager_moves_and_launches():
    for model in MODELS:
        counted = work(small(model, channels=3), N)
        assert counted.least_bytes < counted.eager_bytes
        assert counted.least_kernels < counted.eager_kernels


def test_an_lstm_is_one_kernel_each_way_whatever_its_length():
    short, long = (work(small(side=side), N) for side in (24, 96))
    assert sum(each.recurrent for each in short.operations) < sum(each.recurrent for each in long.operations)
    assert short.eager_kernels == long.eager_kernels
    # convolution, ReLU, pooling of three blocks, and the loss alone are more
    assert 15 < short.eager_kernels < 60


@pytest.mark.parametrize(
    ("optimiser", "momentum", "expected"),
    [("adam", 0.9, 24), ("sgd", 0.9, 16), ("sgd", 0.0, 8), ("rmsprop", 0.0, 16), ("rmsprop", 0.9, 24)],
)
def test_an_optimisers_bytes_a_weight(optimiser, momentum, expected):
    """Weight and state at 4 bytes, in and out; the gradient comes in, and a half-precision weight goes out, on top."""
    params = TrainingParams(1, 1, optimiser, momentum=momentum)
    assert optimiser_bytes_a_weight(params, 4) == expected + 4
    assert optimiser_bytes_a_weight(params, 2) == expected + 2 + 2


def test_the_state_counted_is_the_state_that_torch_keeps():
    for name, kind in {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}.items():
        weight = torch.nn.Parameter(torch.ones(1000))
        weight.grad = torch.ones(1000)
        optimiser = kind([weight], momentum=0.9) if name == "sgd" else kind([weight])
        optimiser.step()
        kept = sum(each.numel() for each in optimiser.state[weight].values() if isinstance(each, torch.Tensor))
        params = TrainingParams(1, 1, name, momentum=0.9 if name == "sgd" else 0.0)
        assert optimiser_bytes_a_weight(params, 4) == 4 + 8 * (1 + kept // 1000)


def test_operations_that_run_are_counted_and_views_are_not():
    a = torch.rand(4, 4)
    assert kernels(lambda: torch.relu((a + a).view(-1)[3:].unsqueeze(0)) * 2, torch.device("cpu")) == 3


@pytest.mark.parametrize("model", MODELS)
def test_a_real_steps_operations_are_nearly_those_counted(model, monkeypatch):
    """This CPU runs an LSTM as one operation or as many, as its torch has it; all else is the same, as long as
    convolutions are convolutions, as on a GPU: what a CPU lays out for a product are operations of its own.
    """
    monkeypatch.setattr(products, "FEW", 0)
    architecture = small(model, channels=3)
    network = build(model, architecture.input, "none", architecture.options).train()
    images, labels = torch.rand(N, 3, 48, 48), torch.zeros(N, dtype=torch.long)
    seen = kernels(lambda: step(network, images, labels, architecture.training), torch.device("cpu"))
    counted = work(architecture, N)
    inside = sum(each.kernels for each in counted.operations if each.recurrent)
    assert 0.9 * counted.eager_kernels < seen < 1.1 * (counted.eager_kernels + inside)
