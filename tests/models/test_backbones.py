"""ImageNet's weights: fetched, found on disk, damaged, or out of reach. The tests publish files of their own."""

import hashlib
import time
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet34

from ferline.errors import FerlineError
from ferline.models import backbones
from ferline.models.backbones import Trunk, load_imagenet
from ferline.models.registry import create
from ferline.params import InputParams


@pytest.fixture
def checkpoints(tmp_path, monkeypatch) -> Path:
    """torch.hub's folder, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch_home"))
    return tmp_path / "torch_home/hub/checkpoints"


def published_at(monkeypatch, address: str) -> None:
    """Every network's weights are looked for there."""
    monkeypatch.setattr(backbones, "published", lambda architecture: address)


@pytest.fixture
def published(tmp_path, monkeypatch) -> Path:
    """A whole ResNet34 in the form of torchvision's own files, at an address that the library looks it up at."""
    torch.manual_seed(7)
    plain = tmp_path / "plain.pth"
    torch.save(resnet34(weights=None).state_dict(), plain)
    file = tmp_path / f"resnet34-{hashlib.sha256(plain.read_bytes()).hexdigest()[:8]}.pth"
    plain.rename(file)
    published_at(monkeypatch, file.as_uri())
    return file


def test_weights_are_fetched_and_loaded(published, checkpoints):
    trunk = Trunk("resnet34", 3)
    load_imagenet(trunk, "resnet34")
    expected = torch.load(published, weights_only=True)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in trunk.state_dict().items())
    assert len(trunk.state_dict()) == len(expected) - 2  # all but the classifier's weight and bias
    assert (checkpoints / published.name).is_file()


def test_weights_put_into_the_folder_need_no_network(published, checkpoints, monkeypatch):
    published_at(monkeypatch, f"http://127.0.0.1:9/{published.name}")
    checkpoints.mkdir(parents=True)
    published.rename(checkpoints / published.name)
    load_imagenet(Trunk("resnet34", 3), "resnet34")


@pytest.mark.parametrize("model", ["resnet50_gru", "resnet50_resnet34", "resnet50_transfer"])
def test_without_a_network_the_error_says_what_to_do(model, checkpoints, monkeypatch):
    file = backbones.published("resnet50").rsplit("/", 1)[-1]
    published_at(monkeypatch, f"http://127.0.0.1:9/{file}")  # nothing listens there
    started = time.monotonic()
    with pytest.raises(FerlineError) as caught:
        create(model, InputParams(48, 3), "imagenet", {})
    message = str(caught.value)
    assert time.monotonic() - started < 15
    assert message.startswith("resnet50-0676ba61.pth: ")
    assert "Connection refused" in message
    assert "Put the file into that folder (TORCH_HOME moves it), or write weights: none" in message
    assert str(checkpoints) in message
    assert list(checkpoints.iterdir()) == []


def test_a_damaged_file_on_disk_is_refused(published, checkpoints):
    checkpoints.mkdir(parents=True)
    damaged = bytearray(published.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (checkpoints / published.name).write_bytes(damaged)
    with pytest.raises(FerlineError, match=r"resnet34-.*\.pth: corrupt .* Delete it and fetch it from file://"):
        load_imagenet(Trunk("resnet34", 3), "resnet34")


def test_a_damaged_download_is_refused_and_not_kept(published, checkpoints):
    published.write_bytes(published.read_bytes()[:-1])
    with pytest.raises(FerlineError, match=r"fetching file://.* failed \(invalid hash value"):
        load_imagenet(Trunk("resnet34", 3), "resnet34")
    assert list(checkpoints.iterdir()) == []


def test_weights_of_another_network_are_refused(published, checkpoints, monkeypatch):
    published_at(monkeypatch, published.as_uri())
    with pytest.raises(FerlineError, match=r"holds no resnet50 weights .* Delete it and try again"):
        load_imagenet(Trunk("resnet50", 3), "resnet50")


def test_a_hub_folder_that_cannot_be_made_is_reported(tmp_path, published, monkeypatch):
    (tmp_path / "a_file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "a_file"))
    with pytest.raises(FerlineError, match=r"Not a directory.*Put the file into that folder"):
        load_imagenet(Trunk("resnet34", 3), "resnet34")
