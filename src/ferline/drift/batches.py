"""The images of one side of a comparison: of a raw set, of one split of it, or of a folder; some of them, by seed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ferline.artifact import MANIFEST
from ferline.datasets.audit.sets import whole
from ferline.datasets.ingest import dataset_named, ingest, require_set
from ferline.datasets.samples import SPLITS
from ferline.datasets.sources.files import READABLE, images_under
from ferline.datasets.subjects import subject_finder
from ferline.errors import FerlineError
from ferline.params import DatasetParams

COLUMNS = ["id", "subject", "sha256", "shard", "row"]  # of a folder's images only the id is known, their path


@dataclass(frozen=True)
class Batch:
    """A row an image, in COLUMNS; the bytes stay on disk until they are asked for."""

    name: str  # as it was asked for
    table: pd.DataFrame
    folder: Path  # of the shards, or of the files
    cropped: bool | None  # the images are faces cut out already; None: nothing says so
    there: int  # images there are, of which the table may be a part
    known: frozenset[str]  # checksums of images that are there: all that a set has, of a folder those that were drawn

    def drawn(self, count: int, seed: int, last: np.ndarray | None = None) -> "Batch":
        """At most `count` of the images; those marked in `last` only where there are too few others."""
        order = np.random.default_rng(seed).permutation(len(self.table))
        if last is not None:
            order = order[np.argsort(last[order], kind="stable")]
        drawn = replace(self, table=self.table.iloc[np.sort(order[:count])].reset_index(drop=True))
        return drawn if drawn.hashed else drawn._hashed()

    @property
    def hashed(self) -> bool:
        """Whether the checksums are known, as a set's are; a folder's are read when its images are drawn."""
        return bool(self.table["sha256"].notna().all())

    def _hashed(self) -> "Batch":
        """With the checksums of its files; one that cannot be read has that of nothing, and a reason later on."""
        table = self.table.assign(sha256=[_sha256(self.folder / path) for path in self.table["id"]])
        return replace(self, table=table, known=frozenset(table["sha256"]) - {_sha256(None)})

    def only(self, ids: Sequence[str]) -> "Batch":
        """Those of its images that have these ids."""
        return replace(self, table=self.table[self.table["id"].isin(ids)].reset_index(drop=True))

    def sources(self, size: int) -> Iterator[tuple[pd.DataFrame, list[bytes | Path]]]:
        """Rows of the table, at most `size` at a time, each with its image's bytes or the file that has them."""
        if self.table["shard"].isna().all():
            for first in range(0, len(self.table), size):
                rows = self.table.iloc[first : first + size]
                yield rows, [self.folder / path for path in rows["id"]]
            return
        for shard, rows in self.table.groupby("shard", sort=False):
            for part, images in _images(self.folder / str(shard), rows):
                for first in range(0, len(part), size):
                    yield part.iloc[first : first + size], list(images[first : first + size])


def find(where: str, root: Path, dataset: DatasetParams, subject: str = "") -> Batch:
    """What `where` names: NAME or NAME:SPLIT of a raw set in the project at `root`, or a folder.

    `dataset` is what params.yaml says: the one set that it names is split as the pipeline splits it. `subject` is a
    regular expression that finds the person in the path of a folder's image.
    """
    name, _, split = where.partition(":")
    sets = _sets(root)
    if "/" not in where and name in sets:
        return _of_split(name, split, root, dataset) if split else _of_set(name, root)
    if Path(where).is_dir():
        return _of_folder(where, subject)
    raise FerlineError(
        f"{where}: neither a set in {root / 'data' / 'raw'} (there: {', '.join(sets) or 'none yet'}) nor a folder. "
        "Write NAME, NAME:train, or a folder's path"
    )


def _sets(root: Path) -> list[str]:
    """Those that DVC or the disk knows; one that is not here yet has an error of its own."""
    folder = root / "data" / "raw"
    return sorted({path.stem for path in folder.glob("*.dvc")} | {p.parent.name for p in folder.glob(f"*/{MANIFEST}")})


def _of_set(name: str, root: Path) -> Batch:
    raw = require_set(root, dataset_named(name))
    return _batch(name, raw.table, raw.folder, bool(raw.card.get("cropped", False)))


def _of_split(name: str, split: str, root: Path, dataset: DatasetParams) -> Batch:
    if split not in SPLITS:
        raise FerlineError(f"{name}:{split}: no split of that name; write one of {', '.join(SPLITS)}")
    samples = ingest(root, dataset) if name == dataset.name else whole(root, name)
    table = samples.table[samples.table["split"] == split]
    return _batch(f"{name}:{split}", table, samples.folder / "shards", bool(samples.origin["cropped"]))


def _of_folder(where: str, subject: str) -> Batch:
    folder = Path(where)
    try:
        paths = list(images_under(folder))
    except FerlineError as error:  # the reader's own words are those of adding a set
        raise FerlineError(str(error).removesuffix(" Nothing was added")) from None
    if not paths:
        hint = f". It is a raw set: write {folder.resolve().name}" if any(folder.glob("shard-*.parquet")) else ""
        raise FerlineError(f"{where}: no images in this folder or below it ({', '.join(sorted(READABLE))}){hint}")
    return _batch(where, pd.DataFrame({"id": paths, "subject": _people(paths, subject)}), folder, None)


def _people(paths: Sequence[str], pattern: str) -> list[str | None]:
    """Who each path is of, by the pattern's one group."""
    if not pattern:
        return [None] * len(paths)
    try:
        find = subject_finder(pattern)
    except FerlineError as error:  # the reader's own words are those of adding a set
        raise FerlineError(str(error).removesuffix(" Nothing was added")) from None
    people = [find(path) for path in paths]
    if not any(people):
        raise FerlineError(f"--subject: {pattern!r} finds nobody in any of {counted(len(paths))}, such as {paths[0]}")
    return people


def counted(images: int) -> str:
    return f"{images:,} image{'' if images == 1 else 's'}"


def _batch(name: str, table: pd.DataFrame, folder: Path, cropped: bool | None) -> Batch:
    if not len(table):
        raise FerlineError(f"{name}: holds no images")
    table = table.reindex(columns=COLUMNS).reset_index(drop=True)
    return Batch(name, table, folder, cropped, len(table), frozenset(table["sha256"].dropna()))


def _sha256(path: Path | None) -> str:
    try:
        return hashlib.sha256(path.read_bytes() if path else b"").hexdigest()
    except OSError:
        return hashlib.sha256(b"").hexdigest()


def _images(path: Path, rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, list[bytes]]]:
    """The wanted rows of one shard with their bytes, a row group at a time; a group without any is not read."""
    try:
        file, start = pq.ParquetFile(path), 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            part = rows[(rows["row"] >= start) & (rows["row"] < end)]
            if len(part):
                column = file.read_row_group(group, columns=["image"]).column(0)
                yield part, [column[int(row) - start].as_py() for row in part["row"]]
            start = end
    except (OSError, pa.ArrowException) as error:
        raise FerlineError(f"{path}: a shard cannot be read ({error}). Make or pull it again") from error
