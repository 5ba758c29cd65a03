"""Pictures that differ as a test wants."""

import cv2
import numpy as np


def png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes())


def face(number: int, light: float = 1.0, side: int = 48) -> np.ndarray:
    """uint8[side,side,3]: soft blots of colour, other ones for each number."""
    coarse = np.random.default_rng(number).integers(40, 220, (6, 6, 3), dtype=np.uint8)
    return (cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC) * light).astype(np.uint8)
