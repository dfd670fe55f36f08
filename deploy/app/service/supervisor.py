"""Runs the threads of a service: starts a failed one again after a growing pause, and reports the health of each.

error of a thread       what the supervisor does
  Unreachable           runs the thread again after a short pause; logs it once a minute, since it is no defect
  LedgerUnusable        stops all threads and keeps the error in `fatal`, since starting again cannot help
  any other error       a defect: logs it at once, and runs the thread again after a pause that grows
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
"""The work of a thread: runs until the event is set, and calls its second argument once in each round."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Pauses, in seconds. `stale_s`: a thread without progress for so long is not ready; a healthy one makes a round at
    least twice a second."""

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
    """Starts, watches and stops the threads of a service. `fatal`: the error that stopped all of them; None without
    one."""

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
        """Starts a thread that runs `work` until the service stops."""
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
            went_round = entry.rounds > began + 1  # the first call of `progress` only begins a round
            failures = 1 if went_round else failures + 1
            self.stop.wait(self._pauses.backoff.pause(failures).total_seconds())

    def _run_once(self, name: str, entry: _Thread, progress: Callable[[], None]) -> str | None:
        """Runs the work once. Returns the place of a defect; None without one, when it may be run again at once."""
        entry.at_work = True
        try:
            entry.work(self.stop, progress)
            return None if self.stop.is_set() else "ended early"
        except Unreachable as error:
            progress()  # the thread itself is healthy while it waits
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
        """For each thread, whether it has made progress within `stale_s` and has not failed since."""
        since = time.monotonic() - self._pauses.stale_s
        return {name: entry.well and entry.last_progress > since for name, entry in self._threads.items()}

    def rounds(self) -> dict[str, int]:
        """The number of rounds of each thread whose work runs now; a thread in a pause before a restart is left out."""
        return {name: entry.rounds for name, entry in self._threads.items() if entry.at_work}

    def finish(self, within_s: float) -> bool:
        """Stops all threads; returns whether every one ended within `within_s` seconds."""
        self.stop.set()
        deadline = time.monotonic() + within_s
        for entry in self._threads.values():
            if entry.thread is not None:
                entry.thread.join(max(0.0, deadline - time.monotonic()))
        return not any(entry.thread and entry.thread.is_alive() for entry in self._threads.values())
