"""The card of a raw set: what it says is what is in the set, and what it suggests can be trained on as it stands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from ferline.datasets.card import as_text, card_of, sets_under, sheet_of
from ferline.datasets.ingest import ingest
from ferline.datasets.raw import RawSet
from ferline.emotions import EMOTIONS, KNOWN, VOTES
from ferline.errors import FerlineError
from ferline.params import DatasetParams

Row = dict[str, Any]
MakeRows = Callable[..., list[Row]]


def card_for(root: Path, rows: list[Row], name: str = "tiny", **card: Any) -> dict[str, Any]:
    raw = RawSet(root / "data" / "raw" / name)
    raw.append(rows, card=lambda: card)
    return card_of(raw)


def changed(rows: list[Row], **columns: Any) -> list[Row]:
    """The rows with these columns; a function is asked for the value of each place."""
    return [
        row | {name: value(place) if callable(value) else value for name, value in columns.items()}
        for place, row in enumerate(rows)
    ]


def test_it_counts_labels_by_split(tmp_path: Path, make_rows: MakeRows) -> None:
    rows = changed(make_rows(70), split=lambda n: "train" if n < 49 else "test")
    card = card_for(tmp_path, rows)
    assert card["images"] == 70
    assert card["counts"] == {emotion: {"train": 7, "test": 3} for emotion in EMOTIONS}
    assert (card["subjects"], card["sequences"], card["labels_from"]) == (10, 0, "the set")
    lines = as_text(card).splitlines()
    assert f"  {'':12}{'train':>12}{'test':>12}" in lines
    assert f"  {'all':12}{49:>12}{21:>12}" in lines


def test_votes_are_decided_and_what_they_leave_out_is_said(tmp_path: Path, make_rows: MakeRows) -> None:
    def votes(**counts: int) -> list[int]:
        return [counts.get(name.replace(" ", "_"), 0) for name in VOTES]

    said = [votes(happy=10), votes(happy=6, sad=4), votes(happy=5, sad=5), votes(no_face=10), votes(contempt=9)]
    card = card_for(tmp_path, [row | {"label": "fear", "votes": v} for row, v in zip(make_rows(5), said, strict=True)])
    assert card["labels_from"] == "votes, by majority"
    assert card["counts"] == {"happy": {"train": 2}, "contempt": {"train": 1}}
    assert card["left_out"] == {"no majority": 1, "no face": 1}
    assert "  left out    1 no face" in as_text(card)


def test_labels_that_are_no_emotion_and_splits_that_are_none_are_shown(tmp_path: Path, make_rows: MakeRows) -> None:
    card = card_for(tmp_path, [row | {"label": "hungry", "split": "extra"} for row in make_rows(2)])
    assert card["counts"] == {"hungry": {"extra": 2}}
    assert "hungry" in as_text(card)


def by_person(count: int) -> Callable[[int], str]:
    return lambda place: f"p{place % count}"


HELD_OUT = {"subject": None, "split": lambda n: ("train", "test")[n % 3 == 0]}
SUGGESTIONS = {
    "people": ({}, {"protocol": "subject", "folds": 10}),
    "four people": ({"subject": by_person(4)}, {"protocol": "subject", "folds": 4}),
    "three people": ({"subject": by_person(3)}, {"protocol": "subject", "folds": 3}),
    "two people": ({"subject": by_person(2), "split": None}, {"protocol": "random", "folds": 5}),
    "two people and a split": ({**HELD_OUT, "subject": by_person(2)}, {"protocol": "official"}),
    "a person unknown": (
        {"subject": lambda n: f"p{n % 9}" if n else None, "split": None},
        {"protocol": "random", "folds": 5},
    ),
    "videos": (
        {"subject": None, "sequence": lambda n: f"v{n // 7}", "split": None},
        {"protocol": "sequence", "folds": 10},
    ),
    "few people in many videos": (
        {"subject": by_person(2), "sequence": lambda n: f"v{n // 7}"},
        {"protocol": "sequence", "folds": 10},
    ),
    "train and test": (HELD_OUT, {"protocol": "official"}),
    "all three": ({"subject": None}, {"protocol": "official"}),
    "training alone": ({"subject": None, "split": "train"}, {"protocol": "random", "folds": 5}),
    "test alone": ({"subject": None, "split": "test"}, {"protocol": "random", "folds": 5}),
    "some without a split": (
        {"subject": None, "split": lambda n: None if n == 5 else "train"},
        {"protocol": "random", "folds": 5},
    ),
    "nothing known": ({"subject": None, "split": None}, {"protocol": "random", "folds": 5}),
    "eight emotions": (
        {"label": lambda n: KNOWN[n % 8]},
        {"protocol": "subject", "folds": 10, "emotions": list(KNOWN)},
    ),
    "three emotions": (
        {"label": lambda n: ("sad", "angry", "contempt")[n % 3], "subject": None},
        {"protocol": "official", "emotions": ["angry", "sad", "contempt"]},
    ),
}


@pytest.mark.parametrize("known", SUGGESTIONS)
def test_what_it_suggests_is_valid_and_can_be_trained_on(tmp_path: Path, make_rows: MakeRows, known: str) -> None:
    columns, expected = SUGGESTIONS[known]
    card = card_for(tmp_path, changed(make_rows(210), **columns))
    assert card["suggested"] == {"name": "tiny", **expected}
    written = yaml.safe_load(as_text(card).splitlines()[-1])["dataset"]
    assert written == card["suggested"]
    params = DatasetParams(**written)
    samples = ingest(tmp_path, params, tmp_path / "samples")
    assert len(samples) == 210
    assert samples.emotions == params.emotions
    assert set(samples.table["split"]) == {"train", "validation", "test"}
    assert samples.table["fold"].nunique() == params.folds if params.folds else "fold" not in samples.table


def test_a_large_set_is_split_once(tmp_path: Path) -> None:
    rows = [{"id": str(n), "image": b"x%d" % n, "label": EMOTIONS[n % 7], "subject": f"p{n % 50}"} for n in range(5000)]
    assert card_for(tmp_path, rows)["suggested"] == {"name": "tiny", "protocol": "subject"}


@pytest.mark.parametrize("name", ["2024", "yes", "null", "my faces: the good ones", "Übung", "a#b", "1e3"])
def test_a_name_that_yaml_would_read_otherwise_is_quoted(tmp_path: Path, make_rows: MakeRows, name: str) -> None:
    text = as_text(card_for(tmp_path, make_rows(21), name))
    assert yaml.safe_load(text.splitlines()[-1])["dataset"]["name"] == name


def test_no_web_address_is_cut_in_two(tmp_path: Path, make_rows: MakeRows) -> None:
    address = "https://a.example/" + "-".join(["part"] * 30)
    text = as_text(card_for(tmp_path, make_rows(3), where=f"on request, from {address}", terms="words " * 60))
    assert address in text
    assert max(len(line) for line in text.splitlines() if address not in line) <= 100


def test_what_was_added_is_listed_with_options_and_notes(tmp_path: Path, make_rows: MakeRows) -> None:
    once = {"from": "a.csv", "form": "a table", "options": {"map": "glad="}, "notes": ["3 images of 'glad' left out"]}
    lines = as_text(card_for(tmp_path, make_rows(3), title="My set", added=[once, once | {"from": "b.csv"}])).split(
        "\n"
    )
    assert lines[0] == "tiny: My set"
    at = lines.index("  added from a.csv: a table")
    assert lines[at + 1 : at + 3] == ["    map: glad=", "    - 3 images of 'glad' left out"]
    assert "  added from b.csv: a table" in lines[at:]


def test_a_set_without_a_card_has_figures_all_the_same(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "data" / "raw" / "tiny")
    raw.append(make_rows(21))
    text = as_text(card_of(raw))
    assert text.startswith("tiny: a set without a card\n")
    assert "  images      21" in text


def test_a_sheet_has_a_row_an_emotion_and_leaves_a_gap_for_what_cannot_be_read(
    tmp_path: Path, make_rows: MakeRows
) -> None:
    flat = {emotion: 30 * place + 20 for place, emotion in enumerate(EMOTIONS)}
    rows = make_rows(14)
    for row in rows:
        row["image"] = cv2.imencode(".png", np.full((40, 40, 3), (0, 0, flat[row["label"]]), np.uint8))[1].tobytes()
    rows[3]["image"] = b"no image"
    raw = RawSet(tmp_path / "data" / "raw" / "tiny")
    raw.append(rows)
    sheet = sheet_of(ingest(tmp_path, DatasetParams("tiny", protocol="random")), across=2, side=50)
    found = {emotion: int((sheet == (red, 0, 0)).all(axis=2).sum()) for emotion, red in flat.items()}
    assert found == dict.fromkeys(EMOTIONS, 2 * 50 * 50) | {rows[3]["label"]: 50 * 50}


def test_a_sheet_of_images_without_an_emotion_is_refused(tmp_path: Path, make_rows: MakeRows) -> None:
    RawSet(tmp_path / "data" / "raw" / "tiny").append([row | {"label": None} for row in make_rows(50)])
    with pytest.raises(FerlineError, match=r"tiny: none of its images has an emotion to draw it under"):
        sheet_of(ingest(tmp_path, DatasetParams("tiny")))


def test_the_list_says_what_dvc_knows_of_each_set(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = tmp_path / "data" / "raw"
    card_for(tmp_path, make_rows(5), "new", title="Mine")
    card_for(tmp_path, make_rows(6), "kept")
    size = sum(path.stat().st_size for path in (raw / "kept").iterdir())
    (raw / "kept.dvc").write_text(f"outs:\n- md5: 0.dir\n  size: {size}\n  nfiles: 2\n  path: kept\n")
    (raw / "away.dvc").write_text("outs:\n- md5: 0.dir\n  path: away\n")
    (raw / "kept" / ".shard-00001.parquet").write_bytes(b"an append that is under way is no part of the set")
    states = {each["name"]: each["state"] for each in sets_under(tmp_path)}
    assert states == {
        "away": "not here; run `dvc pull data/raw/away.dvc`",
        "kept": "versioned",
        "new": "not versioned; run `dvc add data/raw/new`",
    }
    RawSet(raw / "kept").append(make_rows(7))
    assert sets_under(tmp_path)[1]["state"] == "changed since it was versioned; run `dvc add data/raw/kept`"
    assert sets_under(tmp_path)[2] | {"state": ""} == {
        "name": "new", "title": "Mine", "images": 5, "shards": 1, "state": ""
    }  # fmt: skip


def test_faces_that_are_cut_out_already_are_stored_at_their_own_size(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "data" / "raw" / "tiny")
    raw.append(make_rows(30), card=lambda: {"title": "Tiny", "cropped": True})
    card = card_of(raw)
    assert card["side"] == 40
    lines = "\n".join(as_text(card).splitlines()[-2:])
    assert yaml.safe_load(lines) == {"dataset": card["suggested"], "faces": {"side": 40}}
