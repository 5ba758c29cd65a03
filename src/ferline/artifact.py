"""An artifact is a folder of plain files, sealed by a manifest of their SHA-256s.

Every named thing that the pipeline passes on (Samples, FaceSet, TrainedModel ...) is one of these. A folder is written
aside and renamed when it is whole, so a crash or a full disk leaves either all of it or nothing.
"""

import atexit
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ferline.errors import FerlineError

MANIFEST = "manifest.json"


class Artifact:
    """A sealed folder. Subclasses add readers for the files in it, and a `write` that makes one."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @cached_property
    def manifest(self) -> dict[str, str]:
        """File name to SHA-256, as sealed."""
        try:
            return dict(json.loads((self.folder / MANIFEST).read_text())["files"])
        except (OSError, ValueError, KeyError) as error:
            raise FerlineError(
                f"{self.folder}: no readable {MANIFEST}, so this is no finished artifact ({error})"
            ) from None

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the content: equal bytes, equal digest, wherever and whenever they were made."""
        return hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()

    def verify(self) -> Self:
        """Read every byte back and compare; a flipped bit in a weights file otherwise loads without a word."""
        for name, expected in self.manifest.items():
            path = self.folder / name
            if not path.is_file():
                raise FerlineError(f"{path}: missing, though {MANIFEST} lists it")
            if (found := sha256_of(path)) != expected:
                raise FerlineError(
                    f"{path}: corrupt (SHA-256 {found[:12]}, sealed as {expected[:12]}). Make or pull it again"
                )
        return self

    def summary(self) -> dict[str, Any]:
        """A few figures about the content, for logs and dashboards."""
        return {}

    def pictures(self) -> list[str]:
        """The PNG files in the folder, for whoever shows an artifact to people."""
        return sorted(name for name in self.manifest if name.endswith(".png"))

    def read_json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"


@contextmanager
def staging(target: Path | None = None) -> Iterator[Path]:
    """A folder to write an artifact into; sealed at the end and renamed to `target` (default: a scratch folder).

    The yielded path is where to write; afterwards the content is at `target`, or, without one, where it was written.
    Whatever fails inside, nothing is left behind and an existing `target` is untouched.
    """
    work = None
    try:
        work = scratch_folder() if target is None else _beside(target)
        yield work
        seal(work)
        _flush(work)
        if target is not None:
            _replace(work, target)
            _flush(target.parent, only=True)
    except BaseException as error:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        if isinstance(error, OSError):
            raise FerlineError(
                f"{target or work}: could not be written ({error.strerror or error}). Nothing was left behind"
            ) from error
        raise


def _beside(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))


def seal(folder: Path) -> None:
    """Write the manifest of everything in the folder."""
    files = {
        str(p.relative_to(folder)): sha256_of(p)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != MANIFEST
    }
    write_json(folder / MANIFEST, {"files": files})


def _flush(folder: Path, only: bool = False) -> None:
    """On the disk, not only in the system's memory: a power cut after the rename finds all of it."""
    inside = [] if only else [path for path in folder.rglob("*") if not path.is_symlink()]
    for path in [*inside, folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Atomically: a reader sees the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Artifacts are never changed once sealed, so two of them may share a file's blocks on disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def state_folder(name: str) -> Path:
    """Where this project keeps state that outlives a process, beside its scratch space."""
    return _scratch().parent / name


def _scratch() -> Path:
    return Path(os.environ.get("FERLINE_SCRATCH") or Path(tempfile.gettempdir()) / "ferline" / "scratch")


def scratch_folder() -> Path:
    """A folder that goes away with this process. FERLINE_SCRATCH names the disk; dead ones leave nothing."""
    root = _scratch()
    try:
        root.mkdir(parents=True, exist_ok=True)
        own = f"{platform.node()}-p"  # a process number means nothing on another machine that shares this disk
        for old in root.glob(f"{own}*-*"):
            if not alive(int(old.name.removeprefix(own).split("-")[0])):
                shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{own}{os.getpid()}-", dir=root))
    except OSError as error:
        raise FerlineError(
            f"{root}: no scratch folder can be made there ({error.strerror}). Set FERLINE_SCRATCH to a writable folder"
        ) from error
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _replace(work: Path, target: Path) -> None:
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
        try:
            target.rename(old / "content")
        except OSError:
            old.rmdir()
            raise
        work.rename(target)
        shutil.rmtree(old)
    else:
        work.rename(target)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
