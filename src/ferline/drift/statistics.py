"""How far two sides are apart: the statistics that are tested, and the effects that are told.

Which test for the embedding was measured, not chosen: new faces of which a part was changed, 128 features of a
`cnn_lstm`, share of 20 to 40 comparisons found at a level of 0.01, images independent:

                                      MMD, RBF kernel     classifier,          classifier,
                                      (median distance)   trained on one half  cross-validated
    200 a side, half of it blurred          0.07                0.50                 0.80
    200 a side, half of it darker           0.07                0.20                 0.40
    500 a side, half in a tighter frame     0.00                0.60                 0.80
    500 a side, a quarter blurred           0.05                0.10                 0.45
    1,000 a side, a quarter darker          0.10                0.30                 0.70
    500 a side, a quarter happy, not 1/7    0.85                0.05                 0.45

The kernel hears the directions in which features vary most, which is what the emotions are, and so only another mix of
these, for which the predicted classes have a line of their own. The classifier hears the quiet directions too. Ridge
regression makes its cross-validated scores linear in the sides, so that each dealing trains anew for the price of a
product of matrices: no half of the images is given away for the training.
"""

import numpy as np
from scipy.stats import wasserstein_distance
from sklearn.metrics import roc_auc_score

from ferline.drift.shuffles import Sides, Statistic

FOLDS = 10
DIRECTIONS = 256  # a ResNet's 2,048 features are brought down to the 256 directions in which they vary most
EVEN = 1e-9


def kolmogorov_smirnov(values: np.ndarray) -> Statistic:
    """The largest gap between the two sides' cumulative shares of `values`; an image without one (NaN) has no part."""
    there = np.flatnonzero(~np.isnan(values))
    order = there[np.argsort(values[there], kind="stable")]
    last = np.flatnonzero(np.append(np.diff(values[order]) > 0, True))  # of equal values, where all are counted
    images = len(order)
    shares = ((last + 1) / images).astype(np.float32)
    whole = (
        np.int16 if images <= np.iinfo(np.int16).max else np.int32
    )  # a sum of these takes an eighth of one of floats

    def statistic(new: np.ndarray) -> np.ndarray:
        below = new[:, order].astype(whole).cumsum(axis=1, dtype=whole)
        count = below[:, -1:].astype(np.float32)
        gap = abs(below[:, last] - count * shares).max(axis=1)
        return np.asarray(gap * images / np.maximum(count * (images - count), 1)[:, 0])

    return statistic


def chi_square(classes: np.ndarray) -> Statistic:
    """Pearson's, of the counts of each class on both sides."""
    names = np.unique(classes)
    of_class = (classes[:, None] == names).astype(np.float32)

    def statistic(new: np.ndarray) -> np.ndarray:
        counts = new.astype(np.float32) @ of_class
        total = of_class.sum(axis=0)
        expected = new.mean(axis=1, keepdims=True) * total
        # Of two sides that add up to the total, the gaps are the same on both.
        return np.asarray(((counts - expected) ** 2 * (1 / expected + 1 / (total - expected))).sum(axis=1))

    return statistic


def rate_gap(yes: np.ndarray) -> Statistic:
    """The difference of two shares; with the images dealt out freely this is Fisher's exact test of two sides."""
    values = yes.astype(np.float32)

    def statistic(new: np.ndarray) -> np.ndarray:
        hits, images = new.astype(np.float32) @ values, new.sum(axis=1)
        return np.asarray(abs(hits / images - (values.sum() - hits) / (len(values) - images)))

    return statistic


class Classifier:
    """Ridge regression on which side an image is from, scored on people that it was not fitted to."""

    def __init__(self, features: np.ndarray, sides: Sides, seed: int) -> None:
        self.values = _standardised(features)
        fold_of_unit = np.random.default_rng(seed).permutation(sides.unit.max() + 1) % FOLDS
        self.fold = fold_of_unit[sides.unit]
        self.solved = [self._solved(self.fold != fold) for fold in range(FOLDS)]

    def gap(self, new: np.ndarray) -> np.ndarray:
        """The mean score of the new side less that of the reference, for each of bool[b,N]; a Statistic."""
        weights = _weights(new)
        found = np.zeros(len(new))
        sums = weights @ self.values
        for fold, (mean, inverse) in enumerate(self.solved):
            held = self.fold == fold
            share = weights[:, held].sum(axis=1, keepdims=True)
            inside = weights[:, held] @ self.values[held]
            # The weights add up to nothing, so those of the other folds add up to what this fold's lack.
            fitted = (sums - inside + share * mean) @ inverse
            found += np.einsum("bd,bd->b", fitted, inside - share * mean)
        return found

    def scores(self, new: np.ndarray) -> np.ndarray:
        """float[N]: each image's score by the classifier of the other folds."""
        weights = _weights(new[None])
        scores = np.empty(len(new))
        for fold, (mean, inverse) in enumerate(self.solved):
            held = self.fold == fold
            coefficients = weights[0, ~held] @ (self.values[~held] - mean) @ inverse
            scores[held] = (self.values[held] - mean) @ coefficients
        return scores

    def _solved(self, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = self.values[train].mean(axis=0)
        centred = self.values[train] - mean
        scatter = centred.T @ centred
        # As strong as the mean direction: of 0.1 to 10 times that, 0.3 to 3 found most.
        penalty = max(float(np.trace(scatter)) / len(scatter), EVEN)
        return mean, np.linalg.inv(scatter + penalty * np.eye(len(scatter), dtype=scatter.dtype))


def auc(scores: np.ndarray, new: np.ndarray) -> float:
    """How often a new image scores above a reference image; half the time or less, nobody can tell them apart."""
    return max(0.5, float(roc_auc_score(new, scores)))


def moved(values: np.ndarray, new: np.ndarray) -> float:
    """The mean distance between equal ranks of both sides (Wasserstein's), in the values' own unit."""
    known = ~np.isnan(values)
    return float(wasserstein_distance(values[known & ~new], values[known & new]))


def shares_moved(classes: np.ndarray, new: np.ndarray) -> float:
    """Half the sum of all differences of shares: so many images would have to be of another class."""
    names = np.unique(classes)
    gaps = [(classes[new] == name).mean() - (classes[~new] == name).mean() for name in names]
    return float(np.abs(gaps).sum() / 2)


def _weights(new: np.ndarray) -> np.ndarray:
    count = new.sum(axis=1, keepdims=True)
    return np.where(new, 1 / count, -1 / (new.shape[1] - count)).astype(np.float32)


def _standardised(features: np.ndarray) -> np.ndarray:
    """float32[N,D], every feature of mean 0 and spread 1, and of many features the directions that vary most."""
    centred = features.astype(np.float64) - features.mean(axis=0)
    spread = centred.std(axis=0)
    values = centred[:, spread > EVEN] / spread[spread > EVEN]
    if values.shape[1] == 0:
        return np.zeros((len(features), 1), np.float32)
    if values.shape[1] > DIRECTIONS:
        _, directions = np.linalg.eigh(values.T @ values)  # ascending
        values = values @ directions[:, -DIRECTIONS:]
    return values.astype(np.float32)
