import os
from pathlib import Path

import numpy as np
import pytest
from drift_pictures import face, png

from ferline.datasets.raw import RawSet
from ferline.drift.batches import Batch, find
from ferline.errors import FerlineError
from ferline.params import DatasetParams

IMAGES = [png(face(number)) for number in range(60)]
MINE = DatasetParams("mine", emotions=("angry", "happy", "sad"))


def read(batch: Batch, size: int = 16) -> dict[str, bytes]:
    found = {}
    for rows, sources in batch.sources(size):
        assert 1 <= len(rows) == len(sources) <= size
        for name, source in zip(rows["id"], sources, strict=True):
            found[name] = source if isinstance(source, bytes) else source.read_bytes()
    return found


def test_a_sets_name_is_all_of_its_images_with_people_and_checksums(make_set, tmp_path):
    raw = make_set("mine", IMAGES)
    batch = find("mine", tmp_path, MINE)
    assert read(batch) == {f"mine-{number:03}": image for number, image in enumerate(IMAGES)}
    assert batch.table["subject"].tolist() == raw.table["subject"].tolist()
    assert (batch.cropped, batch.there, batch.known) == (True, 60, frozenset(raw.table["sha256"]))


def test_a_split_of_the_set_that_the_pipeline_trains_on_is_the_pipelines(make_set, tmp_path):
    make_set("mine", IMAGES)
    own = find("mine:test", tmp_path, DatasetParams("mine", emotions=("angry", "happy", "sad")))
    assert sorted(set(own.table["subject"])) == ["p3", "p7"]
    drawn = find("mine:test", tmp_path, DatasetParams("mine", "subject", emotions=("angry", "happy", "sad"), seed=3))
    assert drawn.there < 60
    assert sorted(set(drawn.table["subject"])) != ["p3", "p7"]
    assert set(read(drawn)) == set(drawn.table["id"])


def test_a_split_of_another_set_is_the_one_that_its_card_suggests(make_set, tmp_path):
    make_set("mine", IMAGES)
    parts = [find(f"mine:{split}", tmp_path, DatasetParams("other")) for split in ("train", "validation", "test")]
    assert sum(part.there for part in parts) == 60
    assert not set(parts[0].table["subject"]) & set(parts[2].table["subject"])


def test_a_folder_is_every_image_below_it(make_folder, tmp_path):
    folder = make_folder("new", IMAGES[:30])
    (folder / "readme.txt").write_text("no image")
    batch = find(str(folder), tmp_path, MINE)
    assert (batch.there, batch.cropped) == (30, None)
    assert batch.table["subject"].isna().all()
    assert sorted(read(batch).values()) == sorted(IMAGES[:30])


def test_a_folder_may_tell_its_people_by_a_pattern(make_folder, tmp_path):
    folder = make_folder("new", IMAGES[:30], people=5)
    (folder / "loose.png").write_bytes(IMAGES[30])
    batch = find(str(folder), tmp_path, MINE, r"^(p\d+)/")
    assert batch.table["subject"].nunique() == 5
    assert batch.table.loc[batch.table["subject"].isna(), "id"].tolist() == ["loose.png"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(q\d+)", r"--subject: '\(q\\\\d\+\)' finds nobody in any of 30 images, such as p0/000.png"),
        (r"p\d+", "has 0 groups; put the part that names the person in parentheses"),
        ("(p", "is no regular expression"),
    ],
)
def test_a_pattern_that_finds_nobody_is_refused(make_folder, tmp_path, pattern, said):
    with pytest.raises(FerlineError, match=said):
        find(str(make_folder("new", IMAGES[:30])), tmp_path, MINE, pattern)


def test_the_seed_draws_and_the_same_seed_draws_the_same(make_set, tmp_path):
    make_set("mine", IMAGES)
    batch = find("mine", tmp_path, MINE)
    first, again, other = (batch.drawn(20, seed).table["id"].tolist() for seed in (4, 4, 5))
    assert first == again != other
    assert len(set(first)) == 20
    assert first == sorted(first)  # in the order of the shards, each of which is opened once
    assert batch.drawn(99, 0).table["id"].tolist() == batch.table["id"].tolist()
    assert set(read(batch.drawn(20, 4))) == set(first)


def test_what_should_come_last_is_drawn_only_where_there_is_too_little_else(make_set, tmp_path):
    make_set("mine", IMAGES)
    batch = find("mine", tmp_path, MINE)
    last = np.arange(60) < 45
    assert batch.drawn(15, 0, last).table["id"].tolist() == batch.table["id"].tolist()[45:]
    more = batch.drawn(20, 0, last).table["id"]
    assert set(batch.table["id"].tolist()[45:]) < set(more)
    assert len(more) == 20


def test_a_folders_checksums_are_those_of_its_files_once_drawn(make_folder, make_set, tmp_path):
    folder, raw = make_folder("new", IMAGES[:30]), make_set("mine", IMAGES)
    batch = find(str(folder), tmp_path, MINE)
    assert not batch.hashed
    drawn = batch.drawn(30, 0)
    assert drawn.hashed
    assert drawn.known == frozenset(raw.table["sha256"][:30])


def test_an_empty_file_and_one_that_may_not_be_read_match_nothing(make_folder, tmp_path):
    folder = make_folder("new", IMAGES[:20])
    (folder / "empty.png").write_bytes(b"")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    drawn = find(str(folder), tmp_path, MINE).drawn(99, 0)
    assert len(drawn.table) == 22
    assert len(drawn.known) == 20


def test_a_set_wins_over_a_folder_of_its_name_and_a_path_means_the_folder(make_set, make_folder, tmp_path, monkeypatch):
    make_set("mine", IMAGES)
    make_folder("mine", IMAGES[:20])
    monkeypatch.chdir(tmp_path)
    assert find("mine", Path(), MINE).there == 60
    assert find("./mine", Path(), MINE).there == 20


def test_a_name_that_is_nothing_lists_the_sets(make_set, tmp_path):
    make_set("mine", IMAGES)
    with pytest.raises(FerlineError, match=r"their: neither a set in .*data/raw \(there: mine\) nor a folder"):
        find("their", tmp_path, MINE)


def test_a_split_that_does_not_exist_lists_those_that_do(make_set, tmp_path):
    make_set("mine", IMAGES)
    with pytest.raises(FerlineError, match=r"mine:tset: no split of that name; write one of train, validation, test"):
        find("mine:tset", tmp_path, MINE)


def test_a_set_that_only_dvc_knows_says_how_to_get_it(tmp_path):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "mine.dvc").write_text("outs: []\n")
    with pytest.raises(FerlineError, match=r"not here yet; run `dvc pull"):
        find("mine", tmp_path, MINE)


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("")
    with pytest.raises(FerlineError, match=r"empty: no images in this folder or below it \(\.bmp"):
        find(str(tmp_path / "empty"), tmp_path, MINE)


def test_the_path_of_a_raw_set_is_told_to_be_one(make_set, tmp_path):
    raw: RawSet = make_set("mine", IMAGES)
    with pytest.raises(FerlineError, match="It is a raw set: write mine"):
        find(str(raw.folder), tmp_path, MINE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_an_error(make_folder, tmp_path):
    folder = make_folder("new", IMAGES[:20])
    (folder / "p1").chmod(0)
    try:
        with pytest.raises(FerlineError, match=r"p1: cannot be read \(Permission denied\)\.$"):
            find(str(folder), tmp_path, MINE)
    finally:
        (folder / "p1").chmod(0o755)


def test_a_shard_that_is_no_parquet_is_an_error(make_set, tmp_path):
    raw = make_set("mine", IMAGES)
    batch = find("mine", tmp_path, MINE)
    (raw.folder / "shard-00001.parquet").write_bytes(b"not parquet")
    with pytest.raises(FerlineError, match=r"shard-00001.parquet: a shard cannot be read .* Make or pull it again"):
        read(batch)
