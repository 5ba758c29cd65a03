"""One shard: a Parquet file of encoded images, written once, in groups of rows that are read back one at a time."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ferline.datasets.samples import SHARD_SCHEMA
from ferline.errors import FerlineError

# A reader holds one row group: 512 rows of FER2013 are under 1 MB, and 512 photographs of 4 MB would be 2 GB.
ROW_GROUP_ROWS = 512
ROW_GROUP_BYTES = 16 << 20
SHARD_BYTES = 64 << 20

_LEAVES = [name if name != "votes" else "votes.list.element" for name in SHARD_SCHEMA.names]
_LATER = {"attributes"}  # columns that shards of an earlier day do not have
# What other writers make of the same column: pandas and polars prefer the large types, an all-null column has no type.
_ALSO = {
    pa.string(): (pa.large_string(), pa.string_view()),
    pa.binary(): (pa.large_binary(), pa.binary_view()),
    pa.list_(pa.float32()): (
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.large_list(pa.float64()),
        pa.list_(pa.field("element", pa.float32())),
        pa.list_(pa.field("element", pa.float64())),
    ),
}


class ShardWriter:
    """Appends rows to one new shard. Equal rows make equal bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.bytes = 0
        self._pending: list[Mapping[str, Any]] = []
        self._pending_bytes = 0
        self._writer = pq.ParquetWriter(
            path,
            SHARD_SCHEMA,
            # JPEG and PNG do not compress again; the repeated labels and paths beside them do.
            compression={leaf: "NONE" if leaf == "image" else "ZSTD" for leaf in _LEAVES},
            use_dictionary=["label", "subject", "sequence", "split"],
            write_statistics=[leaf for leaf in _LEAVES if leaf != "image"],
        )

    def append(self, row: Mapping[str, Any]) -> None:
        self._pending.append(row)
        self._pending_bytes += len(row["image"])
        self.rows += 1
        self.bytes += len(row["image"])
        if len(self._pending) >= ROW_GROUP_ROWS or self._pending_bytes >= ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """The shard is whole."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Let go of the file, whatever state it is in."""
        with suppress(OSError):  # the disk is full, which is why the shard is abandoned; the owner reports it
            self._writer.close()

    def _flush(self) -> None:
        if self._pending:
            columns = [_column(self._pending, field) for field in SHARD_SCHEMA]
            table = pa.Table.from_arrays(columns, schema=SHARD_SCHEMA)
            self._writer.write_table(table, row_group_size=len(table))
        self._pending, self._pending_bytes = [], 0


def read_index(path: Path) -> pa.Table:
    """Every column of a shard but the images, checked against SHARD_SCHEMA and in its types."""
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise FerlineError(f"{path}: missing") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise FerlineError(f"{path}: not a readable Parquet file ({error})") from None
    found = file.schema_arrow
    later = [field for field in SHARD_SCHEMA if field.name in _LATER - set(found.names)]
    for field in SHARD_SCHEMA:
        if field not in later:
            _check_column(path, field, found)
    wanted = pa.schema([field for field in SHARD_SCHEMA if field.name != "image"])
    table = file.read(columns=[name for name in wanted.names if name in found.names])
    for field in later:
        table = table.append_column(field, pa.nulls(len(table), field.type))
    table = table.select(wanted.names)
    for field in wanted:
        if not field.nullable and (missing := table[field.name].null_count):
            raise FerlineError(f"{path}: column {field.name!r} is empty in {missing:,} of {len(table):,} rows")
    return table.cast(wanted)


def _check_column(path: Path, field: pa.Field, found: pa.Schema) -> None:
    if field.name not in found.names:
        raise FerlineError(f"{path}: column {field.name!r} is missing; a shard has {', '.join(SHARD_SCHEMA.names)}")
    kind = found.field(field.name).type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    ok = plain == field.type or plain in _ALSO[field.type] or (field.nullable and pa.types.is_null(plain))
    if not ok:
        raise FerlineError(f"{path}: column {field.name!r} is {kind}, it must be {field.type}")


def _column(rows: list[Mapping[str, Any]], field: pa.Field) -> pa.Array:
    values = [row[field.name] for row in rows]
    try:
        return pa.array(values, field.type, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        wrong = next(row for row in rows if not _fits(row[field.name], field.type))
        value = repr(wrong[field.name])[:80]
        raise FerlineError(f"id {wrong['id']!r}: {field.name} is {value}, it must be {field.type} or None") from None


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        pa.array([value], kind, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        return False
    return True
