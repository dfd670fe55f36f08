"""A thread that hangs ends the process; a process that was stopped, or a machine that slept, does not."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from deploy.app.service import shutdown
from deploy.app.service.shutdown import STUCK
from deploy.app.service.watchdog import LATE_ROUNDS, Stuck, Watchdog
from referral_bus.logs import make_log
from tests.kit.bench import LogLines
from tests.kit.waiting import PATIENCE_S


def _after(watchdog: Watchdog, looks: int, **rounds: int) -> Stuck | None:
    """The judgement of the last of so many looks at threads that have not gone round since."""
    found = [watchdog.look(rounds, 1.0) for _ in range(looks)]
    assert not any(found[:-1])
    return found[-1]


def test_a_thread_without_progress_is_stuck_after_its_time_and_not_before() -> None:
    assert _after(Watchdog(10), 10, relay=7) is None
    assert _after(Watchdog(10), 11, relay=7) == Stuck("relay", 10.0)


def test_one_round_of_a_thread_gives_it_its_full_time_again() -> None:
    watchdog = Watchdog(10)
    assert _after(watchdog, 10, relay=7) is None
    assert _after(watchdog, 10, relay=8) is None
    assert _after(watchdog, 1, relay=8) == Stuck("relay", 10.0)


def test_the_one_that_hangs_is_named_among_others_that_go_round() -> None:
    watchdog = Watchdog(10)
    found = [watchdog.look({"ingest": number, "relay": 7}, 1.0) for number in range(11)]
    assert found[-1] == Stuck("relay", 10.0)


def test_a_thread_that_pauses_in_between_begins_anew() -> None:
    watchdog = Watchdog(10)
    assert _after(watchdog, 10, relay=7) is None
    assert watchdog.look({}, 1.0) is None
    assert _after(watchdog, 10, relay=7) is None


def test_after_the_machine_stood_still_every_thread_gets_its_full_time_again() -> None:
    watchdog = Watchdog(10)
    assert _after(watchdog, 10, relay=7) is None
    assert watchdog.look({"relay": 7}, 3600.0) is None
    assert _after(watchdog, 9, relay=7) is None
    assert watchdog.look({"relay": 7}, 1.0) == Stuck("relay", 10.0)


def test_a_machine_that_is_only_slow_excuses_nobody() -> None:
    watchdog = Watchdog(10)
    found = [watchdog.look({"relay": 7}, LATE_ROUNDS - 0.1) for _ in range(11)]
    assert found[-1] == Stuck("relay", 10.0)


def test_the_process_is_ended_once_with_its_exit_code_and_one_clear_line() -> None:
    log, stop, codes = LogLines(), threading.Event(), list[int]()

    def end(code: int) -> None:
        codes.append(code)
        stop.set()

    Watchdog(0.02, round_s=0.01).work(lambda: {"ingest": 3}, make_log(log), end)(stop, lambda: None)
    assert codes == [STUCK]
    assert '"thread": "ingest"' in log.text
    assert '"event": "stuck"' in log.text
    assert log.text.count("\n") == 1


PROCESS = dedent(
    """
    import os, sys, threading
    from deploy.app.service.supervisor import Supervisor
    from deploy.app.service.watchdog import Watchdog
    from referral_bus.logs import make_log

    hang = threading.Event()

    def work(stop, progress):
        while not stop.wait(0.02):
            progress()
            if hang.is_set():
                threading.Event().wait()

    log = make_log()
    supervisor = Supervisor(log, lambda name: name == "work" and print(flush=True))
    supervisor.start("watchdog", Watchdog(1.0, round_s=0.1).work(supervisor.rounds, log, os._exit))
    supervisor.start("work", work)
    sys.stdin.readline()
    hang.set()
    supervisor.stop.wait()
    """
)


@contextmanager
def _process() -> Iterator["subprocess.Popen[str]"]:
    """Goes round until a line is written to it; each round of its work is a line."""
    root = Path(shutdown.__file__).parents[2]
    made = subprocess.Popen(
        [sys.executable, "-c", PROCESS],
        cwd=root,
        text=True,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield made
    finally:
        made.kill()
        made.communicate()


def _rounds(process: "subprocess.Popen[str]", number: int) -> None:
    assert process.stdout is not None
    for _ in range(number):
        assert process.stdout.readline() == "\n"


def test_a_process_that_was_stopped_goes_on_and_one_whose_thread_hangs_ends() -> None:
    with _process() as process:
        _rounds(process, 5)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):  # for twice as long as a thread may hang
            process.wait(2.0)
        os.kill(process.pid, signal.SIGCONT)
        _rounds(process, 150)  # another three seconds
        assert process.poll() is None
        _, said = process.communicate("hang\n", PATIENCE_S)
        assert process.returncode == STUCK
        assert '"event": "stuck"' in said
        assert '"thread": "work"' in said
        assert said.count("\n") == 1
