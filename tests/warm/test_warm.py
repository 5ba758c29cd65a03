"""A command that starts warm is the process that it would be otherwise."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import warm


def python(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess:
    command = [warm.program("python"), "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def started(code: str) -> tuple[subprocess.Popen, int]:
    """A command that goes on, and the id of its process."""
    code = f"import os, signal, sys, time; print(os.getpid(), flush=True); {code}"
    process = subprocess.Popen([warm.program("python"), "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_output_errors_and_status_come_through() -> None:
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)
    done = python("import sys; sys.exit('a message')")
    assert (done.stdout, done.stderr, done.returncode) == ("", "a message\n", 1)
    done = python("1 / 0")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert done.returncode == 1


def test_folder_environment_arguments_and_input_are_its_own(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), sys.argv[1:], os.environ['ONE'], 'TWO' in os.environ, input())"
    done = python(code, "a b", "'c'", cwd=tmp_path, env={"ONE": "1", "PATH": os.environ["PATH"]}, input="typed\n")
    assert done.stdout == f"{tmp_path} ['a b', \"'c'\"] 1 False typed\n", done.stderr


def test_it_ends_by_the_signal_that_it_is_sent_or_handles_it() -> None:
    process, _ = started("time.sleep(60)")
    process.terminate()
    assert process.wait(30) == -signal.SIGTERM
    process, _ = started("signal.signal(15, lambda *_: sys.exit(75)); print('set', flush=True); time.sleep(60)")
    assert process.stdout.readline() == "set\n"
    process.terminate()
    assert process.wait(30) == 75
    process, running = started("time.sleep(60)")
    os.kill(running, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL


def test_kill_minus_nine_takes_the_command_with_it() -> None:
    process, running = started("time.sleep(60)")
    process.kill()
    process.wait(30)
    until = time.monotonic() + 30
    while Path(f"/proc/{running}").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_code_on_pythonpath_is_the_code_that_runs(tmp_path: Path) -> None:
    """As in a checkout of another commit; of ours nothing else was imported before the fork."""
    (tmp_path / "ferline").mkdir()
    (tmp_path / "ferline" / "__init__.py").write_text("")
    (tmp_path / "ferline" / "home.py").write_text("def settle(): print('settled')\n")
    code = "import sys; print(sorted(name for name in sys.modules if name.split('.')[0] in ('ferline', 'steps')))"
    done = python(code, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.stdout == "settled\n['ferline', 'ferline.home']\n", done.stderr


def test_programs_of_the_environment_and_modules_run_to_their_end(tmp_path: Path) -> None:
    """What is registered for the end of a process is done, and its threads are waited for."""
    assert subprocess.run([warm.program("dvc"), "--version"], capture_output=True, check=True).stdout
    (tmp_path / "late.py").write_text(
        "import atexit, sys, threading, time\natexit.register(print, 'last')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print(sys.argv[1:]))).start()\n"
    )
    command = [warm.program("python"), "-u", "-m", "late", "x"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "['x']\nlast\n"


def test_it_computes_on_as_many_threads_as_it_is_told() -> None:
    code = "import torch; print(torch.get_num_threads())"
    for threads in ("1", "2"):
        assert python(code, env={**os.environ, "OMP_NUM_THREADS": threads}).stdout == f"{threads}\n"
