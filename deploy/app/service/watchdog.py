"""The watchdog: a thread that hangs ends the process, so that whoever started it starts it again.

It counts its own rounds, not the time: while the whole process is stopped, or the machine sleeps, it sleeps as well,
and when it wakes up late every thread gets its full time again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

from deploy.app.service.shutdown import STUCK
from referral_bus.logs import Log

ROUND_S = 1.0
LATE_ROUNDS = 5  # a round of ours that took so many times its length: it is the machine that stood still


@dataclass(frozen=True, slots=True)
class Stuck:
    """A thread without progress, and for how long as far as this process was running."""

    thread: str
    seconds: float


class Watchdog:
    """Judges one round after the other. Knows nothing of threads or clocks."""

    def __init__(self, stuck_after_s: float, round_s: float = ROUND_S) -> None:
        self.round_s = round_s
        self._stuck_after_s = stuck_after_s
        self._seen: dict[str, tuple[int, int]] = {}  # a thread's rounds, and ours since they grew

    def look(self, rounds: Mapping[str, int], took_s: float) -> Stuck | None:
        """`rounds` of each thread that is at work; `took_s` is how long our own last round took."""
        before = self._seen if took_s < LATE_ROUNDS * self.round_s else {}
        self._seen = {
            name: (number, before[name][1] + 1 if name in before and before[name][0] == number else 0)
            for name, number in rounds.items()
        }
        for name, (_, ours) in self._seen.items():
            if ours * self.round_s >= self._stuck_after_s:
                return Stuck(name, ours * self.round_s)
        return None

    def work(
        self, rounds: Callable[[], Mapping[str, int]], log: Log, end: Callable[[int], object]
    ) -> Callable[[Event, Callable[[], None]], None]:
        """A thread's work for the supervisor. `end` is given the exit code and ends the process."""

        def watch(stop: Event, progress: Callable[[], None]) -> None:
            began = time.monotonic()
            while not stop.wait(self.round_s):
                progress()
                before, began = began, time.monotonic()
                stuck = self.look(rounds(), began - before)
                if stuck is not None:
                    log.error("stuck", thread=stuck.thread, seconds=stuck.seconds)
                    end(STUCK)

        return watch
