"""The card of a raw set: what is in it, where it came from, on which terms, and how to train on it."""

import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ferline.artifact import MANIFEST
from ferline.datasets.labels import labelled
from ferline.datasets.raw import RawSet
from ferline.datasets.samples import SPLITS, Samples
from ferline.datasets.splits import named
from ferline.emotions import EMOTIONS, KNOWN, in_order
from ferline.errors import FerlineError
from ferline.images.decode import UnreadableImage, decode, size_of
from ferline.images.sheet import contact_sheet
from ferline.params import DatasetParams

_WIDTH = 100
_LOOKED_AT = 64  # images whose size is read for the card
_SMALL = 5_000  # images; below, one split's test part is too small to tell models apart, and folds are suggested


def card_of(raw: RawSet) -> dict[str, Any]:
    """Everything on the card as plain data."""
    table = raw.table
    voted = bool(table["votes"].notna().any())
    decided, left_out = labelled(table, DatasetParams(raw.name, emotions=KNOWN))
    return {
        "name": raw.name,
        "digest": raw.digest,
        **raw.card,
        "images": len(table),
        "labels_from": "votes, by majority" if voted else "the set",
        "left_out": left_out,
        "counts": _counts(decided),
        "subjects": int(table.loc[named(table, "subject"), "subject"].nunique()),
        "sequences": int(table.loc[named(table, "sequence"), "sequence"].nunique()),
        "side": _side(raw),
        "suggested": suggested(raw.name, decided),
    }


def _side(raw: RawSet) -> int | None:
    """The shorter side in pixels of the set's first images, the median; None where none of them can be read."""
    sides = []
    for shard in raw.shards[:1]:
        first = next(pq.ParquetFile(raw.folder / shard).iter_batches(batch_size=_LOOKED_AT, columns=["image"]))
        for image in first.column(0).to_pylist():
            with suppress(UnreadableImage):
                sides.append(min(size_of(image)))
    return int(np.median(sides)) if sides else None


def suggested(name: str, table: pd.DataFrame) -> dict[str, Any]:
    """The lines of params.yaml that fit the set: the most honest protocol that it allows, its own emotions."""
    lines: dict[str, Any] = {"name": name}
    # Fewer than three people cannot stand on three sides.
    groups = {column: table[column].nunique() for column in ("subject", "sequence") if named(table, column).all()}
    held = table["split"].isin(SPLITS).all() and {"train"} < set(table["split"])
    kind = next((name for name, count in groups.items() if count >= len(SPLITS)), "official" if held else "random")
    lines["protocol"] = kind
    if kind != "official" and len(table) < _SMALL:
        lines["folds"] = int(min(10, groups.get(kind, 5)))
    if (own := in_order(set(table["label"].dropna()))) != EMOTIONS and len(own) >= 2:
        lines["emotions"] = list(own)
    return lines


def as_text(card: dict[str, Any]) -> str:
    lines = [f"{card['name']}: {card.get('title', 'a set without a card')}", ""]
    lines += [f"  images      {card['images']:,}"]
    lines += [f"  {name:11} {card[name]:,}" for name in ("subjects", "sequences") if card[name]]
    lines += [f"  pixels      {card['side']} on the shorter side (median of the first)"] if card["side"] else []
    lines += [f"  labels from {card['labels_from']}"]
    lines += [f"  left out    {count:,} {reason}" for reason, count in card["left_out"].items()]
    lines += [f"  digest      {card['digest'][:12]}", "", *_table(card["counts"]), ""]
    for name in ("terms", "where", "citation"):
        if card.get(name):
            lines += _wrapped(card[name], f"  {name:9} ", " " * 12)
    for each in card.get("added", []):
        lines += ["", f"  added from {each['from']}: {each['form']}"]
        lines += [f"    {key}: {value}" for key, value in each["options"].items()]
        lines += [line for note in each["notes"] for line in _wrapped(note, "    - ", " " * 6)]
    lines += ["", "  to train on it, write in params.yaml:", f"    dataset: {_yaml(card['suggested'])}"]
    if card.get("cropped") and card["side"]:
        lines.append(f"    faces: {{side: {min(max(card['side'], 24), 1024)}}}  # the images are faces of that size")
    return "\n".join(lines)


def _wrapped(text: str, first: str, next_: str) -> list[str]:
    """Lines that cut no web address in two."""
    wrapper = textwrap.TextWrapper(
        _WIDTH, initial_indent=first, subsequent_indent=next_, break_long_words=False, break_on_hyphens=False
    )
    return wrapper.wrap(text)


def sheet_of(samples: Samples, across: int = 10, side: int = 96, seed: int = 0) -> np.ndarray:
    """uint8[H,W,3]: a row of examples for every emotion, drawn over the whole set."""
    table = samples.table
    labels = in_order(set(table["label"].dropna()))
    if not labels:
        raise FerlineError(f"{samples.origin['dataset']['name']}: none of its images has an emotion to draw it under")
    rng = np.random.default_rng(seed)
    places = {}
    for label in labels:
        own = table.index[table["label"] == label].to_numpy()
        places[label] = np.sort(rng.choice(own, min(across, len(own)), replace=False))
    chosen = Samples(samples.folder)
    wanted = table.index.isin(np.concatenate(list(places.values())))
    chosen.table = table[wanted]
    pictures = {
        row: _picture(image) for rows, images in chosen.batches() for row, image in zip(rows.index, images, strict=True)
    }
    return contact_sheet([[pictures[row] for row in places[label]] for label in labels], labels, [], side)


def sets_under(root: Path) -> list[dict[str, Any]]:
    """A line for every set that DVC or the disk knows, in order of name."""
    folder = root / "data" / "raw"
    names = {path.stem for path in folder.glob("*.dvc")}
    names |= {path.parent.name for path in folder.glob(f"*/{MANIFEST}")}
    return [_line(RawSet(folder / name)) for name in sorted(names)]


def _line(raw: RawSet) -> dict[str, Any]:
    if not (raw.folder / MANIFEST).exists():
        return {"name": raw.name, "state": f"not here; run `dvc pull data/raw/{raw.name}.dvc`"}
    card = raw.card
    return {
        "name": raw.name,
        "title": card.get("title", ""),
        "images": len(raw),
        "shards": len(raw.shards),
        "state": _state(raw),
    }


def _state(raw: RawSet) -> str:
    """What DVC knows of the set, told by its size: a set only grows, and hashing it takes as long as `dvc status`."""
    import yaml

    pointer, run = raw.folder.with_name(f"{raw.name}.dvc"), f"run `dvc add data/raw/{raw.name}`"
    if not pointer.exists():
        return f"not versioned; {run}"
    size = sum((raw.folder / name).stat().st_size for name in (*raw.manifest, MANIFEST))
    known = yaml.safe_load(pointer.read_text())["outs"][0].get("size")
    return "versioned" if known in (size, None) else f"changed since it was versioned; {run}"


def _counts(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Images of every label in every split of the set's own."""
    splits = table["split"].fillna("no split")
    found = pd.crosstab(table["label"].fillna("no label"), splits)
    rows = [*in_order(found.index), *sorted(set(found.index) - set(KNOWN))]
    columns = [*(split for split in SPLITS if split in found), *sorted(set(found.columns) - set(SPLITS))]
    return {str(row): {str(column): int(found.loc[row, column]) for column in columns} for row in rows}


def _table(counts: dict[str, dict[str, int]]) -> list[str]:
    splits = list(next(iter(counts.values()), {}))
    total = {split: sum(row[split] for row in counts.values()) for split in splits}
    head = f"  {'':12}" + "".join(f"{split:>12}" for split in splits)
    body = [f"  {label:12}" + "".join(f"{row[s]:>12,}" for s in splits) for label, row in counts.items()]
    return [head, *body, f"  {'all':12}" + "".join(f"{total[split]:>12,}" for split in splits)]


def _yaml(values: dict[str, Any]) -> str:
    """On one line; a set that is called 2024 or yes gets its quotes."""
    import yaml

    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1_000).strip()


def _picture(image: bytes) -> np.ndarray | None:
    try:
        return decode(image)
    except UnreadableImage:
        return None
