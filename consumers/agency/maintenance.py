"""The keeper: what has to be done to the ledger from time to time, by nobody's wish.

Erased content leaves the write-ahead log, and what was kept long enough goes. A clock that ran a year ahead would have
us erase what is still needed, and nothing brings it back: so time has passed only when two other agencies' signed
announcements agree with our clock, or that of the only one that we hear.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from referral_bus.ledger import tombstones
from referral_bus.ledger.log_file import keep_short, log_bytes
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.peers import agreed_time
from referral_bus.ledger.retention import Retention, retain
from referral_bus.ledger.store import Ledger
from referral_bus.logs import Log, Seldom

LOOK_EVERY_S = 1.0
RETAIN_EVERY_S = 600.0
SAY_EVERY_S = 86_400.0


class Keeper:
    """One thread runs it."""

    def __init__(
        self,
        ledger: Ledger,
        keep: Retention,
        writing: Callable[[], Writing],
        log: Log,
        witnesses: Callable[[], int] = lambda: 2,
    ) -> None:
        """`witnesses`: how many other agencies must agree with our clock."""
        self._ledger = ledger
        self._keep = keep
        self._writing = writing
        self._log = log
        self._witnesses = witnesses
        self._seldom = Seldom(time.monotonic)
        self._daily = Seldom(time.monotonic, SAY_EVERY_S)

    def run(self, stop: threading.Event, progress: Callable[[], None]) -> None:
        rounds_to_go = 0
        while not stop.is_set():
            progress()
            scrub(self._ledger, self._writing())
            self.keep_log_short()
            if rounds_to_go <= 0:
                gone = self.retain()
                rounds_to_go = 0 if gone else int(RETAIN_EVERY_S / LOOK_EVERY_S)
                if gone:
                    self._log.info("kept_long_enough", count=gone)
            rounds_to_go -= 1
            stop.wait(LOOK_EVERY_S)

    def keep_log_short(self) -> None:
        """One attempt; logs about once a minute that an open read keeps the log from being emptied."""
        if not keep_short(self._ledger) and self._seldom("held_up"):
            self._log.warning("ledger_log_held_up", bytes=log_bytes(self._ledger))

    def retain(self) -> int:
        """One small step; returns how many things went. Nothing goes while too few others have been heard,
        which is said once a day."""
        writing = self._writing()
        with self._ledger.read() as tx:
            agreed = agreed_time(tx, writing.now, self._witnesses())
        if agreed is None:
            if self._daily("time_unconfirmed"):
                self._log.warning("time_unconfirmed", count=self._witnesses())
            return 0
        return retain(self._ledger, self._keep, replace(writing, now=agreed))


def scrub(ledger: Ledger, writing: Writing) -> bool:
    """Empties the write-ahead log if something was erased since; False while a reader keeps it from being done."""
    with ledger.read() as tx:
        if not tombstones.unscrubbed(tx):
            return True
        newest = tombstones.newest_revision(tx)
    if not ledger.empty_log():
        return False
    with ledger.write() as tx:
        tombstones.scrubbed(tx, newest, writing.now)
    return True
