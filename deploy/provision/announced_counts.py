"""Reads from the bus, before a new register is sent: the version before it, and how much is open at an agency."""

import time
from collections.abc import Collection
from datetime import datetime

from deploy.provision.cut_off import Open
from referral_bus.broker.protocols import Broker, Position, ReaderBroken
from referral_bus.errors import BusError
from referral_bus.federation.register import Register, read_register
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import Authentic, authenticate
from schemas.events import AgencyAnnouncement, RegisterVersion

WITHIN_S = 5.0  # for each topic: the result is advice only, and must not delay the register
POLL_S = 0.2
NEWEST = 50  # records read at the end of a topic; announcements come every minute


def version_before(broker: Broker, new: Register, now: datetime) -> Register | None:
    """The newest register below `new` that a steward has sent over the bus; None when none can be read there."""
    found: Register | None = None
    for raw in _newest(broker, new.register_topic):
        said = authenticate(raw, new, "", now)
        if isinstance(said, Authentic) and isinstance(said.record, RegisterVersion):
            try:
                register = read_register(said.record.register_file)
            except BusError:
                continue
            if register.version < new.version and (found is None or register.version > found.version):
                found = register
    return found


def open_at(broker: Broker, old: Register, agencies: Collection[str], now: datetime) -> dict[str, Open]:
    """Open and overdue referrals by agency, from its newest announcement. Agencies whose announcement cannot be read
    are left out."""
    found: dict[str, AgencyAnnouncement] = {}
    for code in agencies:
        for raw in _newest(broker, old.announcement(code) or ""):
            said = authenticate(raw, old, "", now)
            if (
                isinstance(said, Authentic)
                and isinstance(said.record, AgencyAnnouncement)
                and said.record.agency == code
            ):
                found[code] = max(
                    found.get(code, said.record), said.record, key=lambda each: (each.incarnation, each.counter)
                )
    return {code: Open(each.open_referrals, each.overdue_referrals) for code, each in found.items()}


def _newest(broker: Broker, name: str) -> list[RawRecord]:
    """The records at the end of a topic, as far as they can be read within `WITHIN_S`."""
    topic = broker.topics([name]).get(name) if name else None
    if topic is None:
        return []
    left = {partition: end for partition, end in broker.ends(topic).items() if end > 0}
    reader = broker.reader("referral-bus-register")
    found: list[RawRecord] = []
    deadline = time.monotonic() + WITHIN_S
    try:
        starts = [(partition, max(0, end - NEWEST)) for partition, end in left.items()]
        reader.assign([Position(topic.name, topic.topic_id, partition, at) for partition, at in starts])
        while left and time.monotonic() < deadline:
            for one in reader.poll(POLL_S, NEWEST):
                found.append(one.record)
                if one.offset + 1 >= left.get(one.partition, 0):
                    left.pop(one.partition, None)
    except ReaderBroken:
        return found
    finally:
        reader.close()
    return found
