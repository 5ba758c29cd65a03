"""Commands that start in a moment: forks of one process that has imported the libraries which they all import.

Of a run from the cache more than half the time is the imports of torch, ZenML, MLflow and the others, and the tests
start such commands a hundred times. `commands()` is a folder of programs of the same names as in the environment; first
on PATH, they are what scripts and DVC's stages use too. Each is a process of its own, in its own folder, with its own
environment, output, exit status and signals; of this project nothing is imported before the fork. What a start by
itself costs and loads is tested elsewhere with the real ones (test_imports.py, kill -9 in the tests of the pipeline).
"""

import atexit
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
HERE = Path(__file__).parent
NAMES = {"dvc": "libraries", "ferline": "libraries", "python": "pipeline", "zenml": "pipeline"}
FORKED = """#!/bin/sh
case "${{0##*/}} $1" in
  "python -"[ucm] | [!p]*) exec {} "$@" ;;
  *) exec {} "$@" ;;
esac
"""  # the second is for a script that Python is to run, which has nothing to gain
ASIDE = ("FERLINE", "MLFLOW", "PYTHONPATH", "ZENML")  # settings that are not this process's to give on


@cache
def commands() -> Path:
    """The folder of programs; the process that they fork from starts now and ends with this one. On macOS, where a fork
    of what has imported so much is not safe, the environment's own.
    """
    if sys.platform != "linux":
        return BIN
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    place = Path(folder.name)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ASIDE)}
    environment |= {"COLUMNS": "200"}  # rich looks once, when ZenML is imported
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other, (place / "log").open("w") as log:
        sockets = {"libraries": one, "pipeline": other}
        for name, listener in sockets.items():
            listener.bind(str(place / name))
            listener.listen(64)
        numbers = [listener.fileno() for listener in sockets.values()]
        command = [sys.executable, HERE / "server.py", *map(str, numbers)]
        given: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": log, "stderr": log, "env": environment}
        server = subprocess.Popen(command, pass_fds=numbers, **given)
    for name, start in NAMES.items():
        program = place / "bin" / name
        program.parent.mkdir(exist_ok=True)
        given = [sys.executable, "-IS", HERE / "command.py", place / start, BIN / name]
        program.write_text(FORKED.format(shlex.join(map(str, given)), shlex.quote(str(BIN / name))))
        program.chmod(0o755)
    atexit.register(folder.cleanup)
    atexit.register(server.communicate)  # its input ends, and so does it
    return place / "bin"


def path() -> str:
    """PATH with these programs first and the environment's others behind them."""
    return f"{commands()}:{BIN}:{os.environ['PATH']}"


def program(name: str) -> str:
    """The warm one where there is one, the environment's own otherwise; a path as it is."""
    return str((commands() if name in NAMES else BIN) / name)
