"""What has been taken for sending and has no outcome yet: how much it is, and for how long."""

from collections.abc import Sequence
from threading import Condition, Lock
from typing import Literal

from referral_bus.broker.protocols import SendFailure
from referral_bus.wire.raw import RawRecord

Outcome = Literal["stored"] | SendFailure

OVERHEAD_BYTES = 256
"""What the library keeps beside each record, roughly."""


class KafkaSending:
    """Waits for its topic until `handed`; from then on it is the library's. Its outcome is set once, by `InFlight`."""

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
    """Bounds the bytes in flight, because the library does not. Safe to use from several threads; nothing blocks but
    `wait_until_landed`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._open: dict[KafkaSending, None] = {}
        self._lock = Lock()
        self._landed = Condition(self._lock)

    def take(self, record: RawRecord, now: float) -> KafkaSending | None:
        """None when there is no room. A record larger than the bound goes alone."""
        size = record.size + OVERHEAD_BYTES
        sending = KafkaSending(record, size, now)
        with self._lock:
            if self._bytes and self._bytes + size > self._limit:
                return None
            self._bytes += size
            self._open[sending] = None
        return sending

    def settle(self, sending: KafkaSending, outcome: Outcome) -> None:
        """The first outcome counts; what is told later is ignored."""
        with self._lock:
            if sending.outcome is not None:
                return
            sending.outcome = outcome
            self._bytes -= sending.size
            del self._open[sending]
            if not self._open:
                self._landed.notify_all()

    def handed(self) -> Sequence[KafkaSending]:
        """The oldest first."""
        with self._lock:
            return [sending for sending in self._open if sending.handed]

    def oldest(self) -> float | None:
        """Since when the oldest of them has been the library's."""
        with self._lock:
            return next((sending.since for sending in self._open if sending.handed), None)

    def wait_until_landed(self, timeout_s: float) -> None:
        with self._lock:
            self._landed.wait_for(lambda: not self._open, timeout_s)
