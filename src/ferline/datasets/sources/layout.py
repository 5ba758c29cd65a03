"""Finding a set's layout on disk, and holding the lists that come with it against its images."""

import csv
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ferline.datasets.sources.files import few
from ferline.errors import FerlineError


def within(source: Path, depth: int = 1) -> Iterator[Path]:
    """The folder itself, then the folders in it, then those in them, as far as `depth`; files are not looked at."""
    level = [source] if source.is_dir() else []
    for _ in range(depth):
        yield from level
        level = [path for folder in level for path in _folders(folder)]
    yield from level


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:  # it knows a folder from a file without asking for each of 300,000 images
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        raise FerlineError(f"{folder}: cannot be read ({error.strerror}). Nothing was added") from None
    return [folder / name for name in names if not name.startswith((".", "__MACOSX"))]


def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file that has at least these columns, each with the number of its line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            found = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = found
            if absent := [name for name in columns if name not in found]:
                raise FerlineError(
                    f"{path}: no column {', '.join(absent)}; its first line reads {', '.join(found[:12]) or 'nothing'}"
                    ". Nothing was added"
                )
            for row in reader:
                if None in row or any(row[name] is None for name in columns):
                    raise FerlineError(
                        f"{path}, line {reader.line_num}: not the {len(found)} values of its first line. "
                        "Nothing was added"
                    )
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FerlineError(f"{path}: cannot be read as CSV ({error}). Nothing was added") from None


def hold_against(listed: Collection[str], present: Collection[str], list_name: str, folder: Path) -> None:
    """Refuse a list that names images which are not there, or a folder with images that the list does not name."""
    require_all(sorted(set(listed) - set(present)), len(listed), f"images that {list_name} names", folder)
    if extra := sorted(set(present) - set(listed)):
        raise FerlineError(
            f"{folder}: {len(extra):,} of {len(present):,} images are not named by {list_name} "
            f"({few(extra)}), so they have no label. Nothing was added"
        )


def require_all(missing: Sequence[str], total: int, what: str, folder: Path) -> None:
    if missing:
        raise FerlineError(
            f"{folder}: {len(missing):,} of {total:,} {what} are missing ({few(missing)}). "
            "Unpack all of the set's archives there. Nothing was added"
        )
