import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.kafka import keeper
from deploy.kafka.process import ProcessId, end, identify, is_alive, run, spawn
from tests.kit.waiting import PATIENCE_S, wait_until

Start = Callable[[str], ProcessId]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Start]:
    """Starts shell scripts that are gone when the test is over."""
    started: list[ProcessId] = []

    def start(script: str) -> ProcessId:
        process = identify(spawn(["/bin/sh", "-c", script], tmp_path, "log"))
        assert process is not None
        started.append(process)
        return process

    yield start
    end(started, 0)


def test_a_spawned_process_is_in_a_session_of_its_own_and_nobody_s_child(shell: Start) -> None:
    process = shell("sleep 60")

    assert os.getsid(process.pid) != os.getsid(0)
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def test_a_process_that_got_a_used_pid_is_not_taken_for_the_one_that_had_it(shell: Start) -> None:
    somebody = shell("sleep 60")
    reused = ProcessId(somebody.pid, "earlier")

    end([reused], 5)

    assert not is_alive(reused)
    assert is_alive(somebody)


def test_one_that_ended_but_was_not_waited_for_is_not_alive() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        process = identify(child.pid)
        assert process is not None

        child.kill()

        wait_until(lambda: not is_alive(process))


def test_one_that_does_not_listen_is_killed_after_its_time(shell: Start) -> None:
    deaf, polite = shell("trap '' TERM; echo up; while :; do sleep 60; done"), shell("sleep 60")

    end([deaf, polite], 0.2)

    assert not is_alive(deaf)
    assert not is_alive(polite)


def test_what_takes_too_long_ends_with_everything_it_started(tmp_path: Path) -> None:
    assert run(["/bin/sh", "-c", "sleep 60 & echo $! >pid; wait"], tmp_path, 0.5) is None

    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: identify(pid) is None)


def test_a_keeper_ends_what_it_keeps_when_the_owner_is_killed(shell: Start) -> None:
    owner, kept = shell("sleep 60"), shell("sleep 60")
    handles = [os.pidfd_open(owner.pid), os.pidfd_open(kept.pid)]
    command = [sys.executable, "-IS", keeper.__file__, *map(str, handles)]
    with subprocess.Popen(command, pass_fds=handles) as watching:
        for handle in handles:
            os.close(handle)
        assert is_alive(kept)

        os.kill(owner.pid, signal.SIGKILL)

        assert watching.wait(PATIENCE_S) == 0
    wait_until(lambda: not is_alive(kept))


def test_a_keeper_leaves_the_owner_alone_when_what_it_keeps_has_ended(shell: Start) -> None:
    owner, kept = shell("sleep 60"), shell("sleep 60")
    handles = [os.pidfd_open(owner.pid), os.pidfd_open(kept.pid)]
    os.kill(kept.pid, signal.SIGKILL)

    keeper.keep(*handles)

    assert is_alive(owner)
    for handle in handles:
        os.close(handle)
