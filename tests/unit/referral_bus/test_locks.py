"""A lock of ours ends with the process that took it, also when code that is not ours has forked."""

import subprocess
import sys
from pathlib import Path

import pytest

from referral_bus.errors import Reason, Refused
from referral_bus.home import Home, running
from tests.kit.waiting import PATIENCE_S

FORKS = """
import os, sys
from pathlib import Path
from referral_bus.home import Home, running

with running(Home(Path(sys.argv[1]))):
    if os.fork() == 0:
        print("forked", flush=True)
        sys.stdin.readline()
        os._exit(0)
    if sys.argv[2] == "stays":
        os.wait()
os._exit(0)
"""

UNWINDS = """
import os, sys
from pathlib import Path
from referral_bus.home import Home, running

with running(Home(Path(sys.argv[1]))):
    child = os.fork()
    if child == 0:
        other = os.open(os.devnull, os.O_RDONLY)  # takes the number of the lock, which is free here
if child == 0:
    os.fstat(other)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end_child(forked: subprocess.Popen[str]) -> None:
    assert forked.stdin is not None
    forked.stdin.close()


def test_a_forked_child_that_outlives_the_service_holds_no_lock(tmp_path: Path) -> None:
    with run(FORKS, tmp_path, "ends") as forked:
        assert forked.stdout is not None
        assert forked.stdout.readline() == "forked\n"
        assert forked.wait(PATIENCE_S) == 0
        with running(Home(tmp_path)):
            end_child(forked)


def test_while_the_service_runs_its_child_lets_no_second_one_in(tmp_path: Path) -> None:
    with run(FORKS, tmp_path, "stays") as forked:
        assert forked.stdout is not None
        assert forked.stdout.readline() == "forked\n"
        with pytest.raises(Refused) as refused, running(Home(tmp_path)):
            pass
        assert refused.value.reason is Reason.ALREADY_RUNNING
        end_child(forked)


def test_a_child_that_leaves_the_service_closes_no_file_of_its_own(tmp_path: Path) -> None:
    with run(UNWINDS, tmp_path) as forked:
        assert forked.wait(PATIENCE_S) == 0
