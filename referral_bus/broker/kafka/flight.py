"""What has been taken for sending and has no outcome yet: how much it is, and for how long."""

from collections.abc import Sequence
from threading import Condition
from typing import Literal

from referral_bus.broker.protocols import SendFailure
from referral_bus.wire.raw import RawRecord

Outcome = Literal["stored"] | SendFailure

OVERHEAD_BYTES = 256
"""What the library keeps beside each record, roughly."""


class KafkaSending:
    """Its outcome is set once; what comes later is ignored."""

    __slots__ = ("_outcome", "record", "since")

    def __init__(self, record: RawRecord, since: float) -> None:
        self.record = record
        self.since = since
        self._outcome: Outcome | None = None

    def done(self) -> bool:
        return self._outcome is not None

    def failure(self) -> SendFailure | None:
        if self._outcome is None:
            raise RuntimeError("failure() was asked before done()")
        return None if self._outcome == "stored" else self._outcome

    def settle(self, outcome: Outcome) -> bool:
        """The caller makes sure that it is alone."""
        if self._outcome is not None:
            return False
        self._outcome = outcome
        return True


class Flight:
    """Bounds the bytes in flight, because the library does not. Safe to use from several threads; nothing blocks but
    `wait_until_landed`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._handed: dict[KafkaSending, None] = {}
        self._changed = Condition()

    def take(self, record: RawRecord, now: float) -> KafkaSending | None:
        """None when there is no room. A record larger than the bound goes alone."""
        size = record.size + OVERHEAD_BYTES
        with self._changed:
            if self._bytes and self._bytes + size > self._limit:
                return None
            self._bytes += size
        return KafkaSending(record, now)

    def hand(self, sending: KafkaSending) -> None:
        """It is the library's now, unless that was quick and it has landed."""
        with self._changed:
            if not sending.done():
                self._handed[sending] = None

    def settle(self, sending: KafkaSending, outcome: Outcome) -> None:
        with self._changed:
            if sending.settle(outcome):
                self._handed.pop(sending, None)
                self._bytes -= sending.record.size + OVERHEAD_BYTES
                if not self._handed:
                    self._changed.notify_all()

    def handed(self) -> Sequence[KafkaSending]:
        """The oldest first."""
        with self._changed:
            return list(self._handed)

    def oldest(self) -> float | None:
        """Since when the oldest of them has been the library's."""
        with self._changed:
            return next(iter(self._handed)).since if self._handed else None

    def wait_until_landed(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._handed, timeout_s)
