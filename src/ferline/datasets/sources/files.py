"""Image files under a folder, in one order on every machine, as rows of a raw set."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ferline.datasets.sources.source import Row
from ferline.errors import FerlineError

READABLE = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm"})
SUFFIXES = READABLE | {".heic", ".heif", ".avif"}  # a phone's pictures are refused by name, not missing in silence


def images_under(folder: Path) -> Iterator[str]:
    """The paths of all image files below, relative to `folder`, sorted; systems' own leftovers are passed over.

    Links are followed. A folder that may not be read is an error: its images would be missing in silence.
    """
    return _images_below(str(folder), "", ())


def _images_below(folder: str, prefix: str, above: tuple[str, ...]) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in above:
        raise FerlineError(f"{folder}: a link to a folder that it stands in. Remove it. Nothing was added")
    folders = []
    for entry in _entries(folder):
        if entry.is_dir():
            folders.append(entry)
        elif entry.name[entry.name.rfind(".") :].lower() in SUFFIXES:
            yield _readable(folder, prefix + entry.name)
    for entry in folders:
        yield from _images_below(entry.path, f"{prefix}{entry.name}/", (*above, real))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))),
                key=lambda entry: entry.name,
            )
    except OSError as error:
        raise FerlineError(f"{folder}: cannot be read ({error.strerror}). Nothing was added") from None


def _readable(folder: str, path: str) -> str:
    """Old zip files unpack to names in the code page of their day; no Parquet text can hold one."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise FerlineError(f"{folder}: {path!r} is no name in UTF-8. Rename it. Nothing was added") from None
    return path


def row_of(root: Path, path: str, **columns: Any) -> Row:
    """The row of one image file; its path below `root` is its id and its source unless `columns` say otherwise."""
    return {"id": path, "source": path, "image": bytes_of(f"{root}/{path}"), **columns}


def bytes_of(path: Path | str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - twice as fast on small files as Path.read_bytes
            return file.read()
    except OSError as error:
        raise FerlineError(f"{path}: cannot be read ({error.strerror}). Nothing was added") from None


def few(names: Sequence[str], count: int = 5) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - count
    return ", ".join(names[:count]) + (f" and {more:,} more" if more > 0 else "")
