"""Tables of images that nobody needs to see: who shows what, and of which video it is."""

import numpy as np
import pandas as pd

from ferline.datasets.samples import SPLITS
from ferline.emotions import EMOTIONS


def people(count: int, images: int = 21, seed: int = 0) -> pd.DataFrame:
    """A table of `count` persons with about `images` images each, labels in FER2013's proportions."""
    random = np.random.default_rng(seed)
    sizes = random.integers(images // 2, images * 3 // 2 + 1, count)
    number = int(sizes.sum())
    labels = random.choice(EMOTIONS, number, p=[0.14, 0.02, 0.14, 0.25, 0.17, 0.11, 0.17])
    return pd.DataFrame(
        {
            "id": [f"i{n}" for n in range(number)],
            "label": labels,
            "subject": np.repeat([f"p{n}" for n in range(count)], sizes),
            "sequence": [f"v{n // 3}" for n in range(number)],
            "split": None,
            "sha256": [f"{n:064x}" for n in range(number)],
            "attributes": None,
        }
    )


def shares_of(table: pd.DataFrame, splits: pd.Series) -> pd.DataFrame:
    """Of every label the share on each side."""
    sides = [side for side in SPLITS if (splits == side).any()] or sorted(splits.unique())
    return pd.crosstab(table["label"], splits, normalize="index")[sides]
