"""What is measured of every image: how it looks, whether it has a face, and what the model makes of that face.

Images go the way that they go in serving: decoded, the face found, levelled and cut out as the model's card says.
Brightness, contrast, sharpness and colour are those of the crop: a change that does not reach the network does no harm.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch

from ferline.datasets.audit.descriptor import describe
from ferline.datasets.audit.picture import SIDE
from ferline.drift.batches import Batch
from ferline.errors import FerlineError
from ferline.faces.cropper import Crop, FaceCropper
from ferline.faces.resize import resized
from ferline.images.decode import UnreadableImage, decode
from ferline.images.parallel import in_order
from ferline.models.network import Network, to_input
from ferline.models.temperature import probabilities
from ferline.models.trained import TrainedModel
from ferline.params import FaceParams, InputParams
from ferline.serving.predictor import Predictor

TASK = 16  # images a task, as where a set is cropped
FORWARD = 256  # faces a pass of the network
KEPT = ["id", "subject", "sha256"]


@dataclass(frozen=True)
class Measured:
    """One side: a row for every image that could be read, and its features in the same order."""

    batch: Batch
    table: pd.DataFrame  # id, subject, sha256, what `_looks` gives; with a model also predicted and confidence
    features: np.ndarray  # float32[N,D]
    unreadable: pd.DataFrame  # id, reason


class _Seen(NamedTuple):
    """One image: its row, and its face at the network's size; or why it cannot be read."""

    row: dict[str, Any]
    face: np.ndarray | None = None
    reason: str | None = None


class Gauge:
    """A model and its preprocessing; without its answers the audit's descriptor stands in for its features."""

    def __init__(self, model: TrainedModel | None, faces: FaceParams, answers: bool = True) -> None:
        """`faces`: how faces are cut out where no model says it."""
        self.model, self.faces = model, faces
        self.input = InputParams(SIDE, 1)
        self.network: Network | None = None
        if model is not None and answers:
            self.input = _predictor(model, False).input
            self.network = model.network("cuda" if torch.cuda.is_available() else "cpu")

    def cropper(self, cropped: bool) -> FaceCropper:
        """The one that serving would use; `cropped`: the images are faces already."""
        return _predictor(self.model, cropped).cropper if self.model else FaceCropper(self.faces, cropped)

    def read(self, faces: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Features float32[N,D] of faces uint8[N,S,S,C], and with a model its answers."""
        if self.network is None or self.model is None:
            return describe(faces[:, :, :, 0]), {}
        features, logits = _both(self.network, faces)
        if not (np.isfinite(logits).all() and np.isfinite(features).all()):
            raise FerlineError(f"{self.model.folder}: its answers are no numbers. Train it again")
        shares = probabilities(logits, self.model.temperature)
        names = np.array(self.model.emotions)
        return features, {"predicted": names[shares.argmax(1)], "confidence": shares.max(1)}


def measure(batch: Batch, gauge: Gauge, cropped: bool, workers: int = 0) -> Measured:
    """Every image of the batch, on all cores (or `workers`); what cannot be read is listed with its reason."""
    known: list[Any] = []
    seen: list[_Seen] = []
    faces: list[np.ndarray] = []
    parts: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
    for row, each in _seen(batch, gauge, cropped, workers):
        known.append(row)
        seen.append(each._replace(face=None))  # 2,000 faces of 224 x 224 in colour would be 300 MB
        if each.face is not None:
            faces.append(each.face)
        if len(faces) == FORWARD:
            parts.append(gauge.read(np.stack(faces)))
            faces.clear()
    if faces:
        parts.append(gauge.read(np.stack(faces)))
    table = batch.table.loc[known].reset_index(drop=True)
    readable = np.array([each.reason is None for each in seen])
    unreadable = table.loc[~readable, ["id"]].assign(reason=[each.reason for each in seen if each.reason])
    if not readable.any():
        first = unreadable.iloc[0]
        raise FerlineError(f"{batch.name}: none of {len(seen):,} images can be read; {first['id']}: {first['reason']}")
    looks = pd.DataFrame([each.row for each in seen if each.reason is None])
    answers = {key: np.concatenate([answer[key] for _, answer in parts]) for key in parts[0][1]}
    table = table.loc[readable, KEPT].reset_index(drop=True).join(looks.assign(**answers))
    return Measured(batch, table, np.concatenate([features for features, _ in parts]), unreadable)


def _seen(batch: Batch, gauge: Gauge, cropped: bool, workers: int) -> Iterator[tuple[Any, _Seen]]:
    """Each image, with where its row stands in the batch's table."""
    cropper = gauge.cropper(cropped)

    def work(task: tuple[pd.DataFrame, list[bytes | Path]]) -> list[_Seen]:
        return [_look(source, cropper, gauge.input) for source in task[1]]

    with closing(in_order(work, batch.sources(TASK), workers)) as stream:
        for (rows, _), done in stream:
            yield from zip(rows.index, done, strict=True)


def _look(source: bytes | Path, cropper: FaceCropper, input: InputParams) -> _Seen:
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
        rgb = decode(data)
    except UnreadableImage as error:
        return _Seen({}, reason=str(error))
    except OSError as error:
        return _Seen({}, reason=f"cannot be read ({error.strerror})")
    crop = cropper.crop(rgb)
    return _Seen(_looks(rgb, crop), resized(crop.image, input))


def _looks(rgb: np.ndarray, crop: Crop) -> dict[str, Any]:
    """The numbers of one image."""
    height, width = rgb.shape[:2]
    image = crop.image if crop.image.shape[2] == 3 else cv2.cvtColor(crop.image, cv2.COLOR_GRAY2RGB)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    contrast = float(grey.std())
    return {
        "found": crop.found,
        "face_size": crop.box[2] / min(height, width) if crop.found else np.nan,
        "size": float(min(height, width)),
        "aspect": width / height,
        "brightness": float(grey.mean()),
        "contrast": contrast,
        # Edges against contrast, so that a dimmer picture is no blurred one; the 1 keeps a blank one finite.
        "sharpness": (float(cv2.Laplacian(grey, cv2.CV_32F).std()) + 1) / (contrast + 1),
        "colour": float((image.max(axis=2) - image.min(axis=2)).mean()),
    }


@torch.inference_mode()
def _both(network: Network, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and logits in one pass: a ResNet50 at 224 takes 0.1 s a face, which is not to be paid twice."""
    device = next(network.parameters()).device
    features = network.features(to_input(torch.from_numpy(faces).to(device), *network.normalisation))
    return features.float().cpu().numpy(), network.classify(features).double().cpu().numpy()


def _predictor(model: TrainedModel, cropped: bool) -> Predictor:
    try:
        return Predictor(model, cropped)
    except (KeyError, TypeError, ValueError) as error:
        raise FerlineError(
            f"{model.folder}: its card's input or preprocessing cannot be used here ({error}). Train it again"
        ) from error
