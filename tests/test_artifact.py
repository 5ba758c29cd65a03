"""Sealed folders: whole or not there, equal bytes equal digest, a flipped bit found."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from disks import small_disk

from ferline.artifact import Artifact, scratch_folder, staging, write_json, write_text
from ferline.errors import FerlineError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(target: Path, text: str = "one") -> Artifact:
    with staging(target) as folder:
        (folder / "a.txt").write_text(text)
        (folder / "sub").mkdir()
        (folder / "sub" / "b.txt").write_text("two")
    return Artifact(target)


def test_equal_content_has_one_digest_wherever_it_lies(tmp_path):
    first, second = written(tmp_path / "x"), written(tmp_path / "elsewhere" / "y")
    assert first.digest == second.digest
    assert first.digest != written(tmp_path / "z", "other").digest
    assert set(first.manifest) == {"a.txt", "sub/b.txt"}


def test_a_flipped_bit_and_a_missing_file_are_found(tmp_path):
    artifact = written(tmp_path / "x").verify()
    (artifact.folder / "a.txt").write_text("onf")
    with pytest.raises(FerlineError, match=r"a\.txt: corrupt"):
        artifact.verify()
    (artifact.folder / "a.txt").unlink()
    with pytest.raises(FerlineError, match=r"a\.txt: missing"):
        artifact.verify()


def test_a_failure_leaves_the_old_artifact_and_nothing_else(tmp_path):
    old = written(tmp_path / "x").digest

    def fail_half_way() -> None:
        with staging(tmp_path / "x") as folder:
            (folder / "a.txt").write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail_half_way()
    assert Artifact(tmp_path / "x").verify().digest == old
    assert names(tmp_path) == ["x"]


def test_a_new_one_takes_the_old_ones_place(tmp_path):
    written(tmp_path / "x")
    assert written(tmp_path / "x", "new").verify().digest == written(tmp_path / "y", "new").digest
    assert names(tmp_path) == ["x", "y"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    with small_disk(tmp_path / "disk", 64 * 1024) as disk:
        write_text(disk / "faces.csv", "old")
        with pytest.raises(OSError, match=r"No space left|File too large"):
            write_text(disk / "faces.csv", "new" * 64 * 1024)
        assert (names(disk), (disk / "faces.csv").read_text()) == (["faces.csv"], "old")


def test_a_folder_without_manifest_is_no_artifact(tmp_path):
    with pytest.raises(FerlineError, match="no readable manifest"):
        _ = Artifact(tmp_path).digest


def test_a_place_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FerlineError, match="could not be written"), staging(tmp_path / "file" / "x"):
        pass
    write_json(tmp_path / "ok.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "ok.json", {"a": float("nan")})
    assert json.loads((tmp_path / "ok.json").read_text()) == {"a": 1}
    assert names(tmp_path) == ["file", "ok.json"]


def test_scratch_of_a_killed_process_is_cleared(tmp_path, monkeypatch):
    monkeypatch.setenv("FERLINE_SCRATCH", str(tmp_path))
    code = (
        "from ferline.artifact import scratch_folder; import time; print(scratch_folder(), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    left = Path(process.stdout.readline().strip())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left.is_dir()
    time.sleep(0.1)
    scratch_folder()
    assert not left.exists()
