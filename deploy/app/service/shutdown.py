"""Ends a service's process: within ten seconds after a signal, and at once after a second one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from deploy.app.service.supervisor import Supervisor
from referral_bus.logs import Log

STUCK = 4
"""The exit code of a service in which a thread hangs. What was accepted is in the ledger; start the service again."""

DRAIN_S = 9.5  # after the signal the process then ends itself, whatever hangs; the documents promise 10 s
PROMISED_S = 10.0  # then the kernel ends it, even where Python itself does not run
LOOK_S = 0.5
"""Longest single wait of the main thread. A signal that arrives just before the wait begins, or in another thread, does
not end it; the handler runs once it has ended."""


def until_told(stop: Event, promised_s: float = PROMISED_S) -> None:
    """Waits until SIGTERM or Ctrl-C comes, or another thread sets `stop`. After the first signal the kernel ends the
    process at a second one, or after `promised_s` seconds, whatever code is running."""

    def told(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, promised_s)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    while not stop.wait(LOOK_S):
        pass


def end_when_told(supervisor: Supervisor, log: Log, end: Callable[[int], object], close: Callable[[], bool]) -> bool:
    """Waits until the service is told to end, then closes it by `close`, which returns whether everything ended in
    time; returns the same. Raises the `LedgerUnusable` for which the supervisor stopped the service."""
    until_told(supervisor.stop)
    with last_resort(DRAIN_S, log, end):
        finished = close()
    log.info("stopped", in_time=finished)
    if finished and supervisor.fatal is not None:
        raise supervisor.fatal
    return finished


@contextmanager
def last_resort(within_s: float, log: Log, end: Callable[[int], object]) -> Iterator[None]:
    """Calls `end` with `STUCK` when the wrapped code takes longer than `within_s` seconds."""

    def give_up() -> None:
        log.error("stopped", in_time=False)
        end(STUCK)

    timer = threading.Timer(within_s, give_up)
    timer.daemon, timer.name = True, "last-resort"
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
