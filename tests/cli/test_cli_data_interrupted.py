"""`ferline data add` that is killed, runs out of disk, meets another or fails half-way: the set stays whole."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from data_commands import BIN, MINE, changes, content, everything, new_face, refused, told
from disks import small_disk

from ferline.datasets.add import add
from ferline.datasets.ingest import ingest
from ferline.datasets.raw import RawSet
from ferline.datasets.sources import SOURCES
from ferline.params import DatasetParams


def test_when_dvc_fails_the_same_command_finishes_what_it_left(bare: Path) -> None:
    good = (bare / ".dvc/config").read_text()
    (bare / ".dvc/config").write_text("[core\n")
    message = refused(*MINE)
    assert "`dvc add data/raw/mine` failed; the images are in the folder" in message
    assert "not versioned; run `dvc add data/raw/mine`" in told("list")
    (bare / ".dvc/config").write_text(good)
    assert told(*MINE).startswith("data/raw/mine: 0 new images, 28 were there already\n")
    assert " versioned " in told("list")
    assert changes(bare) == {}


def test_a_full_disk_is_told_and_the_set_stays(project: Path) -> None:
    for number in range(200):
        new_face(project / f"my_faces/sad/p1-{number:03d}.png", number)  # of 7 KB each
    raw, safe = project / "data/raw", project / "safe"
    raw.rename(safe)
    raw.mkdir()
    with small_disk(raw, 1 << 20):
        shutil.copytree(safe, raw, dirs_exist_ok=True)
        before = everything(project)
        message = refused(*MINE)
        assert "data/raw/mine: could not be written (" in message
        assert message.endswith("Nothing was added")
        assert everything(project) == before
        assert len(RawSet(raw / "mine").verify()) == 28
        assert changes(project) == {}


def pixel_csv(path: Path, rows: int, bad_row: int | None = None) -> Path:
    """FER2013's CSV with images of 12 x 12, all of them alike: the reader and the packing are what takes time."""
    line = f"3,{' '.join(['90'] * 144)},Training\n"
    lines = [line] * rows
    if bad_row is not None:
        lines[bad_row] = line.replace("90 ", "", 1)
    path.write_text("emotion,pixels,Usage\n" + "".join(lines))
    return path


def test_a_short_row_in_the_middle_of_a_csv_leaves_no_set_and_no_half(bare: Path) -> None:
    pixel_csv(bare / "fer2013.csv", 9000, bad_row=7000)
    message = "Error: fer2013.csv, line 7002: 143 pixel values where 12 x 12 = 144 are needed. Nothing was added"
    assert refused("add", "fer2013", "--source", "fer2013.csv") == message
    assert not (bare / "data/raw/fer2013").exists()
    pixel_csv(bare / "fer2013.csv", 100)
    add(bare, SOURCES["fer2013"], bare / "fer2013.csv", "fer2013", {})
    before = everything(bare, "fer2013")
    pixel_csv(bare / "fer2013.csv", 9000, bad_row=7000)
    assert refused("add", "fer2013", "--source", "fer2013.csv") == message
    assert everything(bare, "fer2013") == before


ROWS = 40_000  # 0.3 s of packing and more on any machine


@contextmanager
def held_half_way(project: Path) -> Iterator[None]:
    """`ferline data add fer2013`, stopped once a first whole shard is under its temporary name, and killed at last."""
    folder = project / "data/raw/fer2013"
    whole = len(list(folder.glob("shard-*")))
    command = [BIN / "ferline", "data", "add", "fer2013", "--source", "fer2013.csv"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (folder / f".shard-{whole + 1:05d}.parquet").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGSTOP)
        yield
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, str]]:
    """What the set has when nobody kills anything, by how many images were added in a step of their own before."""
    found = {}
    for before in (0, 50):
        root = tmp_path_factory.mktemp("undisturbed")
        for rows in filter(None, (before, ROWS)):
            raw = add(root, SOURCES["fer2013"], pixel_csv(root / "fer2013.csv", rows), "fer2013", {}).raw
        found[before] = {name: digest for name, (_, _, digest) in content(raw.folder).items()}
    return found


def test_a_new_set_killed_half_way_is_completed_by_the_same_command(
    bare: Path, undisturbed: dict[int, dict[str, str]]
) -> None:
    pixel_csv(bare / "fer2013.csv", ROWS)
    with held_half_way(bare):
        pass
    assert told("list").startswith("no sets yet")
    assert told("add", "fer2013", "--source", "fer2013.csv").startswith(f"data/raw/fer2013: {ROWS:,} new images\n")
    after = {name: digest for name, (_, _, digest) in content(bare / "data/raw/fer2013").items()}
    assert after == undisturbed[0]
    assert changes(bare) == {}


def test_a_set_stays_whole_while_it_grows_and_when_that_is_killed(
    bare: Path, undisturbed: dict[int, dict[str, str]]
) -> None:
    command = ("add", "fer2013", "--source", "fer2013.csv")
    pixel_csv(bare / "fer2013.csv", 50)
    told(*command)
    before = everything(bare, "fer2013")
    pixel_csv(bare / "fer2013.csv", ROWS)
    with held_half_way(bare):
        samples = ingest(bare, DatasetParams("fer2013", protocol="random"))
        assert sum(len(images) for _, images in samples.batches()) == 50
        assert refused(*command).endswith("data/raw/fer2013: another process is adding to this set; wait for it to end")
        assert changes(bare) == {}
    left = everything(bare, "fer2013")
    assert {name: left[name] for name in before} == before
    assert len(left) > len(before)
    assert len(RawSet(bare / "data/raw/fer2013").verify()) == 50
    assert changes(bare) == {}
    assert told(*command).startswith(f"data/raw/fer2013: {ROWS - 50:,} new images, 50 were there already\n")
    after = {name: digest for name, (_, _, digest) in content(bare / "data/raw/fer2013").items()}
    assert after == undisturbed[50]
    assert changes(bare) == {}
