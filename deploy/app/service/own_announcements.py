"""What this agency has announced of itself before: a ledger that knows less than that must not speak.

The mark in the home folder tells it first. Where the home folder was put back too, only what others have heard does.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from referral_bus.broker.protocols import Broker, Position, Reader, Topic
from referral_bus.errors import Reason, Unreachable
from referral_bus.federation.register import Register
from referral_bus.rollback_guard import LOWEST, HighWater
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import Authentic, authenticate
from schemas.events import AgencyAnnouncement

POLL_S = 0.2
MOST = 500  # records at once
STUCK_S = 20.0
NEWEST = 1_000  # looked at first: a month of announcements has 43,000


def announced_before(
    broker: Broker, register: Register, here: str, now: datetime, stop: threading.Event, progress: Callable[[], None]
) -> HighWater:
    """The highest of our own announcements that the broker still has: among the newest records of our topic, and only
    where none of ours is among them among all. Reads to the end, until `stop`. Raises `Unreachable` and `ReaderBroken`
    while the broker is in trouble: ask again."""
    name = register.announcement(here)
    topic = None if name is None else broker.topics([name]).get(name)
    if topic is None:
        return LOWEST
    reader = broker.reader(f"referral-bus.{here}")
    try:
        ends = {partition: end for partition, end in broker.ends(topic).items() if end > 0}
        looking = _Looking(reader, topic, ends, lambda raw: _said(raw, register, here, now), stop, progress)
        newest = {partition: max(0, end - NEWEST) for partition, end in ends.items()}
        highest = looking.highest(newest)
        if highest is None and any(newest.values()):
            highest = looking.highest(dict.fromkeys(ends, 0))
        return highest or LOWEST
    finally:
        reader.close()


@dataclass(frozen=True, slots=True)
class _Looking:
    reader: Reader
    topic: Topic
    ends: Mapping[int, int]
    said: Callable[[RawRecord], HighWater | None]
    stop: threading.Event
    progress: Callable[[], None]

    def highest(self, begin: Mapping[int, int]) -> HighWater | None:
        """From there to the ends; None where nothing is ours. What stands at an end may never be handed out, so the
        reader's own position tells that it is reached."""
        highest, left = None, dict(self.ends)
        before, moved_at = None, time.monotonic()
        self.reader.assign([Position(self.topic.name, self.topic.topic_id, each, begin[each]) for each in left])
        while left and not self.stop.is_set():
            self.progress()
            deliveries = self.reader.poll(POLL_S, MOST)
            found = [highest, *(self.said(each.record) for each in deliveries)]
            highest = max((each for each in found if each is not None), default=None)
            reached = {each.partition: each.offset for each in self.reader.reached()}
            left = {partition: end for partition, end in left.items() if reached.get(partition, 0) < end}
            if reached != before:
                before, moved_at = reached, time.monotonic()
            elif time.monotonic() - moved_at > STUCK_S:  # the end may have moved back
                raise Unreachable(Reason.KAFKA_UNREACHABLE, "our own announcements cannot be read to their end")
        return highest


def _said(raw: RawRecord, register: Register, here: str, now: datetime) -> HighWater | None:
    """Others may have signed an announcement of themselves for our topic."""
    found = authenticate(raw, register, here, now)
    record = found.record if isinstance(found, Authentic) else None
    if not isinstance(record, AgencyAnnouncement) or record.agency != here:
        return None
    return HighWater(record.incarnation, record.audit_count, raw.key_id)
