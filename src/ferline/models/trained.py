"""TrainedModel: weights and everything needed to use them, in safetensors and JSON."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ferline.artifact import Artifact, staging, write_json
from ferline.emotions import KNOWN, in_order
from ferline.errors import FerlineError
from ferline.faces import look
from ferline.models.network import Network, to_input
from ferline.models.registry import build
from ferline.models.temperature import probabilities
from ferline.params import InputParams

FORMAT = 1
WEIGHTS, CARD, HISTORY = "model.safetensors", "model.json", "history.json"
SEEN, LOOKS = "seen.npy", "looks.npy"
LABEL, VOTES = "label", "votes"  # the heads: a set's own label, and what people would say
BATCH = 64  # of 256 faces a CPU's caches hold less: 0.6 of the speed on the small networks, 0.9 on the ResNets

# What training knows and a network does not. `architecture` is the row in params.yaml; `preprocessing` is how the faces
# were made, for whoever cuts out the next one; the digests say from which data and under which augmentation.
CARD_KEYS = ("architecture", "preprocessing", "data_digest", "augmentation_digest", "training", "seed", "best_epoch")


class TrainedModel(Artifact):
    """`model.safetensors` (parameters, statistics, SVM), `model.json` (the card), `history.json` (its epochs).

    `seen.npy` is what it must not be tested on: 64 bits of the SHA-256 of every image it was trained or chosen on;
    `looks.npy` what those faces look like, by which they are known again in another file.
    A model of two heads (`tells_votes`) answers by the first one, and `voted()` is the same model by the second.
    """

    def __init__(self, folder: Path | str, by_votes: bool = False) -> None:
        super().__init__(folder)
        self._by_votes = by_votes
        self._loaded: dict[str, Network] = {}

    @classmethod
    def write(
        cls,
        network: Network,
        card: dict[str, Any],
        history: list[dict[str, Any]],
        target: Path | None = None,
        seen: np.ndarray | None = None,
        looked: np.ndarray | None = None,
    ) -> "TrainedModel":
        """Seal a network with its card (CARD_KEYS, and whatever else is JSON). Equal content gives equal bytes.

        `seen`: `fingerprints` of the images it was trained or chosen on; `looked`: the `looks` of their faces.
        """
        own = card_of(network)
        if missing := [key for key in CARD_KEYS if key not in card]:
            raise ValueError(f"the card lacks {', '.join(missing)}")
        if taken := sorted(own.keys() & card.keys()):
            raise ValueError(f"the card must leave {', '.join(taken)} to the network")
        with staging(target) as folder:
            # By way of bytes: an error of safetensors' own file writer would not be the OSError that `staging` reports.
            (folder / WEIGHTS).write_bytes(safetensors.torch.save(_tensors(network)))
            write_json(folder / CARD, own | card)
            write_json(folder / HISTORY, history)
            np.save(folder / SEEN, np.unique(seen if seen is not None else fingerprints([])), allow_pickle=False)
            np.save(folder / LOOKS, np.unique(look.none() if looked is None else looked, axis=0), allow_pickle=False)
        return cls(target or folder)

    @property
    def card(self) -> dict[str, Any]:
        try:
            return dict(self.read_json(CARD))
        except (OSError, ValueError) as error:
            raise FerlineError(f"{self.folder / CARD}: no readable card ({error})") from error

    @property
    def emotions(self) -> tuple[str, ...]:
        """What the columns of its probabilities stand for."""
        return KNOWN if self._by_votes else tuple(self.card["emotions"])

    @property
    def tells_votes(self) -> bool:
        """Whether it has learnt what people would say, beside the labels of its set."""
        return "votes_temperature" in self.card

    @property
    def head(self) -> str:
        """Which of its heads answers."""
        return VOTES if self._by_votes else LABEL

    def voted(self) -> "TrainedModel":
        """The same model, answering what share of people would say what."""
        if not self.tells_votes:
            raise FerlineError(f"{self.folder}: this model has no head for votes; it tells its set's own labels only")
        return TrainedModel(self.folder, by_votes=True)

    @property
    def history(self) -> list[dict[str, Any]]:
        return list(self.read_json(HISTORY))

    def network(self, device: str | torch.device = "cpu") -> Network:
        """The network as it was sealed, checked byte by byte, ready to predict."""
        self.verify()
        card = self._checked_card()
        try:
            input_ = InputParams(**card["input"])
            network = build(card["model"], input_, card["weights"], card["options"], card["emotions"])
            network.load_state_dict(safetensors.torch.load_file(self.folder / WEIGHTS))
            network.normalisation = (tuple(card["normalisation"]["mean"]), tuple(card["normalisation"]["std"]))
        except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError, FerlineError) as error:
            reason = " ".join(str(error).split())  # torch lists what does not fit over many lines
            raise FerlineError(
                f"{self.folder}: {CARD} and {WEIGHTS} make no network: {reason}. Train it again"
            ) from error
        return network.to(device).eval()

    def predict(self, images: np.ndarray, batch_size: int = BATCH, device: str | torch.device = "cpu") -> np.ndarray:
        """Calibrated probabilities float64[N, emotions] of faces uint8[N,H,W,C] of its own size; none is resized."""
        return probabilities(self.logits(images, batch_size, device), self.temperature)

    def logits(self, images: np.ndarray, batch_size: int = BATCH, device: str | torch.device = "cpu") -> np.ndarray:
        """What the network says before any calibration, float64[N, emotions]."""
        network = self.loaded(device)
        return logits(network, images, batch_size, network.as_voted if self._by_votes else network)

    def loaded(self, device: str | torch.device = "cpu") -> Network:
        """Its network, read and checked once for each device."""
        if str(device) not in self._loaded:
            self._loaded[str(device)] = self.network(device)
        return self._loaded[str(device)]

    @property
    def temperature(self) -> float:
        """Its logits are divided by it; 1 where none was fitted."""
        return float(self.card.get("votes_temperature" if self._by_votes else "temperature", 1.0))

    def summary(self) -> dict[str, Any]:
        card = self.card
        side, channels = card["input"]["side"], card["input"]["channels"]
        known = {key: card[key] for key in ("architecture", "model", "weights", "parameters", "best_epoch", "seed")}
        return known | {"input": f"{side}x{side}x{channels}", "epochs": len(self.history)}

    def has_seen(self, sha256: Iterable[str]) -> np.ndarray:
        """For each of these images, whether the model was trained or chosen on it."""
        return np.isin(fingerprints(sha256), self.seen)

    @property
    def seen(self) -> np.ndarray:
        """uint64: the fingerprints of all that it was trained or chosen on."""
        return np.load(self.folder / SEEN, allow_pickle=False) if (self.folder / SEEN).exists() else fingerprints([])

    def has_seen_alike(self, looks: np.ndarray) -> np.ndarray:
        """For each of these faces, whether it looks as one does that the model was trained or chosen on."""
        return look.alike(looks, self.looks)

    @property
    def looks(self) -> np.ndarray:
        """uint64[N,4]: of all that it was trained or chosen on; of a model sealed before there were any, none."""
        return np.load(self.folder / LOOKS, allow_pickle=False) if (self.folder / LOOKS).exists() else look.none()

    def _checked_card(self) -> dict[str, Any]:
        card = self.card
        if (found := card.get("format")) != FORMAT:
            raise FerlineError(
                f"{self.folder / CARD}: format {found!r}, and this version reads {FORMAT}. Train it again"
            )
        found = card.get("emotions")
        if not isinstance(found, list) or len(found) < 2 or found != list(in_order(found)):
            raise FerlineError(f"{self.folder / CARD}: emotions {found!r}, and the order here is {', '.join(KNOWN)}")
        return card


def fingerprints(sha256: Iterable[str]) -> np.ndarray:
    """uint64[N]: of a million images two share one with a chance of 1 in 37 million."""
    return np.array([int(digest[:16], 16) for digest in sha256], np.uint64)


@torch.inference_mode()
def logits(
    network: Network,
    images: np.ndarray,
    batch_size: int = BATCH,
    answer: Callable[[Tensor], Tensor] | None = None,
) -> np.ndarray:
    """A network's logits, float64[N, emotions], for faces uint8[N,H,W,C] of its own size; `answer`: by which head."""
    side, channels = network.input.side, network.input.channels
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, channels):
        wanted, found = f"uint8[N,{side},{side},{channels}]", f"{images.dtype}{list(images.shape)}"
        raise FerlineError(f"the model takes faces as {wanted}, and was given {found}. Crop and resize them first")
    network.eval()
    device = next(network.parameters()).device
    parts = [np.empty((0, len(network.emotions)))] if not len(images) else []
    for start in range(0, len(images), batch_size):
        batch = np.array(images[start : start + batch_size])  # a copy: it may be a part of a read-only memory map
        given = (answer or network)(to_input(torch.from_numpy(batch).to(device), *network.normalisation))
        parts.append(given.double().cpu().numpy())
    return np.concatenate(parts)


def card_of(network: Network) -> dict[str, Any]:
    """What of a card the network knows itself."""
    mean, std = network.normalisation
    return {
        "format": FORMAT,
        "model": network.model,
        "input": {"side": network.input.side, "channels": network.input.channels},
        "weights": network.weights,
        "options": network.options,
        "emotions": list(network.emotions),
        "normalisation": {"mean": list(mean), "std": list(std)},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "torch": torch.__version__,
    }


def _tensors(network: Network) -> dict[str, Tensor]:
    """The state as safetensors takes it: on the CPU, contiguous, no two tensors sharing memory."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
