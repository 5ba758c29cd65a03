"""In which order an epoch shows the training images, and how often each."""

import numpy as np

STREAM = 2  # batch.draw draws from another


def order(labels: np.ndarray, seed: int, epoch: int, balance: str) -> np.ndarray:
    """Positions in `labels` for one epoch, shuffled; a function of (seed, epoch), so that a resumed run goes on alike.

    `none` shows every image once. `oversample` shows every class as often as the largest one: within a class no image
    is shown more than once oftener than another, and which ones come oftener changes with the epoch.
    """
    random = np.random.default_rng((STREAM, seed, epoch))
    if balance == "none":
        return random.permutation(len(labels))
    if balance != "oversample":
        raise ValueError(f"balance: {balance!r} is not allowed; write none or oversample")
    classes, counts = np.unique(labels, return_counts=True)
    shown = [_repeated(np.flatnonzero(labels == label), counts.max(), random) for label in classes]
    return random.permutation(np.concatenate([np.empty(0, np.int64), *shown]))


def _repeated(positions: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    whole, rest = divmod(count, len(positions))
    extra = random.permutation(positions)[:rest]
    return np.concatenate([np.tile(positions, whole), extra])
