"""The comparison that `ferline bench` prints: real steps of ours, of a fixed batch and of the plain loop."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from architectures import small
from click.testing import CliRunner

from ferline.bench import ours
from ferline.bench.ceiling import Peak
from ferline.bench.compare import HEAD, as_json, compare, table
from ferline.bench.faces import noise
from ferline.cli import main
from ferline.params import AugmentationParams, ComputeParams

CPU = torch.device("cpu")
PEAK = Peak("a CPU that is assumed", "float32", 1e11, 1e10, 1e-6, 1e-6)


def test_a_comparison_holds_together(tmp_path: Path) -> None:
    architecture = small()
    row = compare("small", architecture, noise(tmp_path / "faces", 64, 48, 1), PEAK, seconds=0.2, rounds=1)
    assert row.images_per_second > 0
    assert row.of_fixed == pytest.approx(row.images_per_second / row.fixed_images_per_second)
    assert row.of_plain == pytest.approx(row.images_per_second / row.plain_images_per_second)
    assert row.outside == pytest.approx(max(0, 1 - row.of_fixed))
    assert row.workers in (0, 1, 2)
    lines = table([row]).splitlines()
    assert len(lines) == 3
    assert all(line.count("|") == len(HEAD) + 1 for line in lines)
    assert json.loads(json.dumps(as_json([row], {"float32": PEAK})))["rows"][0]["name"] == "small"


def test_steps_with_faces_are_training_steps_and_go_on_over_epochs(tmp_path: Path) -> None:
    architecture = replace(small(), augmentation=AugmentationParams(rotation=10))
    size = architecture.training.batch_size
    faces = noise(tmp_path / "faces", 2 * size + 3, 48, 1)
    engine = ours.made(faces, architecture, ComputeParams())
    before = [parameter.clone() for parameter in engine.network.parameters()]
    step = ours.with_faces(engine)
    assert [step() for _ in range(4)] == [size, size, 3, size]
    assert not any(torch.equal(*pair) for pair in zip(before, engine.network.parameters(), strict=True))


def test_a_fixed_batch_is_trained_on_too(tmp_path: Path) -> None:
    engine = ours.made(noise(tmp_path / "faces", 40, 48, 1), small(), ComputeParams())
    before = [parameter.clone() for parameter in engine.network.parameters()]
    assert ours.on_one_batch(engine)() == small().training.batch_size
    assert not any(torch.equal(*pair) for pair in zip(before, engine.network.parameters(), strict=True))


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    typed = "bench --architecture cnn_lstm --batch 8 --faces 32 --seconds 0.1 --rounds 1 --no-plain --json"
    done = CliRunner().invoke(main, [*typed.split(), str(file)])
    assert done.exit_code == 0, done.output
    assert "| `cnn_lstm` | 48 | 8 |" in done.output
    (row,) = json.loads(file.read_text())["rows"]
    assert (row["name"], row["batch"], row["plain_images_per_second"]) == ("cnn_lstm", 8, None)


def test_an_architecture_that_is_not_there_is_said() -> None:
    done = CliRunner().invoke(main, ["bench", "--architecture", "resnet51"])
    assert done.exit_code == 1
    assert "resnet51: not in params.yaml; known: resnet50_gru" in done.output
