"""The command, without the second that each start of it takes to load: a process that has loaded everything forks for
each call. For tests of what commands do; how the command itself begins and ends is tested with the real one."""

import atexit
import gc
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

CLIENT = """#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({path!r})
    call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(line, [len(call).to_bytes(4, "big")], [0, 1, 2])
    line.sendall(call)
    sys.exit(line.recv(1)[0])
"""


@cache
def warm_command() -> Path:
    """The path of a `referral-bus`. What answers it ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="referral-bus-warm-"))
    command, path = folder / "referral-bus", folder / "socket"
    command.write_text(CLIENT.format(python=sys.executable, path=str(path)), encoding="ascii")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(64)
    arguments = [sys.executable, "-X", "utf8", "-m", "tests.kit.warm", str(listening.fileno())]
    with listening:
        server = subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
    atexit.register(_end, server, folder)
    return command


def _end(server: "subprocess.Popen[bytes]", folder: Path) -> None:
    server.kill()
    server.wait()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def _serve(listening: socket.socket) -> None:
    """Until the process that started this one has ended, which closes our standard input."""
    from deploy.app.service import agency_service  # noqa: F401 # so that no fork has to

    gc.freeze()  # else each fork looks through all of it again
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the forks leave nothing that has to be waited for
    while select.select([listening, sys.stdin], [], [])[0] == [listening]:
        line, _ = listening.accept()
        with line:
            if os.fork() == 0:
                listening.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(line)


def _answer(line: socket.socket) -> None:
    """In a process of its own: runs the command in the caller's place, and tells the exit code."""
    length, streams, _, _ = socket.recv_fds(line, 4, 3)
    with line.makefile("rb") as incoming:
        arguments, folder, environment = json.loads(incoming.read(int.from_bytes(length, "big")))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout = os.fdopen(0, encoding="utf-8"), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    line.sendall(bytes([_exit_code()]))
    os._exit(0)


def _exit_code() -> int:
    from deploy.app.start import main

    try:
        main()
    except SystemExit as ended:
        code = ended.code
    with suppress(OSError, ValueError):  # it may have been let go
        sys.stdout.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
