"""ResNets without their classifier, and the weights that torchvision publishes for them.

IMAGENET1K_V1 for both: it is the recipe of the original ResNet papers, the only one that exists for ResNet34, and
features trained with V2's label smoothing transfer worse when layers stay frozen (Kornblith et al., NeurIPS 2021).

torchvision is imported where a ResNet is built: it brings torch's compiler along, for which no other model should wait.
"""

import socket
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from ferline.artifact import sha256_of
from ferline.errors import FerlineError
from ferline.models.products import with_products

FEATURES = {"resnet34": 512, "resnet50": 2048}
CONNECT_SECONDS = 20.0  # the default waits for the kernel, two minutes and more behind a silent firewall


class Trunk(nn.Sequential):
    """torchvision's ResNet from `conv1` to `layer4`, its names kept: [N,C,S,S] to a map [N,F,S/32,S/32]."""

    conv1: nn.Conv2d
    bn1: nn.BatchNorm2d

    def __init__(self, architecture: str, channels: int) -> None:
        from torchvision.models import get_model

        # Blocks start as the identity; without, ResNet50 trained from nothing stays at chance for the whole demo.
        resnet = get_model(architecture, weights=None, zero_init_residual=True)
        super().__init__(OrderedDict((n, m) for n, m in resnet.named_children() if n not in ("avgpool", "fc")))
        if channels != 3:
            self.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        with_products(self)


def pooled(feature_map: Tensor) -> Tensor:
    """Global average pooling: [N,F,h,w] to [N,F]."""
    return feature_map.mean(dim=(2, 3))


def load_imagenet(trunk: nn.Module, architecture: str) -> None:
    """Fill a trunk with the published weights, from torch.hub's folder or else from the network."""
    file = _fetched(published(architecture))
    try:
        # A published file is a torch pickle: its hash was compared, and weights_only reads nothing but tensors.
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        trunk.load_state_dict({key: tensor for key, tensor in state.items() if not key.startswith("fc.")})
    except Exception as error:  # torch raises half a dozen kinds for a file of another make
        raise FerlineError(
            f"{file}: holds no {architecture} weights ({_first_line(error)}). Delete it and try again"
        ) from error


def published(architecture: str) -> str:
    """Where torchvision has its weights."""
    from torchvision.models import get_model_weights

    return str(get_model_weights(architecture)["IMAGENET1K_V1"].url)


def _fetched(url: str) -> Path:
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    expected = file.stem.rsplit("-", 1)[-1]  # torchvision names a file after the first digits of its SHA-256
    if not file.is_file():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with _patience(CONNECT_SECONDS):
                torch.hub.download_url_to_file(url, str(file), expected, progress=False)
        except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: what arrived has another hash
            reason = error.reason if isinstance(error, URLError) else _first_line(error)
            raise FerlineError(
                f"{file.name}: these ImageNet weights are not in {file.parent}, and fetching {url} failed ({reason}). "
                f"Put the file into that folder (TORCH_HOME moves it), or write weights: none"
            ) from error
    # torch.hub compares hashes of what it downloads only, never of a file that was already there.
    if not (found := sha256_of(file)).startswith(expected):
        raise FerlineError(
            f"{file}: corrupt (SHA-256 {found[:12]}, expected {expected}...). Delete it and fetch it from {url}"
        )
    return file


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """torch.hub opens its connection without a timeout; this bounds every wait for an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
