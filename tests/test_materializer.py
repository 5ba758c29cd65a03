"""Artifacts through ZenML's artifact store: linked on a local one, copied and verified on a remote one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from zenml.io.filesystem_registry import default_filesystem_registry
from zenml.io.local_filesystem import LocalFilesystem

from ferline.artifact import Artifact, staging
from ferline.errors import FerlineError
from steps._materializer import FolderMaterializer


def _here(path: str) -> str:
    return str(path).removeprefix("far:/")


def _forwarded(name: str) -> Callable[..., Any]:
    original = getattr(LocalFilesystem, name)
    return staticmethod(lambda path, *rest, **named: original(_here(path), *rest, **named))


class FarAway(LocalFilesystem):
    """Another scheme, as S3 has one: `far:///path` is only reached through ZenML's file functions."""

    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"far://"}
    open = _forwarded("open")
    exists = _forwarded("exists")
    makedirs = _forwarded("makedirs")
    mkdir = _forwarded("mkdir")
    isdir = _forwarded("isdir")


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    with staging(tmp_path / "made") as folder:
        (folder / "docs").mkdir()
        (folder / "docs" / "page.html").write_text("a page")
        (folder / "numbers.bin").write_bytes(bytes(range(256)) * 4096)
        (folder / "sheet.png").write_bytes(b"a picture")
    return Artifact(tmp_path / "made")


def test_a_local_store_shares_the_files_and_is_read_in_place(artifact, tmp_path):
    store = FolderMaterializer(str(tmp_path / "store" / "x"))
    (tmp_path / "store").mkdir()
    store.save(artifact)
    loaded = FolderMaterializer(store.uri).load(Artifact)
    assert loaded.folder == Path(store.uri)
    assert (loaded.folder / "numbers.bin").samefile(artifact.folder / "numbers.bin")
    assert loaded.verify().digest == artifact.digest == store.compute_content_hash(artifact)
    assert [Path(path).name for path in store.save_visualizations(artifact)] == ["sheet.png"]


def test_a_remote_store_gets_copies_and_what_comes_back_is_verified(artifact, tmp_path):
    default_filesystem_registry.register(FarAway)
    (tmp_path / "bucket").mkdir()
    store = FolderMaterializer(f"far://{tmp_path}/bucket/x")
    store.save(artifact)
    loaded = FolderMaterializer(store.uri).load(Artifact)
    assert loaded.digest == artifact.digest
    assert "bucket" not in str(loaded.folder)
    (tmp_path / "bucket" / "x" / "docs" / "page.html").write_text("another")
    with pytest.raises(FerlineError, match=r"page\.html: corrupt"):
        FolderMaterializer(store.uri).load(Artifact)
