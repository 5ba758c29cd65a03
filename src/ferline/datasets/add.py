"""From a dataset as it was downloaded to a raw set under data/raw/: read, checked image by image, packed, described."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ferline.artifact import MANIFEST
from ferline.datasets.ingest import dataset_named
from ferline.datasets.raw import RawSet
from ferline.datasets.sources.source import Found, Row, Source
from ferline.errors import FerlineError
from ferline.images.decode import UnreadableImage, require_whole

_SAID_AT_MOST = 10  # bad images named one by one
_DESCRIPTION = ("label", "votes", "subject", "sequence", "split", "attributes")


@dataclass
class Added:
    """What became of a source's images."""

    raw: RawSet
    new: int = 0
    known: int = 0  # in the set already
    bad: list[str] = field(default_factory=list)  # left out: what each is and why

    def told(self) -> str:
        parts = [f"{self.new:,} new images"] + [f"{self.known:,} were there already"] * bool(self.known)
        return ", ".join(parts + [f"{len(self.bad):,} left out that are no whole images"] * bool(self.bad))


def add(root: Path, source: Source, path: Path, name: str, options: Mapping[str, Any], skip_bad: bool = False) -> Added:
    """Read `path` with the source's reader into the raw set `name`; all of its new images are added, or none."""
    raw = RawSet(root / "data" / "raw" / dataset_named(name).name)
    before = require_same_kind(raw, source.key)
    found = source.read(path, **options)
    added = Added(raw)
    rows = _whole(tqdm(found.rows, source.key, found.total, unit="image", disable=None), added, skip_bad)
    if before:
        rows = _as_there(rows, raw)
    # The card is asked for once the rows are read: only then does the reader know what it left out.
    added.new = raw.append(rows, card=lambda: _described(before, source, found, path, options, added))
    added.known -= added.new
    return added


def _whole(rows: Iterable[Row], added: Added, skip_bad: bool) -> Iterator[Row]:
    """The rows whose images are whole as far as header and end can tell; every pixel is looked at when validating."""
    for row in rows:
        try:
            require_whole(row["image"])
        except UnreadableImage as error:
            added.bad.append(f"{row['source']}: {error}")
            continue
        added.known += 1
        yield row
    if added.bad and not skip_bad:
        listed = "\n".join(f"  - {each}" for each in added.bad[:_SAID_AT_MOST])
        more = f"\n  - and {len(added.bad) - _SAID_AT_MOST:,} more" if len(added.bad) > _SAID_AT_MOST else ""
        raise FerlineError(
            f"{len(added.bad):,} of {len(added.bad) + added.known:,} files are no whole images:\n{listed}{more}\n"
            "Nothing was added. Mend or remove them, or write --skip-bad to leave them out"
        )
    if not added.known:
        raise FerlineError("there is not one image to add. Nothing was added")


def _as_there(rows: Iterable[Row], raw: RawSet) -> Iterator[Row]:
    """The rows; what is said of an image that is in the set already must be what the set says, or it would be lost."""
    table = raw.table
    there = dict(zip(table["id"], map(_said, zip(*(table[name] for name in _DESCRIPTION), strict=True)), strict=True))
    changed: list[Row] = []
    for row in rows:
        yield row
        if there.get(row["id"]) not in (None, _said(row.get(name) for name in _DESCRIPTION)):
            changed.append({name: row.get(name) for name in ("id", *_DESCRIPTION)})
    if changed:
        first = changed[0]
        old = table[table["id"] == first["id"]].iloc[0]
        name = next(name for name in _DESCRIPTION if _cell(old[name]) != _cell(first[name]))
        raise FerlineError(
            f"{raw.folder}: {len(changed):,} of its images are described otherwise now, the first is {first['id']!r}: "
            f"{name} is {_cell(old[name])!r} there and {_cell(first[name])!r} here. A set only grows: give this one "
            f"another --name, or delete {raw.folder} and {raw.folder}.dvc and add all of it again. Nothing was added"
        )


def _said(values: Iterable[Any]) -> int:
    return hash(tuple(map(_cell, values)))


def _cell(value: Any) -> Any:
    """A reader's value and a table's are one where a shard would keep them as one."""
    if isinstance(value, list | np.ndarray):
        return tuple(map(float, value))
    return value if isinstance(value, str) and value else None


def require_same_kind(raw: RawSet, key: str | None) -> dict[str, Any]:
    """The card of the set that is there; images of this source (None: those drawn here) must be what it is made of."""
    if not (raw.folder / MANIFEST).exists():
        return {}
    card = raw.card
    if (made_by := card.get("source")) != key:
        kind = f"a set of the kind {made_by!r}" if made_by else "a set without a card"
        raise FerlineError(
            f"{raw.folder}: {kind} is there already, and {repr(key) if key else 'synthetic'} images do not belong "
            "into it. Give the new set another --name. Nothing was added"
        )
    return card


def _described(
    before: Mapping[str, Any], source: Source, found: Found, path: Path, options: Mapping[str, Any], added: Added
) -> dict[str, Any]:
    """The set's card, with a line of its own for every time that images were added."""
    about = source.about
    bad = [f"{len(added.bad):,} files that are no whole images were left out"] if added.bad else []
    this = {
        "from": path.resolve().name,  # of "." the folder's own
        "form": found.form,
        "notes": [*found.notes, *bad],
        "options": source.told(options),
    }
    return {
        "source": source.key,
        "title": about.title,
        "terms": about.terms,
        "where": about.where,
        "citation": about.citation,
        "cropped": about.cropped if found.cropped is None else found.cropped,
        "added": [*before.get("added", []), this],
    }
