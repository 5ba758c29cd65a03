"""Pictures without a face, and pictures as files."""

import cv2
import numpy as np


def png(rgb: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) if rgb.ndim == 3 else rgb)[1].tobytes()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours without a face."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
