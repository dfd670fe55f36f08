"""The watchdog: ends the process when one of its threads hangs, so that systemd, or whatever started the process,
starts it again.

It counts its own rounds, not the time: while the whole process is stopped, or the machine sleeps, the watchdog does not
run either, and after a late round it gives every thread its full time again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event

from deploy.app.service.shutdown import STUCK
from referral_bus.logs import Log

ROUND_S = 1.0
LATE_ROUNDS = 5  # a round that took this many times `ROUND_S` is late: the machine stood still, not a thread


@dataclass(frozen=True, slots=True)
class Stuck:
    """A thread without progress, and for how many seconds in which this process was running."""

    thread: str
    seconds: float


class Watchdog:
    """Judges the threads once a round. `look` uses no threads and no clock itself."""

    def __init__(self, stuck_after_s: float, round_s: float = ROUND_S) -> None:
        self.round_s = round_s
        self._stuck_after_s = stuck_after_s
        self._seen: dict[str, tuple[int, int]] = {}  # by thread: its rounds, and our rounds since they last grew

    def look(self, rounds: Mapping[str, int], took_s: float) -> Stuck | None:
        """Judges one round; returns a thread that hangs, else None. `rounds`: of each thread whose work runs now.
        `took_s`: how long the watchdog's own last round took."""
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
        """The watchdog's work, to be run by the supervisor. `end`: ends the process with the exit code it is given."""

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
