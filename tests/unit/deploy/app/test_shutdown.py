"""How a service's process ends: by one signal in order, by a second at once, and by itself when something hangs."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from deploy.app.service import shutdown
from deploy.app.service.shutdown import STUCK, end_when_told, last_resort
from deploy.app.service.supervisor import Supervisor
from referral_bus.errors import LedgerUnusable, Reason
from referral_bus.logs import make_log
from tests.kit.bench import LogLines
from tests.kit.waiting import PATIENCE_S

pytestmark = pytest.mark.timeout(2 * PATIENCE_S)  # reading from a process that says nothing blocks

PROCESS = dedent(
    """
    import signal, sys, threading, time
    from deploy.app.service.shutdown import until_told
    stop = threading.Event()

    def says():
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL or signal.getsignal(signal.SIGINT) is before:
            time.sleep(0.01)
        print("here", flush=True)
        stop.wait()
        print("told", flush=True)

    def signals_itself():
        if sys.stdin.readline():
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGINT)
    for work in (says, signals_itself):
        threading.Thread(target=work, daemon=True).start()
    until_told(stop, float(sys.argv[1]))
    threading.Event().wait()
    """
)


@contextmanager
def ending_process(promised_s: float) -> Iterator["subprocess.Popen[str]"]:
    """Says that it was told to end, and then hangs."""
    made = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(promised_s)],
        cwd=Path(shutdown.__file__).parents[2],
        text=True,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert made.stdout is not None
    assert made.stdout.readline() == "here\n"
    yield made
    made.kill()
    made.communicate()


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    with ending_process(promised_s=1000) as made:
        yield made


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
    assert process.wait() == -second
    assert "Traceback" not in process.communicate()[1]


def test_a_signal_that_wakes_up_another_thread_asks_it_to_end_as_well(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("now\n")
    process.stdin.flush()
    assert process.stdout.readline() == "told\n"


def test_the_kernel_ends_it_where_nothing_else_does_within_the_promised_time() -> None:
    with ending_process(promised_s=0.1) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGALRM


@pytest.fixture
def signals() -> Iterator[None]:
    """Puts back the handlers that a service's end leaves behind."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_a_service_that_its_ledger_has_stopped_ends_with_the_reason() -> None:
    log = LogLines()
    supervisor = Supervisor(make_log(log))
    closed: list[bool] = []

    def work(_: threading.Event, progress: Callable[[], None]) -> None:
        progress()
        raise LedgerUnusable(Reason.LEDGER_DAMAGED, "it is damaged", "monitor.sqlite")

    def close() -> bool:
        closed.append(True)
        return supervisor.finish(PATIENCE_S)

    supervisor.start("reading", work)
    with pytest.raises(LedgerUnusable, match="it is damaged"):
        end_when_told(supervisor, make_log(log), lambda _: pytest.fail("it hangs"), close)

    assert closed == [True]


def test_when_even_the_end_hangs_the_process_is_ended_with_one_clear_line() -> None:
    log, ended = LogLines(), threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    with last_resort(0.01, make_log(log), end):
        assert ended.wait(PATIENCE_S)
    assert codes == [STUCK]
    assert '"in_time": false' in log.text


def test_one_that_ends_in_time_is_not_ended_a_second_time() -> None:
    codes: list[int] = []
    with last_resort(0.05, make_log(LogLines()), codes.append):
        pass
    for thread in threading.enumerate():
        if thread.name == "last-resort":
            thread.join(PATIENCE_S)
    assert codes == []
