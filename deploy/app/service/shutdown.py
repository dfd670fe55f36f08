"""How a service's process ends: told by a signal, within ten seconds, and at once when it is told twice."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from referral_bus.logs import Log

STUCK = 4
"""The exit code of a service in which something hangs. What was accepted is in the ledger: start it again."""

DRAIN_S = 9.5  # then it ends whatever hangs; systemd and people are promised 10
PROMISED_S = 10.0  # then the kernel ends it, also where Python itself stands still
LOOK_S = 0.5
"""A signal that arrives just before the main thread begins to wait, or in another thread, does not end the wait. So the
wait ends by itself, and the handler runs then."""


def until_told(stop: Event, promised_s: float = PROMISED_S) -> None:
    """Until SIGTERM, Ctrl-C, or until something inside has set `stop`. From the first signal on, the kernel ends the
    process at a second one, and after `promised_s`, whatever code is running."""

    def told(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, promised_s)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    while not stop.wait(LOOK_S):
        pass


@contextmanager
def last_resort(within_s: float, log: Log, end: Callable[[int], object]) -> Iterator[None]:
    """Ends the process when what is done meanwhile takes longer than that."""

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
