"""Faces to the size and channels that a network takes: once for each size, not once for each model."""

from pathlib import Path

import cv2
import numpy as np

from ferline.artifact import link_or_copy, staging
from ferline.faces.cut import scaled
from ferline.faces.faceset import FaceSet, ImageWriter
from ferline.images.parallel import one_opencv_thread
from ferline.params import InputParams

BATCH = 256
CARRIED = ("faces.parquet", "origin.json")  # what is true of the faces at any size


def resize(faces: FaceSet, input: InputParams, target: Path | None = None) -> FaceSet:
    """The same faces in the same order at another size; where they have that size already, the files are shared."""
    same = (faces.side, faces.channels) == (input.side, input.channels)
    with staging(target) as folder:
        for name in (*CARRIED, "images.npy") if same else CARRIED:
            link_or_copy(faces.folder / name, folder / name)
        if not same:
            with one_opencv_thread(), ImageWriter(folder, len(faces), input.side, input.channels) as writer:
                for first in range(0, len(faces), BATCH):
                    writer.append(np.stack([resized(image, input) for image in faces.images[first : first + BATCH]]))
    return FaceSet(target or folder)


def resized(image: np.ndarray, input: InputParams) -> np.ndarray:
    """One face, uint8[side,side,channels]. Grey is the luma of ITU-R BT.601; RGB from grey is three times the same."""
    if image.shape[2] == input.channels:
        small = scaled(image, input.side)
    else:
        small = scaled(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if input.channels == 1 else image, input.side)
        if input.channels == 3:
            small = cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    return small.reshape(input.side, input.side, input.channels)
