"""The contact sheet of a policy: some training faces of each class, and what training will make of them."""

import numpy as np
import torch

from ferline.augment.batch import Augmenter
from ferline.faces.faceset import FaceSet
from ferline.images.sheet import contact_sheet
from ferline.params import AugmentationParams, InputParams

FACES_PER_CLASS = 2
VERSIONS = 8
MIDDLE = 0.5  # the grey that erased rectangles show; in training they are 0 after normalisation (pixels.py)


def policy_sheet(params: AugmentationParams, faces: FaceSet, input: InputParams, seed: int) -> np.ndarray:
    """uint8[H,W,3]: a row a face, as it is and then in VERSIONS draws of the policy."""
    chosen = _chosen(faces)
    originals = np.stack([faces.images[row] for row in chosen])
    versions = _versions(params, originals, input, seed)
    cells = [[original, *row] for original, row in zip(originals, versions.swapaxes(0, 1), strict=True)]
    titles = [faces.emotions[label] for label in faces.labels[chosen]]
    heads = ["face", *(f"draw {i + 1}" for i in range(VERSIONS))]
    return contact_sheet(cells, titles, heads)


def _chosen(faces: FaceSet) -> np.ndarray:
    """Rows of training faces, class by class, spread over each class's own."""
    training = faces.rows("train")
    rows = []
    for label in np.unique(faces.labels[training]):
        own = training[faces.labels[training] == label]
        rows.append(own[np.unique(np.linspace(0, len(own) - 1, FACES_PER_CLASS).astype(int))])
    return np.concatenate(rows)


def _versions(params: AugmentationParams, originals: np.ndarray, input: InputParams, seed: int) -> np.ndarray:
    """uint8[VERSIONS,N,side,side,channels]: what the first steps of the first epoch would draw."""
    one = [1.0] * input.channels
    augmenter = Augmenter(params, input, mean=[MIDDLE] * input.channels, std=one, seed=seed)
    batches = [augmenter(torch.from_numpy(originals), epoch=0, step=step) for step in range(VERSIONS)]
    pixels = (torch.stack(batches) + MIDDLE).mul(255).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 1, 3, 4, 2).numpy()
