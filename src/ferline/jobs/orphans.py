"""A process that ends when the one that started it does."""

import ctypes
import signal
import sys

_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: between fork and exec it may hang


def die_with_parent() -> None:
    """A job without its parent would go on writing checkpoints beside the one that is started next. Linux alone."""
    if _LIBRARY:
        _LIBRARY.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
