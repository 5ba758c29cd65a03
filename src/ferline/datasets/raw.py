"""Raw sets: images exactly as found, packed in append-only Parquet shards, so that a million of them are a few files.

Adding images adds shards and leaves every other file but the manifest untouched, so DVC moves only what is new.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from ferline.artifact import MANIFEST, Artifact, sha256_of, write_json
from ferline.datasets.samples import INDEX_COLUMNS, SHARD_SCHEMA
from ferline.datasets.shards import SHARD_BYTES, ShardWriter, read_index
from ferline.errors import FerlineError

# The manifest to be. It names the new shards before they take their names, so what a killed append left behind
# can be told from a file that somebody else put there.
_NEXT = ".manifest-next.json"
_EMPTY = dict.fromkeys(SHARD_SCHEMA.names)  # the schema makes its list of names anew for everyone who asks, 0.6 us each


class RawSet(Artifact):
    """data/raw/NAME/: `shard-00000.parquet`, ... in SHARD_SCHEMA, sealed by `manifest.json`."""

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def shards(self) -> list[str]:
        return sorted(name for name in self.manifest if name.endswith(".parquet"))

    @cached_property
    def table(self) -> pd.DataFrame:
        """INDEX_COLUMNS, one row an image, in shard order."""
        parts = [_placed(read_index(self.folder / shard), shard) for shard in self.shards]
        return pa.concat_tables(parts).to_pandas() if parts else pd.DataFrame(columns=INDEX_COLUMNS)

    def __len__(self) -> int:
        return len(self.table)

    def verify(self) -> Self:
        """Read every byte back, and refuse shards that nobody sealed: they would be left out in silence."""
        super().verify()
        self._refuse_strangers()
        return self

    def summary(self) -> dict[str, Any]:
        return {"name": self.name, "images": len(self), "shards": len(self.shards)}

    @property
    def card(self) -> dict[str, Any]:
        """What is known of the set besides its images: where it came from, on which terms, whether it is cropped."""
        return dict(json.loads((self.folder / MANIFEST).read_text()).get("card") or {})

    def append(
        self,
        rows: Iterable[Mapping[str, Any]],
        shard_rows: int = 4096,
        card: Callable[[], Mapping[str, Any]] | None = None,
    ) -> int:
        """Add the images that are not there yet and return how many; all of them are added, or none.

        A row has `id`, `image` (the encoded bytes) and whatever else of SHARD_SCHEMA is known; `sha256` is worked out.
        `card` is asked for the set's new one after the last row, where images are added.
        """
        self._refuse_half_a_set()
        with self._locked():
            self._forget()
            self._clear_leftovers()
            self._refuse_strangers()
            try:
                written = self._write_shards(rows, shard_rows)
                if written:
                    self._publish(written, card() if card else None)
            finally:
                self._clear_leftovers()
                self._forget()
        return sum(written.values())

    def _refuse_half_a_set(self) -> None:
        """Adding to a set that DVC knows and this machine lacks would make a new one that replaces it."""
        pointer = self.folder.with_name(f"{self.name}.dvc")
        if pointer.exists() and not (self.folder / MANIFEST).exists():
            raise FerlineError(
                f"{self.folder}: not here, though {pointer.name} is. Run `dvc pull {pointer}` before adding to it"
            )

    def _refuse_strangers(self) -> None:
        here = {path.name for path in self.folder.glob("*.parquet") if not path.name.startswith(".")}
        if strangers := here - set(self._sealed()) - self._announced():
            raise FerlineError(
                f"{self.folder / min(strangers)}: not in {MANIFEST}, so its images would be left out in silence. "
                "Move it away and add its rows with RawSet.append"
            )

    def _forget(self) -> None:
        """Another process may have added to the set since this one read it."""
        for name in ("manifest", "digest", "shards", "table"):
            self.__dict__.pop(name, None)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One append at a time. The lock is on the folder itself and goes with the process, however that ends."""
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.folder, os.O_RDONLY)
        try:
            _lock(folder, self.folder)
            try:
                yield
            finally:
                with suppress(OSError):  # it has files in it, unless nothing was put in a new one
                    self.folder.rmdir()
        finally:
            os.close(folder)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FerlineError(
                f"{self.folder}: could not be written ({error.strerror or error}). Nothing was added"
            ) from error

    def _write_shards(self, rows: Iterable[Mapping[str, Any]], shard_rows: int) -> dict[str, int]:
        """The new images in shards under temporary names; final name to number of rows."""
        numbers = (re.fullmatch(r"shard-(\d+)\.parquet", name) for name in self._sealed())
        first = 1 + max((int(number[1]) for number in numbers if number), default=-1)
        written: dict[str, int] = {}
        writer: ShardWriter | None = None
        try:
            for row in self._new(rows):
                with self._writing():
                    if writer is None:
                        name = f"shard-{first + len(written):05d}.parquet"
                        writer = ShardWriter(self._temporary(name))
                    writer.append(row)
                    if writer.rows >= shard_rows or writer.bytes >= SHARD_BYTES:
                        writer.close()
                        written[name], writer = writer.rows, None
            if writer is not None:
                with self._writing():
                    writer.close()
                written[name], writer = writer.rows, None
        finally:
            if writer is not None:
                writer.abandon()
        return written

    def _new(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The complete rows of those ids that are not in the set yet."""
        known = dict(zip(self.table["id"], self.table["sha256"], strict=True)) if self._sealed() else {}
        name = self.name
        for number, given in enumerate(rows):
            row = _complete(given, f"{name}, row {number}")
            seen = known.setdefault(row["id"], row)
            if seen is row:
                known[row["id"]] = row["sha256"]
                yield row
            elif seen != row["sha256"]:
                raise FerlineError(self._clash(row, seen))

    def _clash(self, row: Mapping[str, Any], seen: str) -> str:
        there = self.table[self.table["id"] == row["id"]] if self._sealed() else pd.DataFrame()
        place = f"{there.iloc[0]['source']} in {there.iloc[0]['shard']}" if len(there) else "earlier among the new rows"
        return (
            f"{self.folder}: id {row['id']!r} stands for two images: SHA-256 {seen[:12]} ({place}) and "
            f"{row['sha256'][:12]} ({row['source']}). Give the second one an id of its own. Nothing was added"
        )

    def _publish(self, written: Mapping[str, int], card: Mapping[str, Any] | None) -> None:
        """The new manifest is written aside, the shards take their names, and it replaces the old one last."""
        old = json.loads((self.folder / MANIFEST).read_text()) if self._sealed() else {"files": {}, "rows": {}}
        with self._writing():
            for name in written:
                _to_disk(self._temporary(name))
            files = old["files"] | {name: sha256_of(self._temporary(name)) for name in written}
            content = old | {"name": self.name, "files": files, "rows": old.get("rows", {}) | dict(written)}
            content |= {"card": dict(card)} if card is not None else {}
            write_json(self.folder / _NEXT, content)
            for name in written:
                self._temporary(name).rename(self.folder / name)
            (self.folder / _NEXT).rename(self.folder / MANIFEST)
            _to_disk(self.folder)

    def _clear_leftovers(self) -> None:
        """What an append that did not come to its end left behind."""
        for name in self._announced() - set(self._sealed()):
            (self.folder / name).unlink(missing_ok=True)
        for path in self.folder.glob(".*"):  # with the announcement last: it says what the line above has to clear
            if path.name.lstrip(".").startswith(("shard-", "manifest-next")):
                path.unlink(missing_ok=True)

    def _sealed(self) -> dict[str, str]:
        """The files of the set as it is on disk now; none if there is no set yet."""
        return dict(RawSet(self.folder).manifest) if (self.folder / MANIFEST).exists() else {}

    def _announced(self) -> set[str]:
        """The shards of an append that has not come to its end."""
        path = self.folder / _NEXT
        return set(json.loads(path.read_text())["files"]) if path.exists() else set()

    def _temporary(self, name: str) -> Path:
        return self.folder / f".{name}"


def _complete(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The row with every column of a shard, its checksum worked out."""
    row = {**_EMPTY, **given}
    if len(row) > len(_EMPTY):
        unknown = min(given.keys() - _EMPTY.keys())
        raise FerlineError(f"{where}: unknown column {unknown!r}; a shard has {', '.join(_EMPTY)}")
    for name, kind, words in (("id", str, "a text"), ("image", bytes, "the encoded bytes")):
        if not isinstance(given.get(name), kind):
            raise FerlineError(f"{where}: {name} must be {words}, it is {type(given.get(name)).__name__}")
    digest = hashlib.sha256(given["image"]).hexdigest()
    if given.get("sha256") not in (None, digest):
        raise FerlineError(
            f"{where}: id {given['id']!r} says SHA-256 {given['sha256'][:12]}, its bytes have {digest[:12]}"
        )
    return row | {"sha256": digest}


def _placed(index: pa.Table, shard: str) -> pa.Table:
    table = index.append_column("shard", pa.array([shard] * len(index), pa.string()))
    return table.append_column("row", pa.array(np.arange(len(index)))).select(INDEX_COLUMNS)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FerlineError(f"{folder}: another process is adding to this set; wait for it to end") from None


def _to_disk(path: Path) -> None:
    """A kill leaves the page cache alone, a power cut does not."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
