"""From encoded images to emotions: the detection, crop and size that the model's card names."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ferline.faces.cropper import FaceCropper
from ferline.faces.resize import resized
from ferline.images.decode import decode
from ferline.models.trained import TrainedModel
from ferline.params import FaceParams, InputParams


class Predictor:
    """One model and the preprocessing that its card names."""

    def __init__(self, model: TrainedModel, cropped: bool = False) -> None:
        """`cropped`: the images are faces cut out already; in photographs, `detect: auto` looks for a face."""
        self.model = model
        self.input = InputParams(**model.card["input"])
        self.cropper = FaceCropper(FaceParams(**model.card["preprocessing"]), cropped)

    def predict(self, images: Sequence[bytes]) -> pd.DataFrame:
        """One row an image: the chosen face's emotion, its confidence, all shares, and if a face was found."""
        crops = [self.cropper.crop(decode(data)) for data in images]
        batch = np.stack([resized(crop.image, self.input) for crop in crops])
        shares = self.model.predict(batch).astype(float)
        best, emotions = shares.argmax(1), self.model.emotions
        return pd.DataFrame(
            {
                "emotion": [emotions[index] for index in best],
                "confidence": shares.max(1),
                "face_found": [crop.found for crop in crops],
                **{emotion: shares[:, index] for index, emotion in enumerate(emotions)},
            }
        )
