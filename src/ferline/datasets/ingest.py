"""From a raw set under data/raw/ to Samples: its bytes verified, its labels decided, its images split."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ferline.datasets.labels import labelled
from ferline.datasets.protocols import assign
from ferline.datasets.raw import RawSet
from ferline.datasets.samples import Samples
from ferline.datasets.splits import a_part
from ferline.emotions import KNOWN, in_order
from ferline.errors import FerlineError
from ferline.params import DatasetParams


def ingest(root: Path, params: DatasetParams, target: Path | None = None) -> Samples:
    """The Samples of the raw set that `params` names, under the project's folder `root`."""
    raw = _verified(require_set(root, params))
    table, told = _split(raw, params)
    origin = {
        "dataset": asdict(params),
        "raw_digest": raw.digest,
        "cropped": raw.card.get("cropped", False),
        "shareable": raw.card.get("shareable", _drawn(table)),
    }
    return Samples.write(table, raw.folder, target, origin | told)


def _drawn(table: pd.DataFrame) -> bool:
    """Faces of nobody may be shown; of any other set its card must say so."""
    return bool(table["source"].astype("str").str.startswith("synthetic:").all())


def require_splittable(root: Path, params: DatasetParams) -> None:
    """Refuse emotions and a protocol that do not fit the set before anything runs; no image is read for it."""
    raw = require_set(root, params)
    table, _ = _split(raw, params)
    if absent := [emotion for emotion in params.emotions if not (table["label"] == emotion).any()]:
        there = in_order(set(labelled(raw.table, replace(params, emotions=KNOWN))[0]["label"].dropna()))
        raise FerlineError(
            f"dataset.emotions: {params.name} has no image of {', '.join(absent)}. It has [{', '.join(there)}]"
        )


def attributes_of(root: Path, params: DatasetParams) -> set[str]:
    """The columns of the set's own, by which its faces can be told apart."""
    said = require_set(root, params).table["attributes"].dropna().unique()
    return {key for text in said for key in json.loads(text)}


def _split(raw: RawSet, params: DatasetParams) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The set's table with labels and splits decided, and what a reader of it should be told."""
    table = raw.table
    if not len(table):
        raise FerlineError(f"{raw.folder}: holds no images; add some before anything is trained on it")
    _require_unique_ids(table, raw.folder)
    table, left_out = labelled(table, params)
    _require_some(table, left_out, params)
    if params.fraction < 1:
        table = table[a_part(table, params.fraction, params.seed)].reset_index(drop=True)
    split, fold, note = assign(table, params)
    table = table.assign(split=split) if fold is None else table.assign(split=split, fold=fold)
    return table, {"left_out": left_out, "split_note": note}


def _require_some(table: pd.DataFrame, left_out: dict[str, int], params: DatasetParams) -> None:
    if table.empty:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        raise FerlineError(
            f"dataset: nothing of {params.name!r} is left by labels: {params.labels} and "
            f"emotions: [{', '.join(params.emotions)}] ({counts})"
        )


def dataset_named(name: str, **values: Any) -> DatasetParams:
    """For what is typed on a command line: checked as params.yaml is, and refused in one line."""
    try:
        return DatasetParams(name, **values)
    except ValueError as error:
        raise FerlineError(str(error)) from None


def require_set(root: Path, params: DatasetParams) -> RawSet:
    """The raw set, where it is there; otherwise what to do. Reads no image, so it can be asked before anything runs."""
    folder, name = root / "data" / "raw", params.name
    known = sorted(
        {path.stem for path in folder.glob("*.dvc")}
        | {path.name for path in folder.glob("*") if path.is_dir() and not path.name.startswith(".")}
    )
    if name not in known:
        here = ", ".join(known) or "none yet"
        raise FerlineError(f"dataset.name: {name!r} is no set in {folder}; known sets here: {here}")
    raw = RawSet(folder / name)
    if not raw.folder.exists():
        raise FerlineError(f"{raw.folder}: not here yet; run `dvc pull {_pointer(raw)}`")
    return raw


def _verified(raw: RawSet) -> RawSet:
    try:
        return raw.verify()
    except FerlineError as error:
        if not _pointer(raw).exists():
            raise
        raise FerlineError(f"{error}. `dvc pull --force {_pointer(raw)}` brings back what DVC holds") from None


def _pointer(raw: RawSet) -> Path:
    return raw.folder.with_name(f"{raw.folder.name}.dvc")


def _require_unique_ids(table: pd.DataFrame, folder: Path) -> None:
    twice = table[table["id"].duplicated(keep=False)].sort_values("id", kind="stable")
    if len(twice):
        one = twice[twice["id"] == twice["id"].iloc[0]]
        places = " and ".join(f"{shard} row {row}" for shard, row in zip(one["shard"], one["row"], strict=True))
        raise FerlineError(
            f"{folder}: {twice['id'].nunique():,} ids are used more than once, the first is "
            f"{one['id'].iloc[0]!r}: {places}. Every image needs an id of its own"
        )
