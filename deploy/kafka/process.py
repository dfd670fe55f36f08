"""Runs processes to their end, or starts them detached; finds a detached one again later, and never takes another
process for it."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A pid with the start time of its process, `started`: the system gives the pid alone to another process sooner or
    later."""

    pid: int
    started: str


def identify(pid: int) -> ProcessId | None:
    """The identity of a running process; None when there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else ProcessId(pid, f"{boot}:{fields[19]}")


def is_alive(process: ProcessId) -> bool:
    return identify(process.pid) == process


def run(command: Sequence[str], folder: Path, timeout_s: float) -> subprocess.CompletedProcess[str] | None:
    """Runs a command to its end; standard error is part of the output. Returns None after `timeout_s` seconds. The
    command has a session of its own, so that every process it started is killed with it."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        umask=0o077,
    ) as child:
        try:
            output, _ = child.communicate(timeout=timeout_s)
            return subprocess.CompletedProcess(command, child.returncode, output)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def spawn(command: Sequence[str], folder: Path, log: str, pass_fds: Sequence[int] = ()) -> int:
    """Starts a process that outlives this one, and returns its pid. It is no child of ours: init reaps it when it
    ends."""
    script = 'log=$1; shift; "$@" >"$log" 2>&1 </dev/null & echo $!'
    shell = subprocess.run(
        ["/bin/sh", "-c", script, "sh", log, *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        check=True,
        start_new_session=True,
        umask=0o077,
        pass_fds=pass_fds,
    )
    return int(shell.stdout)


def end(processes: Sequence[ProcessId], grace_s: float) -> None:
    """Sends SIGTERM to these processes, and SIGKILL to those that have not ended within `grace_s` seconds. Returns when
    all have ended."""
    handles = [handle for process in processes if (handle := _open(process)) is not None]
    try:
        _signal(handles, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        slow = [handle for handle in handles if not _ended(handle, deadline - time.monotonic())]
        _signal(slow, signal.SIGKILL)
        for handle in slow:
            _ended(handle, grace_s)
    finally:
        for handle in handles:
            os.close(handle)


def _open(process: ProcessId) -> int | None:
    """A pidfd of the process, which can never refer to another one; None when it has ended. It is opened before the
    identity is checked, so the process that is checked is the one that is signalled."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if is_alive(process):
        return handle
    os.close(handle)
    return None


def _signal(handles: Sequence[int], number: signal.Signals) -> None:
    for handle in handles:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, number)


def _ended(handle: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(max(0.0, within_s) * 1000))
