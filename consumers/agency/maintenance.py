"""The keeper: a thread of the service that maintains the ledger. It empties the write-ahead log of erased content, and
erases by retention what has been kept for its full time.

A clock that runs a year ahead would make it erase what is still needed, and nothing brings that back. So retention
counts a time as passed only when the signed announcements of two other agencies agree with our clock, or of one where
this agency hears only one.
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
    """One thread calls `run`."""

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
        """Runs until `stop` is set: empties the log every `LOOK_EVERY_S` seconds, and runs retention every
        `RETAIN_EVERY_S` seconds, or in the next round while it finds something to erase."""
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
        """Tries once to empty the write-ahead log. While an open read prevents it, logs that about once a minute."""
        if not keep_short(self._ledger) and self._seldom("held_up"):
            self._log.warning("ledger_log_held_up", bytes=log_bytes(self._ledger))

    def retain(self) -> int:
        """One bounded step of retention; returns how many rows it erased. Erases nothing while fewer than `witnesses`
        other agencies confirm our clock, and logs that once a day."""
        writing = self._writing()
        with self._ledger.read() as tx:
            agreed = agreed_time(tx, writing.now, self._witnesses())
        if agreed is None:
            if self._daily("time_unconfirmed"):
                self._log.warning("time_unconfirmed", count=self._witnesses())
            return 0
        return retain(self._ledger, self._keep, replace(writing, now=agreed))


def scrub(ledger: Ledger, writing: Writing) -> bool:
    """Empties the write-ahead log if something was erased since it was last emptied. Returns False while an open read
    prevents it."""
    with ledger.read() as tx:
        if not tombstones.unscrubbed(tx):
            return True
        newest = tombstones.newest_revision(tx)
    if not ledger.empty_log():
        return False
    with ledger.write() as tx:
        tombstones.scrubbed(tx, newest, writing.now)
    return True
