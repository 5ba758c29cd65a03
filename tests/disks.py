"""Disks that fill up."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of `size` bytes; where no disk may be mounted, files that cannot grow beyond that."""
    folder.mkdir(exist_ok=True)
    mounted = os.geteuid() == 0 and not subprocess.call(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if not mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        yield folder
    finally:
        if mounted:
            subprocess.check_call(["umount", folder])
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
