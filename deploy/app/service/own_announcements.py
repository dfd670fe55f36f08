"""Reads what this agency has announced before, from Kafka. A ledger that is behind it is an old copy, and must not
send.

The mark in the home folder shows that first. Where the home folder too was restored from an old copy, only the
announcements in Kafka show it.
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
MOST = 500  # records in one poll
STUCK_S = 20.0  # without progress; then reading is given up
NEWEST = 1_000  # records that are read first: a month of announcements has 43,000


def announced_before(
    broker: Broker, register: Register, here: str, now: datetime, stop: threading.Event, progress: Callable[[], None]
) -> HighWater:
    """Incarnation and audit count of the highest of our own announcements that Kafka still holds. Reads the newest
    records of our topic to its end, and all of them only where none of the newest is ours. Stops early when `stop` is
    set. Raises `Unreachable` or `ReaderBroken` while the broker has trouble; then call it again."""
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
        """The highest announcement of ours from `begin` to the ends; None where there is none. The reader may never
        hand out the last offsets of a partition, so its own position tells that the end is reached."""
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
            elif time.monotonic() - moved_at > STUCK_S:  # the end may have moved back since
                raise Unreachable(Reason.KAFKA_UNREACHABLE, "our own announcements cannot be read to their end")
        return highest


def _said(raw: RawRecord, register: Register, here: str, now: datetime) -> HighWater | None:
    """What a record of our announcement topic announces; None unless we wrote it. Other agencies may have written there
    too, signed by their own keys."""
    found = authenticate(raw, register, here, now)
    record = found.record if isinstance(found, Authentic) else None
    if not isinstance(record, AgencyAnnouncement) or record.agency != here:
        return None
    return HighWater(record.incarnation, record.audit_count, raw.key_id)
