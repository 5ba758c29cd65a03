"""One image to one face crop: find, level, cut, clean."""

from dataclasses import dataclass

import cv2
import numpy as np

from ferline.faces.clean import denoise, equalise
from ferline.faces.cut import central_square, cut_face, cut_whole
from ferline.faces.detect import FaceDetector, choose
from ferline.params import FaceParams


@dataclass(frozen=True)
class Crop:
    """What became of one image. Where no face was found, or none was sought, its largest central square stands in."""

    image: np.ndarray  # uint8[side,side,3], or [side,side,1] where the colour is grey
    found: bool | None  # None: not looked for
    faces: int | None
    levelled: bool
    box: tuple[int, int, int, int]  # x, y, width, height of the face, or of the square that stands in for it


class FaceCropper:
    """May be shared by threads. Whoever serves a model crops with this too, by the parameters it was trained on."""

    def __init__(self, params: FaceParams, cropped: bool = False) -> None:
        """`cropped`: the images are faces cut out already, in which `detect: auto` looks for none."""
        self.params = params
        detect = not cropped if params.detect == "auto" else params.detect
        self._detector = FaceDetector(params) if detect else None

    def crop(self, rgb: np.ndarray) -> Crop:
        """The chosen face of an RGB image."""
        params = self.params
        faces = self._detector.find(rgb) if self._detector else []
        if self._detector is None or not faces:
            x, y, extent = central_square(rgb.shape)
            found, number = (False, 0) if self._detector else (None, None)
            return Crop(self._finished(cut_whole(rgb, params.side)), found, number, False, (x, y, extent, extent))
        face = choose(faces, params.choose, rgb.shape)
        eyes = self._detector.eyes(rgb, face) if params.level else None
        cut = cut_face(rgb, face, eyes.tilt if eyes else 0.0, params.side, params.margin)
        x, y, width, height = (round(value) for value in face)
        return Crop(self._finished(cut), True, len(faces), eyes is not None, (x, y, width, height))

    def _finished(self, image: np.ndarray) -> np.ndarray:
        image = equalise(denoise(image, self.params.denoise), self.params.equalise)
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None] if self.params.colour == "grey" else image
