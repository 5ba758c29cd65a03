"""A function over many pieces of work on all cores, in order."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ferline.images.parallel import cores, one_opencv_thread

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def spread(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """One thread a core, and none inside the libraries: NumPy's and OpenCV's own pools would fight with these.

    The search among FER2013's images takes 2 s with BLAS on one thread and 10 s with BLAS on two of a busy machine,
    which wait for each other 5,000 times in products of a few milliseconds.
    """
    with threadpool_limits(1), one_opencv_thread(), ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(function, pieces))
