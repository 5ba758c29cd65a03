"""A commit and its data in a folder of their own, as they were when a model was trained; the project is left alone."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ferline.errors import FerlineError
from ferline.tracking.store import git


@contextmanager
def worktree(project: Path, commit: str, keep: Path | None = None) -> Iterator[Path]:
    """The project's folder at that commit, in a git worktree that goes away afterwards unless it is to be kept."""
    top = git("rev-parse", "--show-toplevel", folder=project)
    if not top:
        raise FerlineError(f"{project.absolute()}: not in a git repository; run this in the project's clone")
    if not git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", folder=project):
        raise FerlineError(
            f"commit {commit} is not in this clone ({top}). Fetch it: git fetch --all; of a shallow clone: "
            "git fetch --unshallow"
        )
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise FerlineError(f"{keep}: exists and is not empty. Name a new folder")
    folder = (keep or Path(tempfile.mkdtemp(prefix="ferline-reproduce-")) / "project").absolute()
    try:
        _add(project, commit, folder)
        yield folder / project.resolve().relative_to(Path(top))
    finally:
        if keep is None:
            git("worktree", "remove", "--force", str(folder), folder=project)
            shutil.rmtree(folder.parent, ignore_errors=True)
            git("worktree", "prune", folder=project)


def _add(project: Path, commit: str, folder: Path) -> None:
    command = ["git", "worktree", "add", "--quiet", "--detach", str(folder), commit]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=project)
    if done.returncode:
        raise FerlineError(f"{folder}: git could not check {commit[:12]} out there ({' '.join(done.stderr.split())})")


def bring_data(project: Path, there: Path, pointer: Path, wanted: str | None) -> None:
    """Check the set out that the pointer in the worktree names, from the project's own cache or its remote."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        found = _storage_of(repo)
    with Repo(str(there)) as repo, repo.config.edit("local") as local:
        local.update(found)
    with Repo(str(there)) as repo:
        try:
            repo.checkout(targets=[str(there / pointer)], force=True)
        except DvcException:
            try:
                repo.pull(targets=[str(there / pointer)], force=True)
            except DvcException as error:
                version = f"{pointer} at md5 {wanted}" if wanted else f"{pointer} of that commit"
                raise FerlineError(
                    f"{version}: neither in this project's DVC cache nor in its remote "
                    f"({_said(error)}). Push that version to it from a machine that has it"
                ) from None


def _storage_of(repo: Any) -> dict[str, Any]:
    """Where the project keeps and finds its data today; relative paths as seen from the project."""
    remotes = {
        name: {key: _plain(value) for key, value in each.items()} for name, each in repo.config["remote"].items()
    }
    storage: dict[str, Any] = {"cache": {"dir": str(repo.cache.local.path)}, "remote": remotes}
    if default := repo.config["core"].get("remote"):
        storage["core"] = {"remote": default}
    return storage


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value  # DVC's own kind of text remembers what it was relative to


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
