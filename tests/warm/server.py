"""`python server.py LIBRARIES PIPELINE`: two processes that import, and fork a command for every connection to their
socket, until their input ends.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
import types
from pathlib import Path

OURS = ("ferline", "steps", "pipelines", "fer_training")


def serve(libraries: int, pipeline: int) -> tuple[str, list[str]]:
    """Returns in a command's own process alone: the program that it has to run, and what it was given."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import warm.libraries

    number, other = libraries, pipeline
    if os.fork() == 0:
        import warm.pipeline  # noqa: F401

        number, other = pipeline, libraries
    os.close(other)  # or who connects to one that has ended would wait for the other
    assert threading.active_count() == 1, threading.enumerate()
    gc.collect()
    gc.freeze()
    listener = socket.socket(fileno=number)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a keeper ended
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return keep(connection)
        connection.close()


def keep(connection: socket.socket) -> tuple[str, list[str]]:
    """As `serve`, in a fork; here its signals come in and its end goes out."""
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    with connection.makefile("rb") as stream:
        asked = json.loads(stream.read(int.from_bytes(size)))
    command = os.fork()
    if command == 0:
        connection.close()
        become(files, asked["folder"], asked["environment"])
        return asked["program"], asked["arguments"]
    for file in (0, 1, 2, *files):  # whoever reads the command's output waits for the last that could write there
        os.close(file)
    end = os.pidfd_open(command)
    while True:
        ready, _, _ = select.select([connection, end], [], [])
        if end in ready:
            break
        told = connection.recv(1)
        os.kill(command, told[0] if told else signal.SIGKILL)
        if not told:
            break
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(BrokenPipeError):
        connection.send(os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))
    os._exit(0)


def become(files: list[int], folder: str, environment: dict[str, str]) -> None:
    """What a process that starts here would have."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout.reconfigure(line_buffering=True)
    sys.path[:2] = filter(None, environment.get("PYTHONPATH", "").split(":"))  # in place of this folder and `warm`'s
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    if threads := environment.get("OMP_NUM_THREADS"):  # this and the next are read when they are imported
        sys.modules["torch"].set_num_threads(int(threads))
    if (config := environment.get("KUBECONFIG")) and (kubernetes := sys.modules.get("kubernetes.config.kube_config")):
        kubernetes.KUBE_CONFIG_DEFAULT_LOCATION = config
    from ferline.home import settle  # as the environment does whenever its Python starts

    settle()


def run(program: str, arguments: list[str]) -> int:
    """Its exit status; of Python itself `-c CODE` and `-m MODULE` are known."""
    try:
        if Path(program).name != "python":
            sys.argv = [program, *arguments]
            sys.path.insert(0, str(Path(program).parent))
            runpy.run_path(program, run_name="__main__")
            return 0
        option, what, *rest = arguments[1:] if arguments[0] == "-u" else arguments
        assert option in ("-c", "-m"), arguments
        sys.argv = [option, *rest]
        sys.path.insert(0, "" if option == "-c" else str(Path.cwd()))
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), vars(types.ModuleType("__main__")))
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    status = run(*serve(*map(int, sys.argv[1:])))
    # As Python ends, but for taking apart all that was imported before the fork, which takes longer than most commands.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
