"""Samples to faces: every image decoded, its face found, levelled and cut out, on all cores and in bounded memory."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from ferline.artifact import staging, write_json
from ferline.datasets.samples import Samples
from ferline.emotions import indices_of
from ferline.errors import FerlineError
from ferline.faces.cropper import FaceCropper
from ferline.faces.faceset import FaceSet, ImageWriter
from ferline.faces.report import FailureSample, picture_of, write_report, write_sheets
from ferline.images.decode import UnreadableImage, decode
from ferline.images.parallel import in_order
from ferline.params import FaceParams

# Images a task. Photos of 4 MB each hold 0.4 GB in the tasks in flight on 2 cores; 48 x 48 ones are 2 ms of work.
BATCH = 16
NO_FACE = "no face found"

TABLE_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "label": pa.int64(),
        "votes": pa.list_(pa.float32()),
        **dict.fromkeys(["subject", "sequence", "split", "source", "sha256", "attributes"], pa.string()),
        "fold": pa.int32(),  # null: the set has one split
        "found": pa.bool_(),  # null: the set is cropped already, no face was looked for
        "faces": pa.int32(),
        "levelled": pa.bool_(),
        "box": pa.list_(pa.int32()),
    }
)
QUARANTINE_SCHEMA = pa.schema(dict.fromkeys(["id", "source", "reason"], pa.string()))


class _Outcome(NamedTuple):
    """What is kept of an image besides its crop; the names are those of the columns."""

    reason: str | None  # why it is set aside; None: it is not
    found: bool | None = None
    faces: int | None = None
    levelled: bool = False
    box: tuple[int, int, int, int] | None = None  # None: it could not be read


class _Done(NamedTuple):
    outcome: _Outcome
    image: np.ndarray | None = None  # the crop, unless it is set aside
    failure: np.ndarray | None = None  # the whole image, small, where no face was found


def crop(samples: Samples, params: FaceParams, target: Path | None = None) -> FaceSet:
    """The face of every sample. What has none that can be used is in quarantine.parquet, with the reason.

    The bytes depend on the samples and the parameters alone, not on the number of workers.
    """
    _require_labels(samples)
    origin = _origin(samples, params)
    with staging(target) as folder:
        rows, outcomes, failures = _write_images(folder, samples, params)
        table = samples.table.loc[rows].reset_index(drop=True)
        table = table.join(pd.DataFrame(outcomes, columns=list(_Outcome._fields), dtype=object))
        kept = table[table["reason"].isna()].copy()
        if kept.empty:
            first = table.iloc[0]
            raise FerlineError(
                f"{samples.folder}: none of {len(table)} images can be used; {first['id']}: {first['reason']}"
            )
        kept["label"] = indices_of(kept["label"], samples.emotions)
        _write_table(folder / "faces.parquet", kept, TABLE_SCHEMA)
        _write_table(folder / "quarantine.parquet", table[table["reason"].notna()], QUARANTINE_SCHEMA)
        write_json(folder / "origin.json", origin)
        write_report(folder, table)
        write_sheets(folder, FaceSet(folder).images, kept["label"].to_numpy(np.int64), samples.emotions, failures)
    return FaceSet(target or folder)


def _write_images(
    folder: Path, samples: Samples, params: FaceParams
) -> tuple[list[int], list[_Outcome], list[np.ndarray]]:
    """images.npy; the samples' rows in the order taken, what became of each, and some failures to look at."""
    cropper, failures = FaceCropper(params, samples.origin.get("cropped", False)), FailureSample()
    rows: list[int] = []
    outcomes: list[_Outcome] = []

    def work(batch: tuple[pd.DataFrame, list[bytes]]) -> list[_Done]:
        return [_process(cropper, data) for data in batch[1]]

    with (
        ImageWriter(folder, None, params.side, 1 if params.colour == "grey" else 3) as writer,
        tqdm(total=len(samples), desc="faces", unit="image", disable=None) as bar,
        closing(in_order(work, _batches(samples), params.workers)) as stream,
    ):
        for (part, _), done in stream:
            if images := [each.image for each in done if each.image is not None]:
                writer.append(np.stack(images))
            for each in done:
                if each.failure is not None:
                    failures.add(each.failure)
            rows += part.index.tolist()
            outcomes += [each.outcome for each in done]
            bar.update(len(done))
    return rows, outcomes, failures.pictures


def _batches(samples: Samples) -> Iterator[tuple[pd.DataFrame, list[bytes]]]:
    try:
        yield from samples.batches(BATCH)
    except (OSError, pa.ArrowException) as error:  # or it would be taken for a fault of the folder written to
        raise FerlineError(f"{samples.folder}: a shard cannot be read ({error}). Make or pull it again") from error


def _process(cropper: FaceCropper, data: bytes) -> _Done:
    try:
        rgb = decode(data)
    except UnreadableImage as error:
        return _Done(_Outcome(str(error)))
    result = cropper.crop(rgb)
    failed = result.found is False
    aside = failed and cropper.params.when_none == "quarantine"
    outcome = _Outcome(NO_FACE if aside else None, result.found, result.faces, result.levelled, result.box)
    return _Done(outcome, None if aside else result.image, picture_of(rgb) if failed else None)


def _origin(samples: Samples, params: FaceParams) -> dict[str, Any]:
    """What came in and how it was cropped: enough to crop a new image in the same way. Workers change nothing in it."""
    preprocessing = {key: value for key, value in asdict(params).items() if key != "workers"}
    return {**samples.origin, "data_digest": samples.digest, "preprocessing": preprocessing}


def _require_labels(samples: Samples) -> None:
    if not len(samples):
        raise FerlineError(f"{samples.folder}: holds no images, so there are no faces to crop")
    unknown = samples.table[~samples.table["label"].isin(samples.emotions)]
    if len(unknown):
        first = unknown.iloc[0]
        raise FerlineError(
            f"{samples.folder}: {len(unknown)} rows are labelled with none of dataset.emotions, the first is "
            f"{first['id']}: {first['label']!r}. Validate the samples first"
        )


def _write_table(path: Path, table: pd.DataFrame, schema: pa.Schema) -> None:
    """With the schema's columns and nothing of pandas' own beside it, whose version would be part of the digest."""
    pq.write_table(
        pa.Table.from_pandas(table.reindex(columns=schema.names), schema, preserve_index=False).replace_schema_metadata(
            None
        ),
        path,
    )
