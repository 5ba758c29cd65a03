"""What a portrait is built of before light falls on it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layers:
    """Images of one plane, drawn on in place."""

    colours: np.ndarray  # float32[height, width, 3], sRGB from 0 to 255
    relief: np.ndarray  # float32[height, width], face units above the plane
    alpha: np.ndarray  # coverage, 0 to 1
    gloss: np.ndarray  # where it shines as hair does
