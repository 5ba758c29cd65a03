"""Raw sets: what was put in comes out byte for byte, adding leaves what is there, and a crash costs nothing."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferline.datasets import shards
from ferline.datasets.ingest import ingest
from ferline.datasets.raw import RawSet
from ferline.datasets.samples import INDEX_COLUMNS, SHARD_SCHEMA
from ferline.errors import FerlineError
from ferline.params import DatasetParams

MakeRows = Callable[..., list[dict[str, Any]]]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def images_of(raw: RawSet) -> list[bytes]:
    return [image for shard in raw.shards for image in pq.read_table(raw.folder / shard)["image"].to_pylist()]


def test_images_come_back_as_they_went_in(tmp_path: Path, make_rows: MakeRows) -> None:
    rows = make_rows(250)
    raw = RawSet(tmp_path / "tiny")
    assert raw.append(rows, shard_rows=100) == 250
    assert raw.shards == ["shard-00000.parquet", "shard-00001.parquet", "shard-00002.parquet"]
    assert images_of(raw) == [row["image"] for row in rows]
    assert list(raw.table.columns) == INDEX_COLUMNS
    assert raw.table["id"].tolist() == [row["id"] for row in rows]
    assert raw.table["sha256"].tolist() == [hashlib.sha256(row["image"]).hexdigest() for row in rows]
    assert raw.table.iloc[203][["shard", "row"]].tolist() == ["shard-00002.parquet", 3]
    assert json.loads((raw.folder / "manifest.json").read_text())["rows"] == dict(
        zip(raw.shards, (100, 100, 50), strict=True)
    )
    assert pq.read_schema(raw.folder / raw.shards[0]).equals(SHARD_SCHEMA)


def test_the_same_rows_make_the_same_bytes(tmp_path: Path, make_rows: MakeRows) -> None:
    one, other = RawSet(tmp_path / "a" / "tiny"), RawSet(tmp_path / "b" / "tiny")
    for raw in (one, other):
        raw.append(make_rows(30))
    assert content(one.folder) == content(other.folder)
    assert one.digest == other.digest


def test_adding_makes_new_shards_and_leaves_the_old_ones_untouched(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "tiny")
    raw.append(make_rows(50))
    before, digest = content(raw.folder), raw.digest
    assert raw.append(make_rows(80)) == 30
    after = content(raw.folder)
    assert sorted(set(after) - set(before)) == ["shard-00001.parquet"]
    assert after["shard-00000.parquet"] == before["shard-00000.parquet"]
    assert len(raw) == 80
    assert raw.digest != digest
    raw.verify()


def test_adding_what_is_there_changes_nothing(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "tiny")
    raw.append(make_rows(50))
    before = content(raw.folder)
    assert raw.append(make_rows(50) + make_rows(10)) == 0
    assert content(raw.folder) == before


def test_the_same_row_twice_in_one_go_is_one_image(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "tiny")
    assert raw.append(make_rows(10) + make_rows(12)) == 12


def test_another_image_under_a_known_id_is_refused_naming_both(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "tiny")
    raw.append(make_rows(5))
    before = content(raw.folder)
    clash = make_rows(1, first=3)[0] | {"image": b"another", "source": "other/3.png"}
    with pytest.raises(
        FerlineError, match=r"id 'face-00003' stands for two images: .*faces/00003.png in shard-00000.*other/3.png"
    ):
        raw.append([*make_rows(3, first=100), clash])
    assert content(raw.folder) == before


def test_large_images_close_row_groups_and_shards_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROW_GROUP_BYTES", 1000)
    monkeypatch.setattr("ferline.datasets.raw.SHARD_BYTES", 4000)
    raw = RawSet(tmp_path / "tiny")
    raw.append({"id": str(number), "image": bytes([number]) * 500} for number in range(20))
    groups = [pq.ParquetFile(raw.folder / shard).metadata.num_row_groups for shard in raw.shards]
    assert groups == [4, 4, 2]
    assert len(raw) == 20


def test_rows_are_streamed(tmp_path: Path) -> None:
    """100 MB of rows in shards of 4 MB: nothing is kept but what is being written."""
    code = """
import resource, sys
from pathlib import Path
from ferline.datasets.raw import RawSet
raw = RawSet(Path(sys.argv[1]))
raw.append([{"id": "warm", "image": b"up"}])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
raw.append(({"id": str(i), "image": i.to_bytes(4, "big") * 250_000} for i in range(100)), shard_rows=4)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "tiny")], capture_output=True, text=True, check=True
    )
    assert sum(path.stat().st_size for path in (tmp_path / "tiny").iterdir()) > 100e6
    assert float(done.stdout) < 50


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": b"x"}, "row 1: id must be a text, it is NoneType"),
        ({"id": "b"}, "row 1: image must be the encoded bytes, it is NoneType"),
        ({"id": "b", "image": "x"}, "row 1: image must be the encoded bytes, it is str"),
        ({"id": "b", "image": b"x", "emotion": "sad"}, "row 1: unknown column 'emotion'; a shard has id, image, label"),
        ({"id": "b", "image": b"x", "label": 3}, "id 'b': label is 3, it must be string or None"),
        ({"id": "b", "image": b"x", "votes": "many"}, "id 'b': votes is 'many', it must be list"),
        ({"id": "b", "image": b"x", "sha256": "0" * 64}, "says SHA-256 000000000000, its bytes have 2d711642b726"),
    ],
)
def test_a_row_that_fits_no_shard_is_refused_and_nothing_is_added(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    raw = RawSet(tmp_path / "tiny")
    raw.append([{"id": "old", "image": b"old"}])
    before = content(raw.folder)
    with pytest.raises(FerlineError, match=message):
        raw.append([{"id": "a", "image": b"x"}, row])
    assert content(raw.folder) == before


def test_an_append_that_fails_on_a_new_set_leaves_no_folder(tmp_path: Path) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"id": "a", "image": b"a"}
        raise ValueError("the reader failed")

    with pytest.raises(ValueError, match="the reader failed"):
        RawSet(tmp_path / "tiny").append(rows())
    assert list(tmp_path.iterdir()) == []


SLOW_APPEND = """
import sys, time
from pathlib import Path
from ferline.datasets.raw import RawSet

def rows():
    for number in range(1000, 1250):
        yield {"id": str(number), "image": bytes(100)}
    print("half-way", flush=True)
    time.sleep(60)

RawSet(Path(sys.argv[1])).append(rows(), shard_rows=100)
"""


def started(code: str, folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "half-way\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_kill_half_way_leaves_the_old_set_and_the_next_append_clears_up(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "tiny")
    raw.append(make_rows(20))
    before = content(raw.folder)
    killed(started(SLOW_APPEND, raw.folder))
    left = content(raw.folder)
    assert len(left) > len(before)  # two whole shards under temporary names
    assert {name: left[name] for name in before} == before
    assert len(RawSet(raw.folder).verify()) == 20
    assert raw.append(make_rows(25)) == 5
    assert sorted(content(raw.folder)) == ["manifest.json", "shard-00000.parquet", "shard-00001.parquet"]
    assert len(RawSet(raw.folder).verify()) == 25


def test_a_kill_between_the_shards_and_the_manifest_is_cleared_up_too(tmp_path: Path, make_rows: MakeRows) -> None:
    """The shards have their names already, the manifest is the old one: the new shards are not part of the set."""
    raw = RawSet(tmp_path / "tiny")
    raw.append(make_rows(20))
    code = """
import pathlib, sys, time
from pathlib import Path
from ferline.datasets.raw import RawSet

def rename(self, target, rename=pathlib.Path.rename):
    if Path(target).name == "manifest.json":
        print("half-way", flush=True)
        time.sleep(60)
    return rename(self, target)

pathlib.Path.rename = rename
RawSet(Path(sys.argv[1])).append(({"id": str(n), "image": bytes(100)} for n in range(50)), shard_rows=20)
"""
    killed(started(code, raw.folder))
    assert (raw.folder / "shard-00003.parquet").exists()
    assert len(RawSet(raw.folder).verify()) == 20
    assert raw.append(make_rows(21)) == 1
    assert sorted(content(raw.folder)) == ["manifest.json", "shard-00000.parquet", "shard-00001.parquet"]
    assert len(RawSet(raw.folder).verify()) == 21


def test_two_appends_at_once_do_not_mix(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "tiny")
    raw.append(make_rows(20))
    process = started(SLOW_APPEND, raw.folder)
    try:
        with pytest.raises(FerlineError, match="another process is adding to this set"):
            raw.append(make_rows(30))
    finally:
        killed(process)
    assert raw.append(make_rows(30)) == 10


def test_a_full_disk_is_said_and_the_old_set_stays(tmp_path: Path, make_rows: MakeRows) -> None:
    """No file may grow beyond 300 KB here, which a writer meets as it meets a full disk."""
    raw = RawSet(tmp_path / "tiny")
    raw.append(make_rows(20))
    before = content(raw.folder)
    code = """
import resource, sys
from pathlib import Path
from ferline.datasets.raw import RawSet
from ferline.errors import FerlineError
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    RawSet(Path(sys.argv[1])).append({"id": str(n), "image": n.to_bytes(2, "big") * 5000} for n in range(600))
except FerlineError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(raw.folder)], capture_output=True, text=True, check=False)
    assert "could not be written (" in done.stdout
    assert "Nothing was added" in done.stdout
    assert (done.stderr, done.returncode) == ("", 0)
    assert content(raw.folder) == before


def test_a_set_that_was_not_pulled_is_not_replaced(tmp_path: Path, make_rows: MakeRows) -> None:
    (tmp_path / "tiny.dvc").write_text("outs:\n")
    with pytest.raises(FerlineError, match=r"tiny: not here, though tiny.dvc is. Run `dvc pull"):
        RawSet(tmp_path / "tiny").append(make_rows(3))


def sealed_by_hand(folder: Path, table: pa.Table) -> RawSet:
    """A shard that another program wrote, in a manifest of its own."""
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "shard-00000.parquet")
    digest = hashlib.sha256((folder / "shard-00000.parquet").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps({"files": {"shard-00000.parquet": digest}}))
    return RawSet(folder)


def by_pandas(**changes: Any) -> pa.Table:
    columns = {
        "id": ["a", "b"],
        "image": [b"a", b"b"],
        "label": ["sad", None],
        "votes": [None, None],
        "subject": [None, None],
        "sequence": [None, None],
        "split": ["train", "test"],
        "source": ["a.png", "b.png"],
        "sha256": [hashlib.sha256(b"a").hexdigest(), hashlib.sha256(b"b").hexdigest()],
    }
    frame = pd.DataFrame({name: column for name, column in (columns | changes).items() if column is not None})
    return pa.Table.from_pandas(frame, preserve_index=False)


def test_a_shard_by_pandas_is_read_as_one_of_ours(tmp_path: Path) -> None:
    raw = sealed_by_hand(tmp_path / "tiny", by_pandas(votes=[[1.0] * 7, None]))
    assert raw.verify().table["label"].fillna("none").tolist() == ["sad", "none"]
    assert list(raw.table["votes"][0]) == [1.0] * 7
    assert raw.append([{"id": "c", "image": b"c"}]) == 1
    assert len(raw.verify()) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": None}, r"tiny/shard-00000.parquet: column 'label' is missing; a shard has id, image, label"),
        ({"label": [3, 4]}, r"tiny/shard-00000.parquet: column 'label' is int64, it must be string"),
        ({"image": ["a", "b"]}, r"shard-00000.parquet: column 'image' is (large_)?string, it must be binary"),
        ({"votes": [1.0, 2.0]}, r"shard-00000.parquet: column 'votes' is double, it must be list"),
        ({"id": ["a", None]}, r"shard-00000.parquet: column 'id' is empty in 1 of 2 rows"),
    ],
)
def test_a_shard_of_another_form_is_named_with_its_column(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    raw = sealed_by_hand(tmp_path / "data" / "raw" / "tiny", by_pandas(**changes))
    with pytest.raises(FerlineError, match=message):
        ingest(tmp_path, DatasetParams("tiny"))
    with pytest.raises(FerlineError, match=message):
        raw.append([{"id": "c", "image": b"c"}])


def test_a_shard_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    raw = sealed_by_hand(tmp_path / "tiny", by_pandas())
    (raw.folder / "shard-00000.parquet").write_text("id,image\n")
    with pytest.raises(FerlineError, match=r"shard-00000.parquet: not a readable Parquet file"):
        _ = raw.table


def test_a_shard_that_nobody_sealed_is_not_left_out_in_silence(tmp_path: Path, make_rows: MakeRows) -> None:
    raw = RawSet(tmp_path / "tiny")
    raw.append(make_rows(5))
    pq.write_table(by_pandas(), raw.folder / "shard-00001.parquet")
    before = content(raw.folder)
    for attempt in (raw.verify, lambda: raw.append(make_rows(9))):
        with pytest.raises(FerlineError, match=r"shard-00001.parquet: not in manifest.json"):
            attempt()
    assert content(raw.folder) == before
