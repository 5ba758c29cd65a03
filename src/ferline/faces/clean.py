"""Noise reduction and contrast on a face crop, as the papers name them."""

from typing import Literal

import cv2
import numpy as np


def denoise(image: np.ndarray, method: Literal["none", "median", "bilateral", "gaussian"]) -> np.ndarray:
    """uint8[H,W,3] in, the same out. The windows are small: at 48 to 96 pixels a face, an eye is 10 to 20 wide."""
    if method == "median":
        return cv2.medianBlur(image, 3)
    if method == "gaussian":
        return cv2.GaussianBlur(image, (3, 3), 0)
    if method == "bilateral":
        # Five pixels across, and grey steps over 3 x 25 (the edges of lids and lips) keep their place.
        return cv2.bilateralFilter(image, 5, 25, 2)
    return image


def equalise(image: np.ndarray, method: Literal["none", "global", "clahe"]) -> np.ndarray:
    """uint8[H,W,3] in, the same out. On luma alone, so that grey stays grey and a skin's colour does not shift."""
    if method == "none":
        return image
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    if method == "global":
        luma[:, :, 0] = cv2.equalizeHist(luma[:, :, 0])
    else:
        # OpenCV's customary clip limit of 2 and 8 x 8 tiles would leave tiles of 6 pixels at 48: 4 x 4 here.
        luma[:, :, 0] = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply(luma[:, :, 0])
    return cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB)
