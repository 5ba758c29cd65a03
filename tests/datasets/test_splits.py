"""The three protocols: who is where is a matter of the rows and the seed, and nobody is where they must not be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ferline.datasets.ingest import ingest
from ferline.datasets.raw import RawSet
from ferline.datasets.samples import SPLITS, Samples
from ferline.datasets import protocols
from ferline.datasets.splits import leaks
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.params import DatasetParams

def assign(table: pd.DataFrame, params: DatasetParams) -> pd.Series:
    return protocols.assign(table, params).split


MakeRows = Callable[..., list[dict[str, Any]]]
MakeSamples = Callable[..., Samples]


def people(count: int, images: int = 21, seed: int = 0) -> pd.DataFrame:
    """A table of `count` persons with about `images` images each, labels in FER2013's proportions."""
    random = np.random.default_rng(seed)
    sizes = random.integers(images // 2, images * 3 // 2 + 1, count)
    number = int(sizes.sum())
    labels = random.choice(EMOTIONS, number, p=[0.14, 0.02, 0.14, 0.25, 0.17, 0.11, 0.17])
    return pd.DataFrame(
        {
            "id": [f"i{n}" for n in range(number)],
            "label": labels,
            "subject": np.repeat([f"p{n}" for n in range(count)], sizes),
            "split": None,
            "sha256": [f"{n:064x}" for n in range(number)],
        }
    )


def shares_of(table: pd.DataFrame, splits: pd.Series) -> pd.DataFrame:
    return pd.crosstab(table["label"], splits, normalize="index")[list(SPLITS)]


def test_official_is_the_sets_own_split() -> None:
    table = people(6).assign(split=lambda t: np.resize(["test", "train", "validation"], len(t)))
    assert assign(table, DatasetParams("x")).tolist() == table["split"].tolist()


def test_official_refuses_images_without_a_split_saying_how_many_and_what_to_write() -> None:
    table = people(6).assign(split="train")
    table.loc[[3, 5], "split"] = None
    with pytest.raises(FerlineError, match=r"2 of \d+ images have no split \(first: i3, i5\). Write protocol: random"):
        assign(table, DatasetParams("x"))


def test_official_refuses_splits_it_does_not_know() -> None:
    table = people(6).assign(split="Training")
    with pytest.raises(FerlineError, match=r"one of train, validation, test; (\d+) of \1 images have 'Training'"):
        assign(table, DatasetParams("x"))


def test_official_without_validation_images_draws_them_from_training_and_leaves_test_alone() -> None:
    table = people(40).assign(
        split=lambda t: np.where(t["subject"].isin([f"p{n}" for n in range(10)]), "test", "train")
    )
    splits = assign(table, DatasetParams("x"))
    assert ((splits == "test") == (table["split"] == "test")).all()
    train = table["split"] == "train"
    assert (splits[train] == "validation").mean() == pytest.approx(1 / 9, abs=0.02)
    assert leaks(table, splits) == []  # the persons are known, so they are kept apart
    unknown = table.assign(subject=None)
    assert (assign(unknown, DatasetParams("x"))[train] == "validation").mean() == pytest.approx(1 / 9, abs=0.01)


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.5, 0.2, 0.3)])
def test_random_gives_every_label_its_shares(shares: tuple[float, float, float]) -> None:
    table = people(60)
    splits = assign(table, DatasetParams("x", protocol="random", shares=shares))
    assert np.abs(shares_of(table, splits).to_numpy() - shares).max() < 0.02


def test_random_gives_even_a_label_of_three_images_one_in_every_split() -> None:
    table = people(10)
    table.loc[:2, "label"] = "contempt"
    splits = assign(table, DatasetParams("x", protocol="random"))
    assert sorted(splits[:3]) == ["test", "train", "validation"]


@pytest.mark.parametrize("protocol", ["random", "subject"])
def test_a_seed_is_a_split_whatever_the_order_of_the_rows(protocol: Any) -> None:
    table = people(30)
    splits = assign(table, DatasetParams("x", protocol=protocol, seed=1))
    shuffled = table.sample(frac=1, random_state=0)
    assert assign(shuffled, DatasetParams("x", protocol=protocol, seed=1)).sort_index().equals(splits)
    other = assign(table, DatasetParams("x", protocol=protocol, seed=2))
    assert (other != splits).mean() > 0.1


def test_random_keeps_nearly_every_image_where_it_was_when_a_set_grows() -> None:
    """A champion that is scored again on the grown set must not meet its own training images there."""
    table = people(120)
    small, large = table[: len(table) // 2], table
    before, after = (assign(part, DatasetParams("x", protocol="random")) for part in (small, large))
    assert (before == after[: len(small)]).mean() > 0.95


def test_random_never_parts_exact_copies() -> None:
    table = people(30)
    table["sha256"] = np.resize(table["sha256"][: len(table) // 3], len(table))
    splits = assign(table, DatasetParams("x", protocol="random"))
    assert splits.groupby(table["sha256"]).nunique().max() == 1


@pytest.mark.parametrize(("count", "tolerance"), [(10, 0.06), (120, 0.02)])
def test_subject_keeps_every_person_on_one_side(count: int, tolerance: float) -> None:
    table = people(count)
    splits = assign(table, DatasetParams("x", protocol="subject"))
    assert leaks(table, splits) == []
    share = splits.value_counts(normalize=True)
    assert [share[split] for split in SPLITS] == pytest.approx((0.8, 0.1, 0.1), abs=tolerance)


def test_subject_balances_labels_that_only_some_persons_show() -> None:
    """Half of the persons are only ever happy, the others never are."""
    table = people(60)
    happy = table["subject"].str[1:].astype(int) % 2 == 0
    table["label"] = np.where(happy, "happy", "sad")
    splits = assign(table, DatasetParams("x", protocol="subject"))
    assert np.abs(shares_of(table, splits).to_numpy() - (0.8, 0.1, 0.1)).max() < 0.04


def test_subject_puts_somebody_in_every_split_even_of_three_persons() -> None:
    splits = assign(people(3), DatasetParams("x", protocol="subject"))
    assert set(splits) == set(SPLITS)


def test_subject_needs_three_persons() -> None:
    with pytest.raises(FerlineError, match=r"needs 3 subjects or more.*found 2"):
        assign(people(2), DatasetParams("x", protocol="subject"))


def test_subject_refuses_images_of_nobody_saying_how_many() -> None:
    table = people(10)
    table.loc[[4, 6], "subject"] = [None, ""]
    with pytest.raises(FerlineError, match=r"2 of \d+ images have no subject \(first: i4, i6\). Write protocol"):
        assign(table, DatasetParams("x", protocol="subject"))


def test_leaks_names_who_is_on_both_sides() -> None:
    table = pd.DataFrame({"subject": ["b", "b", "a", "a", None, None, "c"]})
    splits = pd.Series(["train", "test", "test", "train", "train", "test", "train"])
    assert leaks(table, splits) == ["a", "b"]


def test_ingest_links_the_shards_and_says_where_it_all_came_from(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    rows = make_rows(150)
    samples = make_samples(rows, protocol="random", seed=3)
    samples.verify()
    images = [image for _, batch in samples.batches(64) for image in batch]
    assert images == [row["image"] for row in rows]
    shard = "shard-00001.parquet"
    assert (samples.folder / "shards" / shard).samefile(tmp_path / "data" / "raw" / "tiny" / shard)
    raw = RawSet(tmp_path / "data" / "raw" / "tiny")
    dataset = {"name": "tiny", "protocol": "random", "shares": [0.8, 0.1, 0.1], "folds": 0, "seed": 3}
    dataset |= {"emotions": list(EMOTIONS), "labels": "majority", "fraction": 1.0}
    said = {"cropped": False, "left_out": {}, "split_note": None}
    assert samples.origin == {"dataset": dataset, "raw_digest": raw.digest, **said}
    again = ingest(tmp_path, DatasetParams("tiny", protocol="random", seed=3))
    assert again.digest == samples.digest
    assert ingest(tmp_path, DatasetParams("tiny", protocol="random", seed=4)).digest != samples.digest


def test_ingest_of_an_unknown_set_names_the_known_ones(
    tmp_path: Path, make_rows: MakeRows, make_samples: MakeSamples
) -> None:
    make_samples(make_rows(10), protocol="random")
    (tmp_path / "data" / "raw" / "fer2013.dvc").write_text("outs:\n")
    with pytest.raises(FerlineError, match=r"dataset.name: 'nosuch' is no set in .*; known sets here: fer2013, tiny$"):
        ingest(tmp_path, DatasetParams("nosuch"))
    with pytest.raises(FerlineError, match=r"data/raw/fer2013: not here yet; run `dvc pull .*fer2013.dvc`"):
        ingest(tmp_path, DatasetParams("fer2013"))


def test_ingest_of_a_flipped_bit_or_a_lost_shard_says_how_to_get_it_back(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "data" / "raw" / "tiny")
    raw.append(make_rows(30))
    shard = raw.folder / "shard-00000.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(FerlineError, match=r"shard-00000.parquet: corrupt"):
        ingest(tmp_path, DatasetParams("tiny"))
    shard.unlink()
    (raw.folder.parent / "tiny.dvc").write_text("outs:\n")
    with pytest.raises(FerlineError, match=r"shard-00000.parquet: missing.*`dvc pull --force .*tiny.dvc` brings back"):
        ingest(tmp_path, DatasetParams("tiny"))


def test_ingest_refuses_an_id_in_two_shards(tmp_path: Path, make_rows: MakeRows) -> None:
    """No append makes such a set; two sets copied into one folder do."""
    raw, other = RawSet(tmp_path / "data" / "raw" / "tiny"), RawSet(tmp_path / "other")
    raw.append(make_rows(5))
    other.append(make_rows(8, first=3))
    (other.folder / "shard-00000.parquet").rename(raw.folder / "shard-00001.parquet")
    files = raw.manifest | {"shard-00001.parquet": other.manifest["shard-00000.parquet"]}
    (raw.folder / "manifest.json").write_text(json.dumps({"files": files}))
    with pytest.raises(
        FerlineError, match=r"2 ids .* the first is 'face-00003': shard-00000\S+ row 3 and shard-00001\S+ row 0"
    ):
        ingest(tmp_path, DatasetParams("tiny"))


def test_ingest_of_an_empty_set_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "raw" / "tiny"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"files": {}}')
    with pytest.raises(FerlineError, match="holds no images"):
        ingest(tmp_path, DatasetParams("tiny"))
