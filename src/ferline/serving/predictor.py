"""From encoded images to emotions: the detection, crop and size that the model's card names."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ferline.faces.cropper import Crop, FaceCropper
from ferline.faces.resize import resized
from ferline.images.decode import decode
from ferline.models.trained import TrainedModel
from ferline.params import Detector, FaceParams, InputParams


def detector_of(card: dict[str, Any]) -> Detector:
    """The one that a model has learnt with; where that was none, for its faces came cut out already, it is YuNet."""
    params = FaceParams(**card["preprocessing"])
    return params.detector if params.looks_for_faces(card.get("cropped", False)) else "yunet"


class Predictor:
    """One model and the preprocessing that its card names."""

    def __init__(
        self,
        model: TrainedModel,
        cropped: bool = False,
        smallest: float | None = None,
        device: str = "cpu",
        detector: Detector | None = None,
    ) -> None:
        """`cropped`: the images are faces cut out already; in photographs, `detect: auto` looks for a face.

        `smallest`: `faces` looks for faces down to this share of the image's short side. `detector`: instead of
        the model's own.
        """
        self.model, self.device = model, device
        self.input = InputParams(**model.card["input"])
        params = replace(FaceParams(**model.card["preprocessing"]), detector=detector or detector_of(model.card))
        self.cropper = FaceCropper(params, cropped, smallest)

    def predict(self, images: Sequence[bytes]) -> pd.DataFrame:
        """One row an image: the chosen face's emotion, its confidence, all shares, and if a face was found."""
        crops = [self.cropper.crop(decode(data)) for data in images]
        shares = self.shares(np.stack([self.sized(crop) for crop in crops]))
        best, emotions = shares.argmax(1), self.model.emotions
        return pd.DataFrame(
            {
                "emotion": [emotions[index] for index in best],
                "confidence": shares.max(1),
                "face_found": [crop.found for crop in crops],
                **{emotion: shares[:, index] for index, emotion in enumerate(emotions)},
            }
        )

    def faces(self, rgb: np.ndarray) -> list[tuple[Crop, np.ndarray]]:
        """Every face of an RGB image, the largest first, each also at the network's size."""
        return [(crop, self.sized(crop)) for crop in self.cropper.every(rgb)]

    def sized(self, crop: Crop) -> np.ndarray:
        """The face as the network takes it, uint8[side,side,channels]."""
        return resized(crop.image, self.input)

    def shares(self, faces: np.ndarray) -> np.ndarray:
        """Calibrated shares float64[N, emotions] of faces of the network's size."""
        return self.model.predict(faces, device=self.device).astype(float)
