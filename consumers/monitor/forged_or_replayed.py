"""Tells forgeries from misplaced copies of genuine records, among records that no recipient may believe. Pure.

The signature covers topic, Kafka key and value. So a genuine record that is copied into another topic fails there,
though its writer has done nothing wrong. Its value tells the topic and key for which it was signed: if the signature is
valid for those, the record is a copy.
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
    """A forged record in a topic of `target`. `source`: the agency whose key signed it for this topic and Kafka key;
    UNKNOWN without a valid signature, since the id of a key is public and does not prove who wrote the record."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A copy of a genuine record of `source` in a topic of `target`. Any client that may write to that topic can have
    put it there."""

    source: str
    target: str
    record: str


def doubted(raw: RawRecord, code: Code, register: Register, target: str) -> Forged | Replayed:
    """Whether an unbelieved record is forged or a copy. `code`: why it is not believed. `target`: the agency in whose
    topic it was read."""
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
        # Headers are not signed, so a copy may have too many of them. And a copy of what a revoked key signed while it
        # was valid is still genuine.
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
    """When the record was written, by its writer's clock."""
    return record.occurred_at if isinstance(record, Event) else record.issued_at


def expected_writers(register: Register, agency: str) -> tuple[str, ...]:
    """The agencies that have a reason to write to the topics of `agency`: those with an agreement, and itself."""
    return tuple(sorted({agency, *register.parties(agency)})) if register.agency(agency) is not None else ()
