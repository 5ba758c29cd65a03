"""Image files under a folder, in one order on every machine, as rows of a raw set."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ferline.datasets.sources.source import Row
from ferline.errors import FerlineError

READABLE = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm"})
Wrong = Callable[[str, str], None]
SUFFIXES = READABLE | {".heic", ".heif", ".avif"}  # a phone's pictures are refused by name, not missing in silence


def _refuse(place: str, reason: str) -> None:
    raise FerlineError(f"{place}: {reason}. Nothing was added")


def images_under(folder: Path, wrong: Wrong = _refuse) -> Iterator[str]:
    """The paths of all image files below, relative to `folder`, sorted; systems' own leftovers are passed over.

    Links are followed. A folder that may not be read is an error: its images would be missing in silence. `wrong` is
    told of each place and what is wrong there, and may let the others go on.
    """
    return _images_below(str(folder), "", (), wrong)


def _images_below(folder: str, prefix: str, above: tuple[str, ...], wrong: Wrong) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in above:
        wrong(_printable(folder), "a link to a folder that it stands in. Remove it")
        return
    folders = []
    for entry in _entries(folder, wrong):
        if entry.is_dir():
            folders.append(entry)
        elif entry.name[entry.name.rfind(".") :].lower() in SUFFIXES:
            path = prefix + entry.name
            if path == _printable(path):
                yield path
            else:  # old zip files unpack to names in the code page of their day; no Parquet text can hold one
                wrong(_printable(entry.path), "a name that is not in UTF-8. Rename it")
    for entry in folders:
        yield from _images_below(entry.path, f"{prefix}{entry.name}/", (*above, real), wrong)


def _printable(path: str) -> str:
    """As it can be shown: bytes that are no UTF-8 as a sign for that."""
    return os.fsencode(path).decode("utf-8", "replace")


def _entries(folder: str, wrong: Wrong) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))),
                key=lambda entry: entry.name,
            )
    except OSError as error:
        wrong(_printable(folder), f"cannot be read ({error.strerror})")
        return []


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
