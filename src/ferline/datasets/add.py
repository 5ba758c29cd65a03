"""From a dataset as it was downloaded to a raw set under data/raw/: read, checked image by image, packed, described."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ferline.artifact import MANIFEST
from ferline.datasets.raw import RawSet
from ferline.datasets.sources.source import Found, Row, Source
from ferline.errors import FerlineError
from ferline.faces.decode import UnreadableImage, require_whole

_SAID = 10  # bad images named one by one


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
    raw = RawSet(root / "data" / "raw" / name)
    before = _card(raw)
    _require_same_kind(raw, before, source)
    found = source.read(path, **options)
    added = Added(raw)
    rows = _whole(tqdm(found.rows, source.key, found.total, unit="image", disable=None), added, skip_bad)
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
        listed = "\n".join(f"  - {each}" for each in added.bad[:_SAID])
        more = f"\n  - and {len(added.bad) - _SAID:,} more" if len(added.bad) > _SAID else ""
        raise FerlineError(
            f"{len(added.bad):,} of {len(added.bad) + added.known:,} files are no whole images:\n{listed}{more}\n"
            "Nothing was added. Mend or remove them, or write --skip-bad to leave them out"
        )
    if not added.known:
        raise FerlineError("there is not one image to add. Nothing was added")


def _card(raw: RawSet) -> dict[str, Any]:
    return raw.card if (raw.folder / MANIFEST).exists() else {}


def _require_same_kind(raw: RawSet, card: Mapping[str, Any], source: Source) -> None:
    made_by = card.get("source")
    if (raw.folder / MANIFEST).exists() and made_by != source.key:
        kind = f"a set of the kind {made_by!r}" if made_by else "a set without a card"
        raise FerlineError(
            f"{raw.folder}: {kind} is there already, and {source.key!r} images do not belong into it. "
            "Give the new set another --name. Nothing was added"
        )


def _described(
    before: Mapping[str, Any], source: Source, found: Found, path: Path, options: Mapping[str, Any], added: Added
) -> dict[str, Any]:
    """The set's card, with a line of its own for every time that images were added."""
    about, usual = source.about, {option.name: option.default for option in source.options}
    bad = [f"{len(added.bad):,} files that are no whole images were left out"] if added.bad else []
    this = {
        "from": path.name,
        "form": found.form,
        "notes": [*found.notes, *bad],
        "options": {key: _plain(value) for key, value in sorted(options.items()) if value != usual[key]},
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


def _plain(value: Any) -> str:
    """Of a path its last name: where it lay on somebody's disk is nothing to keep."""
    return value.name if isinstance(value, Path) else str(value)
