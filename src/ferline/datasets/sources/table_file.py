"""A CSV or Parquet file as columns, whatever wrote it; every complaint names the file and the line."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ferline.datasets.sources.files import few
from ferline.errors import FerlineError

_WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")  # "007" is a name, and 16 digits are no longer exact everywhere
_DECIMAL = re.compile(r"-?\d*\.?\d+([eE][-+]?\d{1,2})?")


@dataclass(frozen=True)
class Table:
    """Columns by name: those that were asked for as texts, all the others with their numbers as numbers."""

    source: Path
    places: Sequence[str]  # "line 17" of every row
    asked: Mapping[str, Sequence[str]]
    others: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(self.places)

    def texts(self, name: str) -> Sequence[str]:
        """A column that was asked for, stripped; empty texts where the file has none."""
        return self.asked.get(name) or [""] * len(self)

    def place(self, row: int) -> str:
        return self.places[row]


def read_table(source: Path, required: Sequence[str], optional: Sequence[str]) -> Table:
    """The table in `source`, in which column names have any case and stray spaces."""
    content = _parquet(source) if source.suffix.lower() == ".parquet" else _csv(source)
    names = [name.strip() for name in content.names]
    keys = [name.lower() for name in names]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise FerlineError(f"{source}: more than one column is called {few(twice)}. Nothing was added")
    if missing := [name for name in required if name not in keys]:
        raise FerlineError(
            f"{source}: no column {' and no column '.join(map(repr, missing))}; its columns are {few(names, 20)}. "
            f"A table has {', '.join(required)} and may have {', '.join(optional)}. Nothing was added"
        )
    wanted = {*required, *optional}
    columns = list(zip(names, keys, content.columns, strict=True))
    asked = {key: [_text(value) for value in values] for _, key, values in columns if key in wanted}
    others = {name: values for name, key, values in columns if key not in wanted}
    return Table(source, content.places, asked, {name: content.typed(values) for name, values in others.items()})


@dataclass(frozen=True)
class _Content:
    """What is in a file, column by column."""

    names: Sequence[str]
    columns: Sequence[Sequence[Any]]
    places: Sequence[str]
    of_texts: bool

    def typed(self, values: Sequence[Any]) -> Sequence[Any]:
        return _numbers(values) if self.of_texts else [_plain(value) for value in values]


def _csv(source: Path) -> _Content:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=header.count), skipinitialspace=True, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except UnicodeDecodeError as error:
        raise FerlineError(
            f"{source}: is no UTF-8 text ({error.reason}). Save it as UTF-8. Nothing was added"
        ) from None
    except csv.Error as error:
        raise FerlineError(f"{source}, line {reader.line_num}: no CSV ({error}). Nothing was added") from None
    except OSError as error:
        raise FerlineError(f"{source}: cannot be read ({error.strerror}). Nothing was added") from None
    if not lines:
        raise FerlineError(f"{source}: is empty. Nothing was added")
    (_, names), *rows = lines
    if wrong := [f"line {line} has {len(cells)}" for line, cells in rows if len(cells) != len(names)]:
        raise FerlineError(
            f"{source}: {len(wrong):,} rows have not as many cells as there are columns ({len(names)}): {few(wrong)}. "
            "Nothing was added"
        )
    columns = list(zip(*(cells for _, cells in rows), strict=True)) if rows else [()] * len(names)
    return _Content(names, columns, [f"line {line}" for line, _ in rows], of_texts=True)


def _parquet(source: Path) -> _Content:
    try:
        table = pq.read_table(source)
    except (pa.ArrowException, OSError) as error:
        raise FerlineError(f"{source}: no readable Parquet file ({error}). Nothing was added") from None
    # pandas keeps its row numbers in a column of this name.
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    columns = [table.column(name).to_pylist() for name in names]
    return _Content(names, columns, [f"row {row}" for row in range(len(table))], of_texts=False)


def _text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value).strip()


def _numbers(values: Sequence[str]) -> list[Any]:
    """A column of a CSV as numbers, where all that is in it are some; else as the texts they are."""
    stripped = [value.strip() for value in values]
    filled = [value for value in stripped if value]
    kind: type = str
    if all(_WHOLE.fullmatch(value) for value in filled):
        kind = int
    elif all(_WHOLE.fullmatch(value) or _DECIMAL.fullmatch(value) for value in filled) and not any(
        re.fullmatch(r"-?0\d+", value) for value in filled
    ):
        kind = float
    return [kind(value) if value else None for value in stripped]


def _plain(value: Any) -> Any:
    """A value of a Parquet file as JSON has it; no number, and a date's usual text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
