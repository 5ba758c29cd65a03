"""One image to one face crop, or to one of every face in it: find, level, cut, clean."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ferline.faces.clean import denoise, equalise
from ferline.faces.cut import central_square, cut_face, cut_whole
from ferline.faces.detect import Face, FaceDetector, choose
from ferline.faces.yunet import YuNet
from ferline.params import FaceParams

SMALLEST_SOUGHT = 24  # pixels of the smallest face in the frame searched; the cascade's window is 20
SAME_FACE = 0.3  # intersection over union: two boxes of one face by two searches have 0.6 and more


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

    def __init__(self, params: FaceParams, cropped: bool = False, smallest: float | None = None) -> None:
        """`cropped`: the images are faces cut out already, in which `detect: auto` looks for none.

        `smallest`: `every` also looks for faces down to this share of the short side, fewer of which fill a photo than
        fill a training image.
        """
        self.params = params
        self._detector: FaceDetector | YuNet | None = None
        self._wider: FaceDetector | YuNet | None = None
        if params.looks_for_faces(cropped):
            detector = YuNet if params.detector == "yunet" else FaceDetector
            self._detector = detector(params)
            if smallest and smallest < params.min_face_share:
                side = max(params.detection_side, round(SMALLEST_SOUGHT / smallest))  # where they are large enough
                self._wider = detector(replace(params, min_face_share=smallest, detection_side=side))

    def crop(self, rgb: np.ndarray) -> Crop:
        """The chosen face of an RGB image."""
        faces = self._detector.find(rgb) if self._detector else []
        if not faces:
            return self._whole(rgb)
        return self._cut(rgb, choose(faces, self.params.choose, rgb.shape), len(faces))

    def every(self, rgb: np.ndarray) -> list[Crop]:
        """All faces of an RGB image, the largest first, each cut as `crop` cuts; where none is sought, the whole.

        The search that training made comes first, so that its face is here bit for bit; the one for smaller ones only
        adds to it.
        """
        if self._detector is None:
            return [self._whole(rgb)]
        faces = self._detector.find(rgb)
        if self._wider:
            faces += [face for face in self._wider.find(rgb) if all(overlap(face, each) < SAME_FACE for each in faces)]
        faces.sort(key=lambda face: (-face.width * face.height, face))
        return [self._cut(rgb, face, len(faces)) for face in faces]

    def _whole(self, rgb: np.ndarray) -> Crop:
        x, y, extent = central_square(rgb.shape)
        found, number = (False, 0) if self._detector else (None, None)
        return Crop(self._finished(cut_whole(rgb, self.params.side)), found, number, False, (x, y, extent, extent))

    def _cut(self, rgb: np.ndarray, face: Face, faces: int) -> Crop:
        params = self.params
        eyes = self._detector.eyes(rgb, face) if self._detector and params.level else None
        cut = cut_face(rgb, face, eyes.tilt if eyes else 0.0, params.side, params.margin)
        x, y, width, height = (round(value) for value in face)
        return Crop(self._finished(cut), True, faces, eyes is not None, (x, y, width, height))

    def _finished(self, image: np.ndarray) -> np.ndarray:
        image = equalise(denoise(image, self.params.denoise), self.params.equalise)
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None] if self.params.colour == "grey" else image


def overlap(a: Face, b: Face) -> float:
    """Intersection over union; of one box inside the other, 1: the smaller is a false find within a face."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if across <= 0 or down <= 0:
        return 0.0
    both, areas = across * down, (a.width * a.height, b.width * b.height)
    return 1.0 if both >= 0.8 * min(areas) else both / (sum(areas) - both)
