"""The bound follows from the ceilings, and a real step stands above it."""

import time
from dataclasses import replace

import pytest
import torch
from architectures import MODELS, small

from ferline.bench import ceiling
from ferline.bench.ceiling import Peak, peak
from ferline.bench.floor import floor, utilisation
from ferline.bench.work import step, work
from ferline.errors import FerlineError
from ferline.models.registry import build

CPU = torch.device("cpu")
NO_LIMIT = Peak("none", "float32", flops=1e30, bandwidth=1e30, launch=0.0, graph_launch=0.0)


@pytest.fixture
def small_ceilings(monkeypatch) -> None:
    monkeypatch.setattr(ceiling, "SIDES", {"cpu": (256, 512)})
    monkeypatch.setattr(ceiling, "COPIED", {"cpu": 1 << 24})


def test_compute_alone_memory_alone_and_launches_alone():
    counted = work(small(), 32, "float32")
    compute = floor(counted, replace(NO_LIMIT, flops=1e12))
    assert (compute.bound, compute.seconds) == ("compute", pytest.approx(counted.flops / 1e12))
    memory = floor(counted, replace(NO_LIMIT, bandwidth=1e9))
    assert (memory.bound, memory.seconds) == ("memory", pytest.approx(counted.least_bytes / 1e9))
    assert memory.eager == pytest.approx(counted.eager_bytes / 1e9)
    launches = floor(counted, replace(NO_LIMIT, launch=5e-6, graph_launch=1e-6))
    assert (launches.bound, launches.seconds) == ("launches", pytest.approx(counted.least_kernels * 1e-6))
    assert (launches.in_graph, launches.eager) == tuple(
        pytest.approx(counted.eager_kernels * each) for each in (1e-6, 5e-6)
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_bounds_stand_in_order(model):
    counted = work(small(model, channels=3), 32)
    found = floor(counted, Peak("some GPU", "bfloat16", 800e12, 4e12, 5e-6, 1e-6))
    assert max(found.compute, found.memory) <= found.products * (1 + 1e-9)
    assert found.products <= found.compute + found.memory
    assert found.seconds <= found.in_graph <= found.eager
    assert found.images_per_second == pytest.approx(32 / found.seconds)


def test_twice_the_images_take_less_than_twice_the_floor():
    """Weights and optimiser move once, however many images there are."""
    given = replace(NO_LIMIT, flops=800e12, bandwidth=4e12)
    one, two = (floor(work(small("resnet50_gru", channels=3), n), given).seconds for n in (32, 64))
    assert one < two < 1.9 * one


@pytest.mark.usefixtures("small_ceilings")
def test_a_real_step_stands_above_the_floor_of_this_machine():
    """Roughly: other work on the machine disturbs step and ceiling, and a wrong unit misses by a thousand."""
    architecture = small(options={"width": 32, "lstm_units": 32})
    counted, before = work(architecture, 64, "float32"), peak(CPU, "float32")
    network = build("cnn_lstm", architecture.input, "none", architecture.options).train()
    images, labels = torch.rand(64, 1, 48, 48), torch.zeros(64, dtype=torch.long)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        step(network, images, labels, architecture.training)
        times.append(time.perf_counter() - start)
    after = peak(CPU, "float32")
    best = replace(after, flops=max(before.flops, after.flops), bandwidth=max(before.bandwidth, after.bandwidth))
    assert min(times) > 0.5 * floor(counted, best).seconds
    assert 0.01 < utilisation(counted, min(times), best) < 2


@pytest.mark.usefixtures("small_ceilings")
def test_the_ceilings_of_this_machine_are_measured():
    single, half = peak(CPU, "float32"), peak(CPU, "bfloat16")
    assert single.precision == "float32"
    assert "CPU" in single.device
    assert 1e9 < single.flops < 1e13
    assert half.flops > 1e8  # a CPU without bfloat16 products is slow, not broken
    assert 1e8 < single.bandwidth < 1e12
    assert 1e-8 < single.launch == single.graph_launch < 1e-3


@pytest.mark.usefixtures("small_ceilings")
def test_the_matrix_ceiling_is_what_a_product_takes_by_the_clock():
    a = torch.randn(512, 512)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    by_hand = 2 * 512**3 / min(times)
    assert by_hand / 3 < peak(CPU, "float32").flops < 3 * by_hand


def test_a_precision_or_a_device_that_is_not_known_is_refused():
    with pytest.raises(FerlineError, match="precision: 'int4' is not allowed; write one of float32, bfloat16, float16"):
        peak(CPU, "int4")
    with pytest.raises(FerlineError, match="device: 'meta' cannot be measured; write cpu or cuda"):
        peak(torch.device("meta"), "float32")
