"""The closer look at a candidate pair: how well the detail of one picture lies on the other's, at the best place.

The measure is the normalised cross-correlation of band-passed pictures, the middle of one over the other at every place
up to three pixels away. Of the plain pictures it tells little: all faces have their shadows in the same places, and the
three strangers most alike to an image of FER2013 reach 0.75 in the median, where of their detail they reach 0.50.

The threshold is set by hand, on contact sheets. Copies: of 1,000 images of FER2013, each altered (JPEG of quality 50;
moved by up to 2 pixels; 20% brighter or darker; 30% more or less contrast; mirrored), 99.5% reach 0.91 and 99.9% reach
0.871, where all of it is done at once. Strangers: different people in CK+48, whose faces are cut alike and smooth,
stay below it (113 pairs from 0.80 to 0.86, none above); mirrored front views of smiling faces in FER2013 reach 0.84.

Search and closer look together, of such copies put among FER2013's 30,766 images, find 99.3% (97.7% of those that were
moved, all others), and 99.7% among CK+48. Of 3,145 pairs that FER2013 has above the threshold, 108 drawn from 0.86 to
0.90 were looked at: 108 are one photograph. Below it there are more (from 0.78 to 0.83 each of 72 pairs was one
photograph, cut differently or with other letters across): the audit says less than there is rather than more.
"""

import cv2
import numpy as np

from ferline.datasets.audit.neighbours import Pairs
from ferline.datasets.audit.spread import spread

LEAST = 0.86

_REACH = 3  # pixels to every side
_PAIRS = 2048  # at a time: the detail of all their pictures is 38 MB at most
_FINE, _COARSE = 0.7, 3.0  # pixels: below the first JPEG's marks, above the second the light
_FLAT = 0.5  # grey levels: a picture with less detail than rounding makes has none to compare


def likeness(thumbs: np.ndarray, pairs: Pairs) -> np.ndarray:
    """float32[pairs], from -1 to 1."""
    pieces = [Pairs(*(part[first : first + _PAIRS] for part in pairs)) for first in range(0, len(pairs), _PAIRS)]
    parts = spread(lambda piece: _of_some(thumbs, piece), pieces)
    return np.concatenate([np.empty(0, np.float32), *parts])


def near(thumbs: np.ndarray, pairs: Pairs) -> tuple[Pairs, np.ndarray]:
    """The pairs that are copies of one picture, and their likeness."""
    found = likeness(thumbs, pairs)
    stays = found >= LEAST
    return Pairs(*(part[stays] for part in pairs)), found[stays]


def _of_some(thumbs: np.ndarray, pairs: Pairs) -> np.ndarray:
    details = {int(picture): _detail(thumbs[picture]) for picture in np.union1d(pairs.first, pairs.second)}
    rows = zip(pairs.first.tolist(), pairs.second.tolist(), pairs.mirrored.tolist(), strict=True)
    return np.array([_fit(details[one], details[other], mirrored) for one, other, mirrored in rows], np.float32)


def _detail(thumb: np.ndarray) -> np.ndarray:
    picture = thumb.astype(np.float32)
    return cv2.GaussianBlur(picture, (0, 0), _FINE) - cv2.GaussianBlur(picture, (0, 0), _COARSE)


def _fit(one: np.ndarray, other: np.ndarray, mirrored: bool) -> float:
    middle = one[_REACH:-_REACH, _REACH:-_REACH]
    if min(middle.std(), other.std()) < _FLAT:
        return 0.0
    other = np.ascontiguousarray(other[:, ::-1]) if mirrored else other
    return float(cv2.matchTemplate(other, middle, cv2.TM_CCOEFF_NORMED).max())
