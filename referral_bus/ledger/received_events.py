"""What ingest writes: the events that it stores or refuses, and the positions up to which it has read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from referral_bus.broker.protocols import Position
from referral_bus.ledger import audit, referrals, tables
from referral_bus.ledger.at_rest import body_of
from referral_bus.ledger.audit import Action
from referral_bus.ledger.own_events import record_event
from referral_bus.ledger.referrals import Referral, Word
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.sealing import SealableEvent
from schemas.events import AnyEvent, ErasureEvent, ReferralEvent
from schemas.lifecycle import Side, Status
from schemas.outcomes import CODES, Code, Outcome
from schemas.personal import ReferralBody, StatusBody

# Built once: SQLAlchemy spends more time on building a statement than SQLite on running it.
_SAME = ("record", "referral_sender", "referral_id", "incarnation", "sequence", "occurred_at")
_KNOWN = sa.select(
    *(tables.events.c[name] for name in ("outcome", "code", "key_id", *_SAME)),
).where(
    tables.events.c.writer == sa.bindparam("of_writer"),
    tables.events.c.event_id == sa.bindparam("of_event", type_=sa.Uuid()),
)
_INSERT_HANDOVER = sa.insert(tables.handovers)


@dataclass(frozen=True, slots=True)
class Judged:
    """The first judgement of an event: it was stored, or refused for `code`."""

    outcome: Outcome
    code: Code | None


def known(tx: Tx, event: AnyEvent, believes: Callable[[str], bool]) -> Judged | None:
    """The earlier judgement of this event, of any copy of it; None for a new event. An event with the same id by
    another writer does not count: ids are visible to Kafka's host, and an agency could otherwise make another agency's
    event look known. Nor does one under a signing key that `believes` (of a key id) does not accept, unless it was
    stored and is the same event."""
    about = {"of_writer": event.writer, "of_event": event.event_id}
    for row in tx.connection.execute(_KNOWN, about).all():
        said_again = row.outcome == Outcome.STORED and all(getattr(row, name) == getattr(event, name) for name in _SAME)
        if said_again or row.key_id is None or believes(row.key_id):
            return Judged(Outcome(row.outcome), None if row.code is None else Code(row.code))
    return None


def store_referral(tx: Tx, event: ReferralEvent, body: ReferralBody, key_id: str, now: datetime) -> Referral:
    """Stores a new referral to this agency. `key_id`, here and below, is the id of the writer's signing key."""
    referral = Referral(
        key=event.referral,
        side=Side.RECIPIENT,
        peer=event.writer,
        status=Status.REQUESTED,
        priority=event.priority,
        acknowledge_by=event.acknowledge_by,
        respond_by=event.respond_by,
        created_at=now,
        changed_at=now,
        consent_expires_at=body.consent.expires_at,
    )
    referrals.insert(tx, referral)
    _store(tx, event, body, key_id, now)
    return referral


def store_word(
    tx: Tx, event: SealableEvent, body: StatusBody, referral: Referral, word: Word, key_id: str, now: datetime
) -> Referral:
    """Stores a word of the other side about a known referral. Returns the referral after the word."""
    changed = referrals.after(referral, word)
    referrals.save(tx, changed)
    _store(tx, event, body, key_id, now)
    return changed


def _store(tx: Tx, event: SealableEvent, body: ReferralBody | StatusBody, key_id: str, now: datetime) -> None:
    wrapped = referrals.body_key(tx, event.referral)
    body_name = body_of(event.writer, event.event_id)
    encrypted = None if wrapped is None else tx.at_rest.encrypt(wrapped, event.referral, body_name, encode(body))
    number = record_event(tx, event, now, Outcome.STORED, None, encrypted, key_id)
    _use_place(tx, event, key_id)
    owe_handover(tx, event, number, now)
    audit.note(tx, Action.RECEIVED, now, referral=event.referral, event_id=event.event_id, peer=event.writer)


def owe_handover(tx: Tx, event: AnyEvent, number: int, now: datetime) -> None:
    """Makes a stored event due for hand-over; `number` is that of its row in `events`."""
    row = {
        "number": number,
        "referral_sender": event.referral_sender,
        "referral_id": event.referral_id,
        "attempts": 0,
        "next_attempt_at": now,
    }
    tx.connection.execute(_INSERT_HANDOVER, row)


def refuse(tx: Tx, event: SealableEvent, code: Code, key_id: str, now: datetime) -> None:
    """Refuses an event for good. Its body is not kept; its place is used up if `CodeRule.place` of the code says so."""
    record_event(tx, event, now, Outcome.REFUSED, code, None, key_id)
    key, writer = event.referral, event.writer
    audit.note(tx, Action.REFUSED, now, referral=key, event_id=event.event_id, peer=writer, code=code)
    if CODES[code].place:
        _use_place(tx, event, key_id)


def store_erasure(tx: Tx, event: ErasureEvent, key_id: str, now: datetime) -> int:
    """Stores an ErasureEvent, which uses up no place. Returns its number, which the caller passes to `owe_handover`
    once the erasure has taken effect."""
    number = record_event(tx, event, now, Outcome.STORED, None, None, key_id)
    audit.note(tx, Action.RECEIVED, now, referral=event.referral, event_id=event.event_id, peer=event.writer)
    return number


def refuse_erasure(tx: Tx, event: ErasureEvent, code: Code, key_id: str, now: datetime) -> None:
    record_event(tx, event, now, Outcome.REFUSED, code, None, key_id)
    key, writer = event.referral, event.writer
    audit.note(tx, Action.REFUSED, now, referral=key, event_id=event.event_id, peer=writer, code=code)


def _use_place(tx: Tx, event: SealableEvent, key_id: str) -> None:
    before, _ = referrals.place_said(tx, event.referral, event.writer)
    referrals.hold_place(tx, event.referral, event.writer, before, event.place, key_id)


def positions(tx: Tx) -> dict[tuple[str, int], Position]:
    """The positions up to which ingest has read, by topic and partition."""
    rows = tx.connection.execute(sa.select(tables.positions))
    return {
        (row.topic, row.partition): Position(row.topic, row.topic_id, row.partition, row._mapping["offset"])
        for row in rows
    }


def read_up_to(tx: Tx, reached: Iterable[Position]) -> None:
    """Saves how far ingest has read, in the same transaction as what it has read."""
    table = tables.positions
    for position in reached:
        here = (table.c.topic == position.topic, table.c.partition == position.partition)
        values = {"topic_id": position.topic_id, "offset": position.offset}
        if tx.connection.execute(sa.update(table).where(*here).values(values)).rowcount == 0:
            values |= {"topic": position.topic, "partition": position.partition}
            tx.connection.execute(sa.insert(table).values(values))
