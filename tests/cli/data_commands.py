"""`ferline data ...` as a user types it, and what is on disk before and after."""

import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner, Result

from ferline.cli import main

HERE = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MINE = ("add", "folder", "--source", "my_faces", "--name", "mine", "--subject", r"(p\d+)-")
OPTIONS = {"map": "", "subject": r"(p\d+)-", "cropped": False}
PEOPLE = 4


def run(*command: str, cwd: Path) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def data(*arguments: str) -> Result:
    """`ferline data ...` in this process; an error that is not told as one message is raised here."""
    return CliRunner().invoke(main, ["data", *arguments], catch_exceptions=False)


def told(*arguments: str) -> str:
    result = data(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    """The one message of a command that ends with an error and prints nothing else."""
    result = data(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    return result.stderr.strip()


def changes(project: Path) -> dict:
    """What `dvc status` says."""
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        return repo.status()


def content(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every file: its inode, when it was written, its bytes."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.iterdir()
        if path.is_file()
    }


def everything(project: Path, name: str = "mine") -> dict[str, tuple[int, int, str]]:
    raw = project / "data" / "raw"
    return content(raw / name) | content(raw)


def new_face(path: Path, number: int = 0) -> Path:
    """An image file that no other test image is like."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path
