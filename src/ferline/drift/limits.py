"""What is compared, and how large a difference must be to count. At 2,000 images a side almost any difference is
significant, so a drift is both: not by chance, and at least this large.

Measured on 2,352 synthetic faces of 84 people that a `cnn_lstm` (accuracy 0.722) was not trained on: on the left what
it costs in points of accuracy when all are changed alike, on the right what chance does, the 95th percentile of the
difference between 12 of these people and the other 72 with nothing changed.

    embedding    0.73 where light costs 2 points, 0.67 in a tighter frame    0.60 (0.70 image by image)
    classes      0.09 where blur costs 3 points, 0.10 where light costs 4    0.08
    confidence   falls by 0.026 where light or blur costs 2 to 3             0.028
    faces found  4 points fewer in a tighter frame                           2 points
    face size    x 1.16 in that frame, which costs 8.5                       x 1.03
    brightness   11 levels cost 0.7, 21 cost 2.3, 32 cost 4.1                16 levels
    contrast     8 levels cost up to 1.4, 21 cost 4.6                        5.5 levels
    sharpness    x 1.6 costs 0.6, x 2.0 costs 3.0, x 2.6 costs 7.6           x 1.11

Colour, size and shape cost a grey 48-pixel network nothing by themselves; they tell of another camera or another tool.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Quantity:
    """One line. An effect is told in `unit`, and counts from `least` on; `meaning` says what it is."""

    title: str
    meaning: str
    unit: Literal["AUC", "share", "confidence", "factor", "levels"]
    least: float
    of_model: bool = False  # from the model's answers, or its features

    @property
    def log(self) -> bool:
        """Compared by logarithms: twice as large is as far as half as large."""
        return self.unit == "factor"


# In the order in which they are told. Where a quantity has a value for each image, its effect is the mean distance
# between equal ranks of both sides (Wasserstein's): it has the quantity's own unit, and sees a wider spread as well.
QUANTITIES: dict[str, Quantity] = {
    "embedding": Quantity("Embedding", "how often a classifier picks out the new of two faces", "AUC", 0.65, True),
    "predicted": Quantity("Emotions predicted", "images that would need another emotion", "share", 0.10, True),
    "confidence": Quantity("Confidence", "of the model in its answers", "confidence", 0.03, True),
    "found": Quantity("Faces found", "images with a face that the detector finds", "share", 0.03),
    "face_size": Quantity("Face size", "the face's side by the image's shorter one", "factor", 1.10),
    "brightness": Quantity("Brightness", "mean of the crop's grey levels, 0 to 255", "levels", 12.0),
    "contrast": Quantity("Contrast", "spread of the crop's grey levels", "levels", 8.0),
    "sharpness": Quantity("Sharpness", "edges against contrast, in the crop", "factor", 1.5),
    "colour": Quantity("Colour", "between the crop's strongest and weakest channel", "levels", 8.0),
    "size": Quantity("Image size", "the shorter side in pixels", "factor", 1.25),
    "aspect": Quantity("Image shape", "width by height", "factor", 1.10),
}
