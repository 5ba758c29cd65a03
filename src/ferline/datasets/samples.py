"""Samples: a table of images as found, their encoded bytes packed in Parquet shards."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ferline.artifact import Artifact, link_or_copy, staging, write_json
from ferline.emotions import EMOTIONS

SPLITS = ("train", "validation", "test")

# A shard holds all of these; the index of a Samples holds all but the image, plus `shard` and `row`, and `fold` where
# the protocol has folds.
SHARD_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),  # the encoded bytes exactly as found
        pa.field("label", pa.string()),  # an emotion's name; anything else goes to quarantine
        # in a raw set one number for each of emotions.VOTES, in Samples the share of each class; or null
        pa.field("votes", pa.list_(pa.float32())),
        pa.field("subject", pa.string()),
        pa.field("sequence", pa.string()),
        pa.field("split", pa.string()),  # the set's own split, or null
        pa.field("source", pa.string()),  # where the image was found
        pa.field("sha256", pa.string(), nullable=False),  # of the image bytes
        pa.field("attributes", pa.string()),  # whatever else the set says of the image: a JSON object, or null
    ]
)
INDEX_COLUMNS = [name for name in SHARD_SCHEMA.names if name != "image"] + ["shard", "row"]


class Samples(Artifact):
    """`index.parquet` (one row an image, with its split) beside `shards/*.parquet`, which hold the bytes.

    `origin.json` says which set this is and how it was split; it travels with everything made from it.
    """

    @cached_property
    def table(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "index.parquet")

    @cached_property
    def origin(self) -> dict[str, Any]:
        return dict(self.read_json("origin.json"))

    @property
    def emotions(self) -> tuple[str, ...]:
        """The classes; an image of any other is no part of the set."""
        return tuple(self.origin.get("dataset", {}).get("emotions", EMOTIONS))

    def __len__(self) -> int:
        return len(self.table)

    def batches(self, size: int = 256) -> Iterator[tuple[pd.DataFrame, list[bytes]]]:
        """The rows of the index with their image bytes, in index order, never more than a batch in memory."""
        for shard, rows in self.table.groupby("shard", sort=False):
            file = pq.ParquetFile(self.folder / "shards" / str(shard))
            start, images, wanted = 0, [], iter(rows["row"].tolist())
            pending = next(wanted, None)
            first = 0
            for batch in file.iter_batches(batch_size=size, columns=["image"]):
                column = batch.column(0)
                while pending is not None and pending < start + len(column):
                    images.append(column[pending - start].as_py())
                    pending = next(wanted, None)
                start += len(column)
                if len(images) >= size:
                    yield rows.iloc[first : first + len(images)], images
                    first, images = first + len(images), []
            if images:
                yield rows.iloc[first:], images

    @classmethod
    def write(
        cls, table: pd.DataFrame, shards: Path, target: Path | None = None, origin: dict[str, Any] | None = None
    ) -> "Samples":
        """Seal `table` (INDEX_COLUMNS) with links to the shard files in the folder `shards` that it refers to."""
        columns = [*INDEX_COLUMNS, *(["fold"] if "fold" in table else [])]
        table = table[columns].sort_values(["shard", "row"], ignore_index=True)
        with staging(target) as folder:
            table.to_parquet(folder / "index.parquet", index=False)
            write_json(folder / "origin.json", origin or {})
            for shard in sorted(table["shard"].unique()):
                link_or_copy(shards / shard, folder / "shards" / shard)
        return cls(target or folder)

    def keep(self, mask: pd.Series, target: Path | None = None, **origin: Any) -> "Samples":
        """The same shards with only these rows in the index; `origin` is added to what is known of the set."""
        return Samples.write(self.table[mask], self.folder / "shards", target, self.origin | origin)

    def summary(self) -> dict[str, Any]:
        table = self.table
        return {
            "images": len(table),
            "subjects": int(table["subject"].nunique()),
            **{f"{split}": int((table["split"] == split).sum()) for split in SPLITS},
        }
