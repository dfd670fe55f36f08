"""Supervised threads: one that fails is started again after a growing pause, and everybody can see how it does."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from referral_bus.logs import Log, defect

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0
STALE_S = 20.0  # a thread goes round at least twice a second when all is well

Work = Callable[[threading.Event, Callable[[], None]], None]
"""A thread's work: until the event is set, calling the second argument each time round."""


@dataclass(slots=True)
class _Thread:
    work: Work
    last_progress: float = 0.0
    running: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """Starts, watches and stops the threads of a service."""

    def __init__(self, log: Log, on_progress: Callable[[str], None]) -> None:
        self._log = log
        self._on_progress = on_progress
        self._threads: dict[str, _Thread] = {}
        self.stop = threading.Event()

    def start(self, name: str, work: Work) -> None:
        entry = _Thread(work)
        self._threads[name] = entry
        entry.thread = threading.Thread(target=self._supervise, args=(name, entry), name=name, daemon=True)
        entry.thread.start()

    def _supervise(self, name: str, entry: _Thread) -> None:
        pause, rounds = 0.0, 0

        def progress() -> None:
            nonlocal rounds
            rounds += 1
            entry.last_progress = time.monotonic()
            entry.running = True
            self._on_progress(name)

        while not self.stop.is_set():
            rounds = 0
            try:
                entry.work(self.stop, progress)
                where = None if self.stop.is_set() else "ended early"
            except Exception as error:  # noqa: BLE001 # the boundary at which a thread's defect ends
                where = defect(error)
            entry.running = False
            if where is not None:
                self._log.error("thread_failed", thread=name, where=where)
                went_round = rounds > 1  # the first round only began
                pause = FIRST_PAUSE_S if went_round or not pause else min(2 * pause, LONGEST_PAUSE_S)
                self.stop.wait(pause)

    def healthy(self) -> dict[str, bool]:
        """For each thread whether it goes round."""
        now = time.monotonic()
        return {name: entry.running and now - entry.last_progress < STALE_S for name, entry in self._threads.items()}

    def finish(self, within_s: float) -> bool:
        """Stops all threads; tells whether every one ended in time."""
        self.stop.set()
        deadline = time.monotonic() + within_s
        for entry in self._threads.values():
            if entry.thread is not None:
                entry.thread.join(max(0.0, deadline - time.monotonic()))
        return not any(entry.thread and entry.thread.is_alive() for entry in self._threads.values())
