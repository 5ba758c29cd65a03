"""`python -IS command.py SOCKET PROGRAM [ARGUMENT ...]`: the program as a fork of the process at SOCKET, from here."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

place, program, *arguments = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.connect(place)
asked = {"program": program, "arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
text = json.dumps(asked).encode()
socket.send_fds(server, [len(text).to_bytes(8)], [0, 1, 2])
server.sendall(text)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _: server.send(bytes([number])))
told = server.recv(4)
if not told:
    sys.exit(f"{program} could not be started: the process at {place} has ended, see {Path(place).parent}/log")
status = int.from_bytes(told, signed=True)
if status < 0:  # ended by a signal: so does this
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
