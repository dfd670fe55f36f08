"""The records that a sender has taken and that have no outcome yet: their bytes, and how long they have been under
way."""

from collections.abc import Sequence
from threading import Condition, Lock
from typing import Literal

from referral_bus.broker.protocols import SendFailure
from referral_bus.wire.raw import RawRecord

Outcome = Literal["stored"] | SendFailure

OVERHEAD_BYTES = 256
"""Roughly what the library keeps in memory beside each record."""


class KafkaSending:
    """One record under way. It waits for its topic until `handed`, when the library gets it. `since` is when it was
    taken, or later handed, by the sender's clock. `InFlight` sets its outcome once."""

    __slots__ = ("handed", "outcome", "record", "since", "size")

    def __init__(self, record: RawRecord, size: int, since: float) -> None:
        self.record = record
        self.size = size
        self.since = since
        self.handed = False
        self.outcome: Outcome | None = None

    def done(self) -> bool:
        return self.outcome is not None

    def failure(self) -> SendFailure | None:
        if self.outcome is None:
            raise RuntimeError("failure() was asked before done()")
        return None if self.outcome == "stored" else self.outcome


class InFlight:
    """Bounds the bytes in flight, because the library does not. Safe to use from several threads; only
    `wait_until_landed` blocks."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._open: dict[KafkaSending, None] = {}
        self._lock = Lock()
        self._landed = Condition(self._lock)

    def take(self, record: RawRecord, now: float) -> KafkaSending | None:
        """Takes a record into flight; None when the bound leaves no room. A record larger than the bound is taken when
        no other is in flight."""
        size = record.size + OVERHEAD_BYTES
        sending = KafkaSending(record, size, now)
        with self._lock:
            if self._bytes and self._bytes + size > self._limit:
                return None
            self._bytes += size
            self._open[sending] = None
        return sending

    def settle(self, sending: KafkaSending, outcome: Outcome) -> None:
        """Sets the outcome of a record, which frees its bytes. Ignores every outcome after the first."""
        with self._lock:
            if sending.outcome is not None:
                return
            sending.outcome = outcome
            self._bytes -= sending.size
            del self._open[sending]
            if not self._open:
                self._landed.notify_all()

    def handed(self) -> Sequence[KafkaSending]:
        """The records that the library has, the oldest first."""
        with self._lock:
            return [sending for sending in self._open if sending.handed]

    def oldest(self) -> float | None:
        """When the library got the oldest record that it still has; None when it has none."""
        with self._lock:
            return next((sending.since for sending in self._open if sending.handed), None)

    def wait_until_landed(self, timeout_s: float) -> None:
        with self._lock:
            self._landed.wait_for(lambda: not self._open, timeout_s)
