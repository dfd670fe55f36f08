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


def until_told(stop: Event) -> None:
    """Until SIGTERM, Ctrl-C, or until something inside has set `stop`. A second signal then ends the process at once,
    by the kernel, whatever code is running."""

    def told(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    stop.wait()


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
