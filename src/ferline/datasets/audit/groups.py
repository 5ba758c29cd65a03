"""What hangs together: groups of pictures linked by pairs."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def components(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """int[count]: a number for each of `count` things, the same for those that the pairs link, directly or not."""
    links = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.int64)
