"""A table of images that lie anywhere: CSV (commas, semicolons or tabs) or Parquet.

Columns read, in any order and case: `path`, `label`, and where there are any `subject`, `sequence`, `split`; every
other column is kept among the image's attributes. A path is relative to the table's folder, or to the option `images`;
as written, it is the image's id.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from ferline.datasets.protocols import SIDE_WORDS, side_named
from ferline.datasets.sources.files import bytes_of, few
from ferline.datasets.sources.labels import Classes
from ferline.datasets.sources.source import About, Found, Row, attributes, register_source, wrong_place
from ferline.datasets.sources.table_file import Table, read_table
from ferline.errors import FerlineError

ABOUT = About(
    title="a table of your own images",
    terms="Your own set: nothing is known here of its terms. The people shown must have agreed to this use.",
    where="Whoever collected the images",
    citation="None known",
)

REQUIRED = ("path", "label")
OPTIONAL = ("subject", "sequence", "split")
ENDINGS = (".csv", ".tsv", ".txt", ".parquet")

EXAMPLE = """\
my_faces/
  images.csv    path,label,subject,split
                faces/0001.jpg,happy,anna,train
                faces/0002.jpg,sad,ben,test
  faces/        0001.jpg  0002.jpg  ..."""


@register_source("table", ABOUT)
def read(
    source: Path,
    *,
    images: Annotated[Path | None, "The folder that the paths are relative to; without it, the table's own."] = None,
    map: Annotated[
        str, "Emotions of labels that are not known: 'joyful=happy,blank='; nothing after = leaves the images out."
    ] = "",
    cropped: Annotated[bool, "The images are faces cut out already, so no detector should look for one."] = False,
) -> Found:
    if not source.is_file() or source.suffix.lower() not in ENDINGS:
        looked_for = [f"one file ending in {', '.join(ENDINGS)}, with the columns {' and '.join(REQUIRED)}"]
        raise wrong_place(source, ABOUT.title, looked_for, EXAMPLE)
    table = read_table(source, REQUIRED, OPTIONAL)
    if not len(table):
        raise FerlineError(f"{source}: has column names and no rows. Nothing was added")
    root = images or source.parent
    labels = _labels(table, Classes(map))
    splits = _splits(table)
    files = _files(table, root)
    kept = [row for row, label in enumerate(labels) if label]
    if not kept:
        raise FerlineError(f"{source}: --map leaves out every image. Nothing was added")
    left_out = Counter(table.texts("label")[row] for row, label in enumerate(labels) if not label)

    def rows() -> Iterator[Row]:
        paths, subjects, sequences = table.texts("path"), table.texts("subject"), table.texts("sequence")
        for row in kept:
            yield {
                "id": paths[row],
                "source": paths[row],
                "image": bytes_of(files[row]),
                "label": labels[row],
                "subject": subjects[row] or None,
                "sequence": sequences[row] or None,
                "split": splits[row],
                "attributes": attributes(**{name: values[row] for name, values in table.others.items()}),
            }

    notes = [f"{count:,} images labelled {name!r} left out, as --map says" for name, count in sorted(left_out.items())]
    return Found(f"a table ({source.name})", rows(), total=len(kept), notes=notes, cropped=cropped)


def _labels(table: Table, classes: Classes) -> Sequence[str | None]:
    """The emotion of every row, None for those that are left out."""
    written = table.texts("label")
    counts = Counter(written)
    if not all(classes.knows(name) for name in counts):
        wrong = [row for row, name in enumerate(written) if not classes.knows(name)]
        raise classes.unknown(counts, f"{table.source}, {_places(table, wrong)}")
    meaning = {name: classes.emotion(name) for name in counts}
    classes.require_all_met(counts, str(table.source))
    return [meaning[name] for name in written]


def _splits(table: Table) -> Sequence[str | None]:
    written = table.texts("split")
    meaning = {name: side_named(name) for name in set(written)}
    if wrong := [row for row, name in enumerate(written) if name and not meaning[name]]:
        names = sorted({written[row] for row in wrong})
        raise FerlineError(
            f"{table.source}: {len(wrong):,} rows with an unknown split: {few([repr(name) for name in names])} "
            f"({_places(table, wrong)}). Write one of {SIDE_WORDS}, or nothing. Nothing was added"
        )
    return [meaning[name] for name in written]


def _files(table: Table, root: Path) -> Sequence[Path]:
    """The file of every row: each there, and none of them twice."""
    written = table.texts("path")
    # A table written on Windows has backslashes, which no other system takes for folders.
    files = [Path(os.path.normpath(root / path.replace("\\", "/"))) for path in written]
    if twice := _twice(files):
        pairs = [f"{written[rows[0]]} ({table.place(rows[0])} and {table.place(rows[1])})" for rows in twice]
        raise FerlineError(
            f"{table.source}: {len(twice):,} images stand in more than one row: {few(pairs)}. Keep one row of each. "
            "Nothing was added"
        )
    missing = [row for row, file in enumerate(files) if not written[row] or not file.is_file()]
    if missing:
        listed = [f"{written[row] or 'no path at all'} ({table.place(row)})" for row in missing]
        raise FerlineError(
            f"{table.source}: {len(missing):,} of {len(files):,} images are not in {root}: {few(listed)}. Put them "
            "there, or write --images with the folder that the paths are relative to. Nothing was added"
        )
    return files


def _twice(files: Sequence[Path]) -> list[list[int]]:
    """The rows of every file that more than one row has."""
    rows: dict[Path, list[int]] = {}
    for row, file in enumerate(files):
        rows.setdefault(file, []).append(row)
    return [places for places in rows.values() if len(places) > 1]


def _places(table: Table, rows: Sequence[int]) -> str:
    return few([table.place(row) for row in rows])
