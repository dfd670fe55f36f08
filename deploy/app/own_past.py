"""What this agency has announced of itself before: a ledger that knows less than that must not speak.

The mark in the home folder tells it first. Where the home folder was put back too, only what others have heard does.
"""

import threading
from collections.abc import Callable
from datetime import datetime

from referral_bus.broker.protocols import Broker, Position, Reader, Topic
from referral_bus.federation.register import Register
from referral_bus.outside_backups import LOWEST, HighWater
from referral_bus.wire.record import Authentic, authenticate
from schemas.events import AgencyAnnouncement, AnyRecord

POLL_S = 0.2
MOST = 500  # records at once


def announced_before(
    broker: Broker, register: Register, here: str, now: datetime, stop: threading.Event, progress: Callable[[], None]
) -> HighWater:
    """The highest of our own announcements that the broker still has. Waits for records until `stop`. Raises
    `Unreachable` and `ReaderBroken` while the broker is in trouble: ask again."""
    name = register.announcement(here)
    topic = None if name is None else broker.topics([name]).get(name)
    if topic is None:
        return LOWEST
    reader = broker.reader(f"referral-bus.{here}")
    try:
        return _highest(reader, topic, dict(broker.ends(topic)), register, here, now, stop, progress)
    finally:
        reader.close()


def _highest(
    reader: Reader,
    topic: Topic,
    ends: dict[int, int],
    register: Register,
    here: str,
    now: datetime,
    stop: threading.Event,
    progress: Callable[[], None],
) -> HighWater:
    highest = LOWEST
    left = {partition: end for partition, end in ends.items() if end > 0}
    reader.assign([Position(topic.name, topic.topic_id, partition, 0) for partition in left])
    while left and not stop.is_set():
        progress()
        deliveries = reader.poll(POLL_S, MOST)
        reached = [(one.partition, one.offset + 1) for one in deliveries]
        reached += [(one.partition, one.next_offset) for one in reader.passed_over()]
        for partition, offset in reached:
            if offset >= left.get(partition, 0):
                left.pop(partition, None)
        for delivery in deliveries:
            found = authenticate(delivery.record, register, here, now)
            if isinstance(found, Authentic):
                highest = max(highest, _said(found.record, here))
    return highest


def _said(record: AnyRecord, here: str) -> HighWater:
    """Others may have signed an announcement of themselves for our topic."""
    if not isinstance(record, AgencyAnnouncement) or record.agency != here:
        return LOWEST
    return HighWater(record.incarnation, record.audit_count)
