"""From a raw set to Samples: what comes along, what is left out and counted, and what a bad set is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferline.datasets.ingest import attributes_of, ingest
from ferline.datasets.raw import RawSet
from ferline.datasets.samples import Samples
from ferline.emotions import EMOTIONS, KNOWN, VOTES
from ferline.errors import FerlineError
from ferline.params import DatasetParams

MakeRows = Callable[..., list[dict[str, Any]]]
MakeSamples = Callable[..., Samples]


def votes(**counts: float) -> list[float]:
    return [float(counts.get(name.replace(" ", "_"), 0)) for name in VOTES]


@pytest.fixture
def raw(tmp_path: Path) -> RawSet:
    return RawSet(tmp_path / "data" / "raw" / "tiny")


def taken(root: Path, **dataset: Any) -> Samples:
    return ingest(root, DatasetParams("tiny", **dataset))


def test_ingest_links_the_shards_and_says_where_it_all_came_from(
    tmp_path: Path, raw: RawSet, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = make_rows(150)
    samples = make_samples(rows, protocol="random", seed=3)
    samples.verify()
    images = [image for _, batch in samples.batches(64) for image in batch]
    assert images == [row["image"] for row in rows]
    shard = "shard-00001.parquet"
    assert (samples.folder / "shards" / shard).samefile(raw.folder / shard)
    dataset = {"name": "tiny", "protocol": "random", "shares": [0.8, 0.1, 0.1], "folds": 0, "seed": 3}
    dataset |= {"emotions": list(EMOTIONS), "labels": "majority", "fraction": 1.0}
    said = {"cropped": False, "shareable": False, "left_out": {}, "split_note": None}
    assert samples.origin == {"dataset": dataset, "raw_digest": raw.digest, **said}
    again = taken(tmp_path, protocol="random", seed=3)
    assert again.digest == samples.digest
    assert taken(tmp_path, protocol="random", seed=4).digest != samples.digest


def test_emotions_that_were_not_chosen_are_left_out_and_counted(
    tmp_path: Path, raw: RawSet, make_rows: MakeRows
) -> None:
    rows = make_rows()
    for row in rows[::30]:
        row["label"] = "contempt"
    raw.append(rows)
    seven, eight = taken(tmp_path), taken(tmp_path, emotions=KNOWN)
    assert (len(seven), seven.emotions) == (203, EMOTIONS)
    assert seven.origin["left_out"] == {"contempt is not among dataset.emotions": 7}
    assert set(seven.table["label"]) == set(EMOTIONS)
    assert (len(eight), eight.emotions, eight.origin["left_out"]) == (210, KNOWN, {})
    assert (eight.table["label"] == "contempt").sum() == 7
    two = taken(tmp_path, emotions=("sad", "angry"))
    assert two.emotions == ("angry", "sad")
    assert len(two) + sum(two.origin["left_out"].values()) == 210
    assert len(two.origin["left_out"]) == 6


@pytest.fixture
def voted(raw: RawSet, make_rows: MakeRows) -> list[dict[str, Any]]:
    """Rows whose own label is angry, whatever was voted; the last two thirds have no votes."""
    rows = make_rows()
    given = [
        votes(happy=8, sad=2),
        votes(happy=4, sad=3, fear=3),
        votes(contempt=9),
        votes(unknown=9),
        votes(no_face=9),
    ]
    for row, each in zip(rows[:70], given * 14, strict=True):
        row |= {"label": "angry", "votes": each}
    raw.append(rows)
    return rows


@pytest.mark.parametrize(
    ("rule", "labels", "left_out"),
    [
        ("majority", ["happy"], {"no majority": 14, "unknown": 14, "no face": 14, "contempt is not among": 14}),
        ("plurality", ["happy"] * 2, {"unknown": 14, "no face": 14, "contempt is not among": 14}),
        ("own", ["angry"] * 5, {}),
    ],
)
def test_labels_follow_the_votes_or_the_sets_own(
    tmp_path: Path, voted: list[dict[str, Any]], rule: Any, labels: list[str], left_out: dict[str, int]
) -> None:
    samples = taken(tmp_path, labels=rule)
    counts = {name.removesuffix(" dataset.emotions"): count for name, count in samples.origin["left_out"].items()}
    assert counts == left_out
    first = samples.table[samples.table["id"].isin([row["id"] for row in voted[:5]])]
    assert first["label"].tolist() == labels
    assert samples.table["label"].tolist()[-140:] == [row["label"] for row in voted[70:]]
    # beside the set's own labels the votes are a second opinion, of every known emotion; of no vote that counts, none
    np.testing.assert_allclose(first["votes"].iloc[0], [0, 0, 0, 0.8, 0.2, 0, 0] + [0] * (rule == "own"))
    if rule == "own":
        assert [votes is None for votes in first["votes"]] == [False, False, False, True, True]
    assert samples.table["votes"].tolist()[-140:] == [None] * 140


def test_votes_are_shares_of_the_chosen_emotions(tmp_path: Path, voted: list[dict[str, Any]]) -> None:
    table = taken(tmp_path, emotions=KNOWN).table
    np.testing.assert_allclose(table["votes"][0], [0, 0, 0, 0.8, 0.2, 0, 0, 0])
    assert table.loc[table["label"] == "contempt", "votes"].map(lambda shares: shares[7]).tolist() == [1.0] * 14


def test_votes_that_are_not_one_number_an_answer_are_refused_by_id(
    tmp_path: Path, raw: RawSet, make_rows: MakeRows
) -> None:
    rows = make_rows()
    rows[8]["votes"] = [1.0] * 7
    raw.append(rows)
    with pytest.raises(FerlineError, match="id 'face-00008': 7 votes, there must be one number for each of angry"):
        taken(tmp_path)


def test_a_fraction_has_every_label_of_every_split_and_a_larger_one_contains_it(
    tmp_path: Path, raw: RawSet, make_rows: MakeRows
) -> None:
    raw.append(make_rows())
    fifth, again, half, other = (
        taken(tmp_path, fraction=share, seed=seed) for share, seed in ((0.2, 0), (0.2, 0), (0.5, 0), (0.2, 1))
    )
    assert fifth.digest == again.digest
    found = fifth.table.groupby(["label", "split"]).size().unstack()
    assert found.to_dict("list") == {"test": [2] * 7, "train": [4] * 7, "validation": [2] * 7}  # of 6, 18 and 6
    assert set(fifth.table["id"]) < set(half.table["id"])
    assert set(fifth.table["id"]) != set(other.table["id"])
    assert len(list(fifth.batches())) > 0


def test_samples_say_whether_their_set_is_cropped(tmp_path: Path, raw: RawSet, make_rows: MakeRows) -> None:
    raw.append(make_rows(), card=lambda: {"cropped": True})
    assert taken(tmp_path).origin["cropped"] is True


def test_faces_of_nobody_may_be_shown_and_others_only_where_the_card_says_so(
    tmp_path: Path, make_rows: MakeRows
) -> None:
    drawn = [row | {"source": "synthetic:seed=7"} for row in make_rows()]
    photographed = make_rows(70)
    for name, rows, card, shareable in (
        ("drawn", drawn, {}, True),
        ("photographed", photographed, {}, False),
        ("both", drawn + [row | {"id": f"more-{row['id']}"} for row in photographed], {}, False),
        ("allowed", photographed, {"shareable": True}, True),
        ("kept", drawn, {"shareable": False}, False),
    ):
        RawSet(tmp_path / "data" / "raw" / name).append(rows, card=lambda card=card: card)
        assert ingest(tmp_path, DatasetParams(name, emotions=EMOTIONS)).origin["shareable"] is shareable, name


def test_the_columns_of_the_set_are_known_before_anything_runs(
    tmp_path: Path, raw: RawSet, make_rows: MakeRows
) -> None:
    first, second, *rest = make_rows()
    raw.append([first | {"attributes": '{"age": 30}'}, second | {"attributes": '{"glasses": "yes"}'}, *rest])
    assert attributes_of(tmp_path, DatasetParams("tiny")) == {"age", "glasses"}


def test_folds_come_along(tmp_path: Path, raw: RawSet, make_rows: MakeRows) -> None:
    raw.append(make_rows())
    samples = taken(tmp_path, protocol="subject", folds=5)
    assert sorted(samples.table["fold"].unique()) == [0, 1, 2, 3, 4]
    assert samples.table.groupby("subject")["fold"].nunique().max() == 1
    assert ((samples.table["split"] == "test") == (samples.table["fold"] == 0)).all()
    assert "fold" not in taken(tmp_path, protocol="subject").table


def test_what_the_protocol_had_to_do_is_noted(tmp_path: Path, raw: RawSet, make_rows: MakeRows) -> None:
    raw.append([row for row in make_rows() if row["split"] != "validation"])
    samples = taken(tmp_path)
    assert samples.origin["split_note"].startswith("The set holds out one part only, its test images")
    assert set(samples.table["split"]) == {"train", "validation", "test"}


def test_a_set_of_which_nothing_is_left_says_why(tmp_path: Path, raw: RawSet, make_rows: MakeRows) -> None:
    rows = [row | {"label": "contempt"} for row in make_rows(6)]
    raw.append([*rows[:4], *({**row, "votes": votes(unknown=9)} for row in rows[4:])])
    said = (
        r"nothing of 'tiny' is left by labels: majority and emotions: \[happy, sad\] "
        r"\(4 contempt is not among dataset.emotions, 2 unknown\)$"
    )
    with pytest.raises(FerlineError, match=said):
        taken(tmp_path, emotions=("happy", "sad"))


def test_an_unknown_set_names_the_known_ones(tmp_path: Path, raw: RawSet, make_rows: MakeRows) -> None:
    raw.append(make_rows(10))
    (tmp_path / "data" / "raw" / "fer2013.dvc").write_text("outs:\n")
    with pytest.raises(FerlineError, match=r"dataset.name: 'nosuch' is no set in .*; known sets here: fer2013, tiny$"):
        ingest(tmp_path, DatasetParams("nosuch"))
    with pytest.raises(FerlineError, match=r"data/raw/fer2013: not here yet; run `dvc pull .*fer2013.dvc`"):
        ingest(tmp_path, DatasetParams("fer2013"))


def test_a_flipped_bit_or_a_lost_shard_says_how_to_get_it_back(
    tmp_path: Path, raw: RawSet, make_rows: MakeRows
) -> None:
    raw.append(make_rows(30))
    shard = raw.folder / "shard-00000.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(FerlineError, match=r"shard-00000.parquet: corrupt"):
        taken(tmp_path)
    shard.unlink()
    (raw.folder.parent / "tiny.dvc").write_text("outs:\n")
    with pytest.raises(FerlineError, match=r"shard-00000.parquet: missing.*`dvc pull --force .*tiny.dvc` brings back"):
        taken(tmp_path)


def test_an_id_in_two_shards_is_refused(tmp_path: Path, raw: RawSet, make_rows: MakeRows) -> None:
    """No append makes such a set; two sets copied into one folder do."""
    other = RawSet(tmp_path / "other")
    raw.append(make_rows(5))
    other.append(make_rows(8, first=3))
    (other.folder / "shard-00000.parquet").rename(raw.folder / "shard-00001.parquet")
    files = raw.manifest | {"shard-00001.parquet": other.manifest["shard-00000.parquet"]}
    (raw.folder / "manifest.json").write_text(json.dumps({"files": files}))
    with pytest.raises(
        FerlineError, match=r"2 ids .* the first is 'face-00003': shard-00000\S+ row 3 and shard-00001\S+ row 0"
    ):
        taken(tmp_path)


def test_an_empty_set_says_so(tmp_path: Path, raw: RawSet) -> None:
    raw.folder.mkdir(parents=True)
    (raw.folder / "manifest.json").write_text('{"files": {}}')
    with pytest.raises(FerlineError, match="holds no images"):
        taken(tmp_path)
