"""Where faces are by YuNet (Wu, Peng and Yu, 2023), which also finds those that are turned, covered or badly lit.

A network of 53,000 weights, which OpenCV runs and `yunet.onnx` holds: those that its authors give away with
libfacedetection (`yunet.license.txt`; `benchmarks/yunet_weights.py` makes the file of them). A face comes back as the
square that the Haar cascade would have put around it, for that is how models have seen faces.
"""

import math
import threading
from pathlib import Path

import cv2
import numpy as np

from ferline.errors import FerlineError
from ferline.faces.detect import Eyes, Face, scale_to
from ferline.params import FaceParams

WEIGHTS = Path(__file__).with_suffix(".onnx")
SURE = 0.7  # of FER2013's PublicTest, enlarged, with a border, 94 % are found so; by the cascade 72 % (docs/results.md)
SAME_FACE = 0.3  # intersection over union
LARGEST = 2.0  # times the frame's short side: in a strip of a few pixels it sees boxes of any size, up to infinity
# Of the cascade's square, medians over 2,573 of those: the side of a square as large as YuNet's own box, and the box's
# middle. Cut by these, 68.9 % of what YuNet finds is told right; by its eyes' middle and distance, 68.1 %.
BOX_SIDE, BOX_MIDDLE = 0.935, (0.491, 0.523)


class YuNet:
    """May be shared by threads: a network knows the size of its last picture, so each thread gets its own."""

    def __init__(self, params: FaceParams, weights: Path = WEIGHTS) -> None:
        """`weights`: or another file in the form of OpenCV's, `face_detection_yunet_2023mar.onnx`."""
        self.params, self.weights = params, weights
        self._networks = threading.local()
        try:
            self._found(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as error:
            reason = " ".join(str(error.err or error).split())
            raise FerlineError(
                f"{weights}: YuNet's weights cannot be read ({reason}). Install Ferline again, or use another detector"
            ) from None

    def find(self, rgb: np.ndarray) -> list[Face]:
        """Every face, in no useful order; none smaller than `min_face_share` of the image's short side."""
        height, width = rgb.shape[:2]
        scale = scale_to(self.params.detection_side, height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        frame = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        back = np.array([width / size[0], height / size[1]])
        faces = (_square(row, back) for row in self._found(frame))
        return [face for face in faces if face.width >= self.params.min_face_share * min(height, width)]

    def eyes(self, rgb: np.ndarray, face: Face) -> Eyes | None:
        """Of a face that `find` gave: it has seen them already."""
        return face.eyes if isinstance(face, Seen) else None

    def _found(self, frame: np.ndarray) -> np.ndarray:
        """A row a face: x, y, width, height, then right eye, left eye, nose, both corners of the mouth, confidence."""
        network = getattr(self._networks, "own", None)
        if network is None:
            network = cv2.FaceDetectorYN.create(str(self.weights), "", (64, 64), SURE, SAME_FACE)
            self._networks.own = network
        network.setInputSize((frame.shape[1], frame.shape[0]))
        _, rows = network.detect(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if rows is None:
            return np.empty((0, 15), np.float32)
        return rows[(rows[:, 2:4] <= LARGEST * min(frame.shape[:2])).all(axis=1)]


class Seen(Face):
    """A face whose eyes are known."""

    eyes: Eyes


def _square(row: np.ndarray, back: np.ndarray) -> Seen:
    """The cascade's square around a face that was found in a frame, in the picture's own pixels."""
    right, left = (tuple((row[at : at + 2] * back).tolist()) for at in (4, 6))
    x, y, width, height = (row[:4] * np.tile(back, 2)).tolist()
    side = math.sqrt(width * height) / BOX_SIDE
    face = Seen(x + width / 2 - BOX_MIDDLE[0] * side, y + height / 2 - BOX_MIDDLE[1] * side, side, side)
    face.eyes = Eyes(right, left)  # a person's right eye is the one on the picture's left
    return face
