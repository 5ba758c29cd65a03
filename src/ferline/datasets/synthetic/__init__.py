"""Synthetic faces: photographs of people who do not exist, drawn from a seed.

Each face is a relief under a light, its expression a set of facial action units, so the emotion lies in brows, lids,
nose and mouth as it does in real faces, and in nothing a shortcut could use: pose, light, place, clothes and picture
size are drawn without regard to it. A picture depends on (seed, identity, emotion, take) alone, not on the set's size.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from ferline.datasets.synthetic.expression import perform
from ferline.datasets.synthetic.identity import identity_of
from ferline.datasets.synthetic.photo import Box, photograph
from ferline.emotions import EMOTIONS, index_of
from ferline.errors import FerlineError

JPEG_QUALITY = 88
SHOWN = (0, 6, 21, 2, 19, 5)  # six people of seed 7 who differ much, for a sheet


def scene(seed: int, identity: int, emotion: str, take: int) -> np.ndarray:
    """uint8[height, width, 3], RGB: one photograph of one person showing one emotion."""
    return scene_with_box(seed, identity, emotion, take)[0]


def scene_with_box(seed: int, identity: int, emotion: str, take: int) -> tuple[np.ndarray, Box]:
    """The photograph and where its face truly is, from the hairline to the chin: x, y, width, height."""
    rng = np.random.default_rng([seed, 2, identity, index_of(emotion), take])
    return photograph(identity_of(seed, identity), perform(emotion, rng), rng)


def faces(identities: int = 84, takes: int = 4, seed: int = 7) -> Iterator[dict[str, Any]]:
    """The rows of a whole set, with the columns of SHARD_SCHEMA: every person, every emotion, every take."""
    if identities < 1 or takes < 1 or seed < 0:
        raise FerlineError(
            f"synthetic faces: identities={identities}, takes={takes}, seed={seed} draws nothing; "
            "write identities and takes of at least 1, and a seed of at least 0"
        )
    return (
        _row(seed, who, emotion, take) for who in range(identities) for emotion in EMOTIONS for take in range(takes)
    )


def split_of(identity: int) -> str:
    """Five people in seven are trained on, the sixth validates, the seventh tests: nobody is in two splits."""
    return {3: "validation", 6: "test"}.get(identity % 7, "train")


def _row(seed: int, identity: int, emotion: str, take: int) -> dict[str, Any]:
    image = _encoded(scene(seed, identity, emotion, take))
    subject = f"p{identity:03d}"
    return {
        "id": f"{subject}-{emotion}-{take}",
        "image": image,
        "label": emotion,
        "votes": None,
        "subject": subject,
        "sequence": f"{subject}_{emotion}",
        "split": split_of(identity),
        "source": f"synthetic:seed={seed}",
        "sha256": hashlib.sha256(image).hexdigest(),
    }


def _encoded(image: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise FerlineError("synthetic faces: OpenCV could not encode a JPEG; install opencv-python-headless again")
    return data.tobytes()


def contact_sheet(
    identities: Sequence[int] = SHOWN,
    emotions: Sequence[str] = EMOTIONS,
    take: int = 0,
    seed: int = 7,
    side: int = 160,
) -> np.ndarray:
    """uint8 RGB: people as rows, emotions as columns under their names, each a square cut around the face."""
    rows = [np.hstack([_tile(seed, who, emotion, take, side) for emotion in emotions]) for who in identities]
    return np.vstack([_header(emotions, side), *rows])


def _tile(seed: int, identity: int, emotion: str, take: int, side: int) -> np.ndarray:
    """A square around the face, its middle as near the face's as the edges of the scene allow."""
    image, (x, y, width, height) = scene_with_box(seed, identity, emotion, take)
    short = min(*image.shape[:2], round(1.7 * height))
    left = int(np.clip(x + width / 2 - short / 2, 0, image.shape[1] - short))
    top = int(np.clip(y + height / 2 - short / 2, 0, image.shape[0] - short))
    square = image[top : top + short, left : left + short]
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA if short > side else cv2.INTER_CUBIC)


def _header(names: Sequence[str], side: int) -> np.ndarray:
    strip = np.full((round(side * 0.17), side * len(names), 3), 255, np.uint8)
    scale = side / 300
    for column, name in enumerate(names):
        (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_DUPLEX, scale, 1)
        origin = column * side + (side - width) // 2, (strip.shape[0] + height) // 2
        cv2.putText(strip, name, origin, cv2.FONT_HERSHEY_DUPLEX, scale, (40, 40, 40), 1, cv2.LINE_AA)
    return strip
