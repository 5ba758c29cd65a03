"""The telling number: how far one gets by looking for the most similar picture seen before, knowing nothing of faces.

One nearest neighbour, Euclidean, on the raw grey pixels. Asked are the images that the set is measured on; the answers
come from all others, as they would be known by then. Then the same is asked again, and every image that hangs together
with the one asked about (the same person, or sequence, or near-duplicates) may not answer. Nothing else differs, so the
gap is what the split gives away. Under a split that keeps persons apart the two numbers are the same.

On CK+48, over ten random splits that test on a tenth: 99% (97% to 100%), and 56% (50% to 63%) with persons apart.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ferline.datasets.audit.spread import spread
from ferline.datasets.protocols import FOLD

# 4,000 against 50,000 are 10^12 operations: 10 to 20 s on two cores. The score of 4,000 is known to 0.8 points.
MOST_ASKED, MOST_KNOWN = 4000, 50_000

_ASKED, _KNOWN = 1024, 4096  # in one product; its result is 17 MB


@dataclass(frozen=True)
class Nearest:
    """One nearest neighbour on raw pixels, twice."""

    asked_split: str
    asked: int
    known: int
    score: float  # share of the asked whose label the nearest known image has
    apart_by: str  # subject, sequence or near-duplicates
    score_apart: float  # the same, where what hangs together with an image does not answer for it
    drawn: bool  # the asked or the known are a random part of all


def nearest(table: pd.DataFrame, thumbs: np.ndarray, groups: np.ndarray, seed: int = 0) -> Nearest | None:
    """For rows with label and split, their pictures and their groups of near-duplicates. None: there is no split."""
    splits, labelled = table["split"].to_numpy(object), table["label"].notna().to_numpy()
    split = next((name for name in ("test", "validation", f"{FOLD}0") if (splits[labelled] == name).any()), None)
    if split is None:
        return None
    random = np.random.default_rng(seed)
    every_asked = np.flatnonzero(labelled & (splits == split))
    every_known = np.flatnonzero(labelled & pd.notna(splits) & (splits != split))
    if not len(every_known):
        return None
    asked, known = (_drawn(*part, random) for part in ((every_asked, MOST_ASKED), (every_known, MOST_KNOWN)))
    by, apart = _apart(table, groups)
    answers = _answers(thumbs, asked, known, apart)
    labels = pd.factorize(table["label"])[0]
    # Where nobody may answer, the answer is wrong.
    scores = [float(((of >= 0) & (labels[of] == labels[asked])).mean()) for of in answers]
    drawn = len(asked) < len(every_asked) or len(known) < len(every_known)
    return Nearest(split, len(asked), len(known), scores[0], by, scores[1], drawn)


def _apart(table: pd.DataFrame, groups: np.ndarray) -> tuple[str, np.ndarray]:
    """By what images hang together, and a number for what each belongs to: the first that is known of every image."""
    for column in ("subject", "sequence"):
        known = table[column].notna() & (table[column] != "")
        if known.all():
            owner = table["dataset"] + "\n" + table[column] if "dataset" in table else table[column]
            return column, pd.factorize(owner)[0]
    return "near-duplicates", groups


def _drawn(rows: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))


def _answers(
    thumbs: np.ndarray, asked: np.ndarray, known: np.ndarray, apart: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each asked row the nearest known one, of all and of those apart from it; -1 where there is none."""
    pieces = [asked[first : first + _ASKED] for first in range(0, len(asked), _ASKED)]
    found = spread(lambda piece: _answers_to(thumbs, piece, known, apart), pieces)
    return np.concatenate([one for one, _ in found]), np.concatenate([two for _, two in found])


def _answers_to(
    thumbs: np.ndarray, asked: np.ndarray, known: np.ndarray, apart: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    pixels = _pixels(thumbs, asked)
    best, where = np.full((2, len(asked)), np.inf, np.float32), np.full((2, len(asked)), -1)
    for first in range(0, len(known), _KNOWN):
        some = known[first : first + _KNOWN]
        others = _pixels(thumbs, some)
        # The squared distance, but for the asked picture's own length, which is the same for all answers.
        distance = pixels @ (-2 * others.T)
        distance += (others**2).sum(axis=1)
        for which in range(2):
            if which == 1:
                distance[apart[asked][:, None] == apart[some]] = np.inf
            column = distance.argmin(axis=1)
            closest = distance[np.arange(len(asked)), column]
            nearer = closest < best[which]
            best[which][nearer], where[which][nearer] = closest[nearer], some[column[nearer]]
    return where[0], where[1]


def _pixels(thumbs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """float32[rows,pixels] about middle grey, where products of single precision lose less."""
    return thumbs[rows].reshape(len(rows), -1).astype(np.float32) - 128
