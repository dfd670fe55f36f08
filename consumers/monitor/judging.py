"""Judges one delivery: which agency certainly wrote it, to which, and at what time it was heard. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from consumers.monitor.forged_or_replayed import Forged, Replayed, doubted
from consumers.monitor.metrics import UNKNOWN
from referral_bus.broker.protocols import Delivery
from referral_bus.federation.register import Register
from referral_bus.wire.avro_codec import HEAD, MARKER
from referral_bus.wire.envelope import writer_of
from referral_bus.wire.record import Authentic, Unbelieved, Undecoded, authenticate
from schemas.events import AgencyAnnouncement, AnyRecord, DeadLetterNotice, Event, RegisterVersion, StorageReceipt
from schemas.outcomes import Code


@dataclass(frozen=True, slots=True)
class Watched:
    """A topic that the monitor reads. `owner`: the agency that it belongs to; "" for the notices and the register."""

    kind: Literal["inbox", "announcement", "notices", "register"]
    owner: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A record certainly from `source` that cannot be read: it is malformed, or its schema is newer than our
    software."""

    source: str


@dataclass(frozen=True, slots=True)
class Attributed:
    """A record certainly from `source`, in the topic in which it belongs."""

    record: AnyRecord
    schema: bytes  # fingerprint
    source: str
    heard_at: datetime
    key_id: str  # that signed it


Judged = Forged | Replayed | Unread | Attributed


def watched_topics(register: Register) -> Mapping[str, Watched]:
    """Every topic that the monitor reads, by name."""
    found = {register.notices: Watched("notices", ""), register.register_topic: Watched("register", "")}
    for agency in register.content.agencies:
        inbox, announcement = register.inbox(agency.code), register.announcement(agency.code)
        if inbox is not None and announcement is not None:
            found[inbox] = Watched("inbox", agency.code)
            found[announcement] = Watched("announcement", agency.code)
    return found


def judge(delivery: Delivery, watched: Watched, register: Register, heard_at: datetime) -> Judged:
    """Judges a record as its recipient would: one in an inbox must be addressed to the inbox's owner."""
    raw = delivery.record
    here = watched.owner if watched.kind == "inbox" else ""
    found = authenticate(raw, register, here, heard_at)
    target = watched.owner or UNKNOWN
    match found:
        case Unbelieved(code):
            return doubted(raw, code, register, target)
        case Undecoded(writer):
            return Unread(writer)
        case Authentic(record, _):
            if not _belongs(record, watched):
                return doubted(raw, Code.NOT_ADDRESSED_HERE, register, target)
            return Attributed(record, raw.value[len(MARKER) : HEAD], writer_of(record), heard_at, raw.key_id)
    assert_never(found)


def _belongs(record: AnyRecord, watched: Watched) -> bool:
    match watched.kind:
        case "inbox":
            return isinstance(record, Event | StorageReceipt)
        case "announcement":
            return isinstance(record, AgencyAnnouncement) and record.agency == watched.owner
        case "notices":
            return isinstance(record, DeadLetterNotice)
        case "register":
            return isinstance(record, RegisterVersion)


def heard(appended_at: datetime, not_before: datetime | None, now: datetime) -> datetime:
    """When a record came: the broker's time `appended_at`, but not before `not_before`, the last time at which the
    monitor had read everything, and not after `now`. While the monitor keeps up, the two bounds are seconds apart, so
    its own clock decides. Without the bounds the broker could make an expired key look valid, or an answer early."""
    return min(now, appended_at if not_before is None else max(appended_at, not_before))
