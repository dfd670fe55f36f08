"""What stands behind a record that no recipient may believe: a forgery, or a copy of a genuine record. Pure.

Topic, Kafka key and value are signed, so a genuine record that is copied elsewhere fails there, and its writer has done
nothing wrong. Such a value names the place for which it was signed: one further look at the signature tells.
"""

from dataclasses import dataclass
from datetime import datetime

from consumers.monitor.metrics import UNKNOWN
from referral_bus.federation.register import Register
from referral_bus.wire.avro_codec import MAX_VALUE, Undecodable, decode
from referral_bus.wire.envelope import kafka_key, writer_of
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.signing import signature_input, verify
from schemas.events import AgencyAnnouncement, AnyRecord, DeadLetterNotice, Event, RegisterVersion, StorageReceipt
from schemas.outcomes import Code


@dataclass(frozen=True, slots=True)
class Forged:
    """`source` is the agency whose key signed it for this very place. Without a valid signature that is UNKNOWN: the
    id of a key is public, and says nothing about who wrote the record."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A copy of a genuine record of `source`, out of its place. Every writer of the topic can have put it there."""

    source: str
    target: str
    record: str


def doubted(raw: RawRecord, code: Code, register: Register, target: str) -> Forged | Replayed:
    """`code` is why the record is not believed, `target` the agency whose topic it stands in."""
    name = (raw.header("rb_keyid") or b"").decode("ascii", errors="replace")
    found, signature = register.signing_key(name), raw.header("rb_signature")
    if found is None or signature is None:
        return Forged(UNKNOWN, target)
    owner, key = found
    source = owner if register.agency(owner) is not None else UNKNOWN  # a steward is no agency

    def signed_for(topic: str, kafka_key: bytes) -> bool:
        return verify(key.raw, signature, signature_input(register.federation, name, topic, kafka_key, raw.value))

    record = _decoded(raw.value)
    genuine = record is not None and writer_of(record) == owner and key.usable(_written_at(record))
    if signed_for(raw.topic, raw.key):
        # The headers are not signed: a copy may have too many of them. A key that was valid once has signed what it
        # wrote then, and anybody may keep a copy of that.
        copied = genuine and code in (Code.TOO_LARGE, Code.SENDER_REVOKED)
        return Replayed(source, target, record.record) if record is not None and copied else Forged(source, target)
    if record is not None and genuine:
        topic = own_topic(record, register)
        if topic is not None and signed_for(topic, kafka_key(record)):
            return Replayed(source, target, record.record)
    return Forged(UNKNOWN, target)


def own_topic(record: AnyRecord, register: Register) -> str | None:
    """The topic in which a record belongs; None where the register has none for it."""
    match record:
        case Event() | StorageReceipt():
            return register.inbox(record.addressee)
        case AgencyAnnouncement():
            return register.announcement(record.agency)
        case DeadLetterNotice():
            return register.notices
        case RegisterVersion():
            return register.register_topic


def _decoded(value: bytes) -> AnyRecord | None:
    if len(value) > MAX_VALUE:
        return None
    try:
        record = decode(value)
    except Undecodable:
        return None
    return record if isinstance(record, AnyRecord) else None


def _written_at(record: AnyRecord) -> datetime:
    """As the record says."""
    return record.occurred_at if isinstance(record, Event) else record.issued_at


def expected_writers(register: Register, agency: str) -> tuple[str, ...]:
    """The agencies that have a reason to write into the topics of this one: those with an agreement, and itself."""
    return tuple(sorted({agency, *register.parties(agency)})) if register.agency(agency) is not None else ()
