"""Supervised threads: one that fails is started again after a growing pause, and everybody can see how it does.

work ends by            what follows
  Unreachable           it waits and goes on; said once a minute, since nothing is wrong with us
  LedgerUnusable        everything stops: `fatal` tells why, and beginning again cannot help
  any other error       a defect: said at once, started again after a pause that grows
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from referral_bus.backoff import Backoff
from referral_bus.errors import LedgerUnusable, Unreachable
from referral_bus.logs import Log, Seldom, defect

Work = Callable[[threading.Event, Callable[[], None]], None]
"""A thread's work: until the event is set, calling the second argument each time round."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds. A thread goes round at least twice a second when all is well; one that has not for `stale_s` is not
    ready."""

    first_s: float = 0.2
    longest_s: float = 30.0
    waiting_s: float = 0.5
    stale_s: float = 20.0

    @property
    def backoff(self) -> Backoff:
        return Backoff(timedelta(seconds=self.first_s), timedelta(seconds=self.longest_s))


@dataclass(slots=True)
class _Thread:
    work: Work
    rounds: int = 0
    at_work: bool = False
    last_progress: float = 0.0
    well: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)

    def goes_round(self) -> None:
        self.rounds += 1
        self.last_progress = time.monotonic()
        self.well = True


class Supervisor:
    """Starts, watches and stops the threads of a service. `fatal` is what ended everything, if something did."""

    def __init__(
        self,
        log: Log,
        on_progress: Callable[[str], None] = lambda _: None,
        on_restart: Callable[[str], None] = lambda _: None,
        pauses: Pauses = Pauses(),
    ) -> None:
        self._log = log
        self._on_progress = on_progress
        self._on_restart = on_restart
        self._pauses = pauses
        self._seldom = Seldom(time.monotonic)
        self._threads: dict[str, _Thread] = {}
        self.stop = threading.Event()
        self.fatal: LedgerUnusable | None = None

    def start(self, name: str, work: Work) -> None:
        entry = _Thread(work)
        self._threads[name] = entry
        entry.thread = threading.Thread(target=self._supervise, args=(name, entry), name=name, daemon=True)
        entry.thread.start()

    def _supervise(self, name: str, entry: _Thread) -> None:
        def progress() -> None:
            entry.goes_round()
            self._on_progress(name)

        failures = 0
        while not self.stop.is_set():
            began = entry.rounds
            where = self._run_once(name, entry, progress)
            if where is None:
                continue
            entry.well = False
            self._log.error("thread_failed", thread=name, where=where)
            self._on_restart(name)
            went_round = entry.rounds > began + 1  # the first round only began
            failures = 1 if went_round else failures + 1
            self.stop.wait(self._pauses.backoff.pause(failures).total_seconds())

    def _run_once(self, name: str, entry: _Thread, progress: Callable[[], None]) -> str | None:
        """Where the work failed; None when it has not, and may be begun again at once."""
        entry.at_work = True
        try:
            entry.work(self.stop, progress)
            return None if self.stop.is_set() else "ended early"
        except Unreachable as error:
            progress()  # what it waits for is not well; the thread is
            if self._seldom(name, error.reason):
                self._log.warning("waiting", thread=name, code=error.reason, advice=error.advice)
            self.stop.wait(self._pauses.waiting_s)
            return None
        except LedgerUnusable as error:
            self._log.error("cannot_go_on", thread=name, code=error.reason, advice=error.advice)
            self.fatal = error
            self.stop.set()
            return None
        except Exception as error:  # noqa: BLE001 # the boundary at which a thread's defect ends
            return defect(error)
        finally:
            entry.at_work = False

    def healthy(self) -> dict[str, bool]:
        """For each thread whether it goes round."""
        since = time.monotonic() - self._pauses.stale_s
        return {name: entry.well and entry.last_progress > since for name, entry in self._threads.items()}

    def rounds(self) -> dict[str, int]:
        """How often each thread that is at work has gone round; one that pauses before it begins again is not named."""
        return {name: entry.rounds for name, entry in self._threads.items() if entry.at_work}

    def finish(self, within_s: float) -> bool:
        """Stops all threads; tells whether every one ended in time."""
        self.stop.set()
        deadline = time.monotonic() + within_s
        for entry in self._threads.values():
            if entry.thread is not None:
                entry.thread.join(max(0.0, deadline - time.monotonic()))
        return not any(entry.thread and entry.thread.is_alive() for entry in self._threads.values())
