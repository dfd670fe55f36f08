"""How a service's process ends: by one signal in order, by a second at once, and by itself when something hangs."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from deploy.app import ending
from deploy.app.ending import STUCK, last_resort
from referral_bus.logs import make_log
from tests.kit.bench import LogLines

PROCESS = dedent(
    """
    import signal, threading, time
    from deploy.app.ending import until_told
    stop = threading.Event()

    def says():
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL or signal.getsignal(signal.SIGINT) is before:
            time.sleep(0.01)
        print("here", flush=True)
        stop.wait()
        print("told", flush=True)

    before = signal.getsignal(signal.SIGINT)
    threading.Thread(target=says, daemon=True).start()
    until_told(stop)
    threading.Event().wait()
    """
)


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    """Says that it was told to end, and then hangs."""
    root = Path(ending.__file__).parents[2]
    made = subprocess.Popen(
        [sys.executable, "-c", PROCESS],
        cwd=root,
        text=True,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert made.stdout is not None
    assert made.stdout.readline() == "here\n"
    yield made
    made.kill()
    made.communicate()


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_it_to_end_and_the_second_ends_it(
    first: signal.Signals, second: signal.Signals, process: "subprocess.Popen[str]"
) -> None:
    assert process.stdout is not None
    process.send_signal(first)
    assert process.stdout.readline() == "told\n"
    assert process.poll() is None
    process.send_signal(second)
    assert process.wait(5) == -second
    assert "Traceback" not in process.communicate()[1]


def test_when_even_the_end_hangs_the_process_is_ended_with_one_clear_line() -> None:
    log, ended = LogLines(), threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    with last_resort(0.01, make_log(log), end):
        assert ended.wait(5)
    assert codes == [STUCK]
    assert '"in_time": false' in log.text


def test_one_that_ends_in_time_is_not_ended_a_second_time() -> None:
    codes: list[int] = []
    with last_resort(0.05, make_log(LogLines()), codes.append):
        pass
    for thread in threading.enumerate():
        if thread.name == "last-resort":
            thread.join(5)
    assert codes == []
