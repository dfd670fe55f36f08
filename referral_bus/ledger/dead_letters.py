"""Dead letters: records that could not be taken in, with their bytes, and events that could not be handed over.

held ──> judged anew from the start        after a newer register, newer software or a command; see `held_events`
refused                                    final; kept for an inquiry, in bounded number; see `drop_beyond`
exhausted ──> retried, or handed over      stored, but the agency's own system did not take it; see `handovers`
held | exhausted ──> discarded             the agency's staff have decided so; the bytes go, the row stays
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import referrals, tables
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import HEAD, MARKER
from referral_bus.wire.raw import RawRecord
from schemas.events import Event, ReferralKey
from schemas.outcomes import Code
from schemas.schema_index import by_fingerprint

MOST_REFUSED_BYTES = 32 * 1024 * 1024

_D = tables.dead_letters.c
SIZE = sum((sa.func.coalesce(sa.func.length(each), 0) for each in (_D.key, _D.value, _D.headers)), sa.literal(0))
"""The bytes that a kept record takes. SQLite tells the length of a value without reading it."""
# Built once: SQLAlchemy spends more time on building a statement than SQLite on running it.
_KEPT = sa.select(_D.number).where(_D.writer == sa.bindparam("of_writer"), _D.value_sha256 == sa.bindparam("digest"))


class DeadLetterState(StrEnum):
    """The state of a dead letter. `JUDGED` is set only within the transaction that judges it anew."""

    HELD = "held"
    JUDGED = "judged"
    REFUSED = "refused"
    EXHAUSTED = "exhausted"
    DISCARDED = "discarded"


WAITING = (DeadLetterState.HELD, DeadLetterState.EXHAUSTED)
"""The states in which a dead letter can be retried or discarded."""


@dataclass(frozen=True, slots=True)
class NotTakenIn:
    """An authentic record that was held or refused. `event` is None where it could not be decoded."""

    raw: RawRecord
    value_sha256: bytes
    writer: str
    event: Event | None
    code: Code
    path: str | None = None


def keep(tx: Tx, state: DeadLetterState, letter: NotTakenIn, now: datetime) -> None:
    """Keeps the record as it came. The same bytes of the same writer are one dead letter, whose `count` grows with each
    copy that comes; judging it anew does not count."""
    same = (_D.writer == letter.writer, _D.value_sha256 == letter.value_sha256)
    known = tx.connection.execute(sa.select(_D.number, _D.state, _D.code).where(*same)).one_or_none()
    values = _row(letter) | {"state": state.value}
    if known is None:
        tx.connection.execute(sa.insert(tables.dead_letters).values(first_at=now, last_at=now, count=1, **values))
        return
    if known.code != letter.code:
        values["noticed_at"] = None  # the operators need a notice with the new code
    if known.state != DeadLetterState.JUDGED:
        values |= {"count": _D.count + 1, "last_at": now}
    tx.connection.execute(sa.update(tables.dead_letters).where(_D.number == known.number).values(values))


def is_kept(tx: Tx, letter: NotTakenIn) -> bool:
    """Whether the same bytes of the same writer are kept already. Kafka's host can deliver a record any number of
    times, which must not count against its writer."""
    return tx.connection.execute(_KEPT, {"of_writer": letter.writer, "digest": letter.value_sha256}).first() is not None


def refused(tx: Tx, letter: NotTakenIn, now: datetime) -> None:
    """Keeps a record that was refused for good; see `drop_beyond`."""
    keep(tx, DeadLetterState.REFUSED, letter, now)


def _row(letter: NotTakenIn) -> dict[str, Any]:
    event, raw = letter.event, letter.raw
    fingerprint = raw.value[len(MARKER) : HEAD] if raw.value.startswith(MARKER) and len(raw.value) >= HEAD else None
    return {
        "code": letter.code.value,
        "path": letter.path,
        "writer": letter.writer,
        "record": event and event.record,
        "event_id": event and event.event_id,
        "referral_sender": event and event.referral_sender,
        "referral_id": event.referral_id if event else _id_in(raw.key),
        "value_sha256": letter.value_sha256,
        "fingerprint": fingerprint,
        "topic": raw.topic,
        "key": raw.key,
        "value": None if _in_clear(fingerprint) else raw.value,
        "headers": [[name, value.hex()] for name, value in raw.headers],
    }


def _id_in(key: bytes) -> UUID | None:
    """The referral id in a record's Kafka key, by which an erasure finds records that could not be decoded; None for
    another key."""
    try:
        return UUID(key.decode("ascii"))
    except ValueError:
        return None


def _in_clear(fingerprint: bytes | None) -> bool:
    """Whether the value is a body that was sent unsealed, which is not kept."""
    schema = by_fingerprint().get(fingerprint or b"")
    return schema is not None and schema.record in ("ReferralBody", "StatusBody")


def raw_record(row: sa.Row[tuple[object, ...]]) -> RawRecord:
    """The record that a row of `dead_letters` keeps."""
    headers = tuple((name, bytes.fromhex(value)) for name, value in row._mapping["headers"])
    return RawRecord(row._mapping["topic"], row._mapping["key"], row._mapping["value"], headers)


def stood_at(tx: Tx, value_sha256: bytes, partition: int, offset: int) -> None:
    """Notes the partition and offset of a kept record, so that operators find it in Kafka."""
    where = {"partition": partition, "offset": offset}
    tx.connection.execute(sa.update(tables.dead_letters).where(_D.value_sha256 == value_sha256).values(where))


def exhausted(tx: Tx, number: int, now: datetime) -> None:
    """Makes a dead letter of the event with this number: the agency's own system has not taken it in any attempt."""
    event = tx.connection.execute(sa.select(tables.events).where(tables.events.c.number == number)).one()._mapping
    same = ("writer", "record", "event_id", "referral_sender", "referral_id")
    values = {name: event[name] for name in same} | {"event_number": number, "first_at": now, "last_at": now}
    values |= {"state": DeadLetterState.EXHAUSTED.value, "code": Code.HANDOVER_EXHAUSTED.value, "count": 1}
    tx.connection.execute(sa.insert(tables.dead_letters).values(values))


def exhausted_no_more(tx: Tx, numbers: sa.Select[tuple[int]]) -> None:
    """Removes the dead letters of these events, which were handed over after all, are due again, or are forgotten."""
    tx.connection.execute(sa.delete(tables.dead_letters).where(_D.event_number.in_(numbers)))


def reason_of(number: int) -> str:
    """The name of a dead letter's reason, for `AtRest.encrypt`."""
    return f"dead-letter/{number}"


def discarded(tx: Tx, number: int, reason: str, now: datetime) -> None:
    """Discards a dead letter by a decision of the staff: removes its bytes. The reason is kept, encrypted under the
    referral's key, only where the ledger has that key."""
    row = tx.connection.execute(sa.select(_D.referral_sender, _D.referral_id).where(_D.number == number)).one()
    key = ReferralKey(row.referral_sender, row.referral_id)
    wrapped = referrals.body_key(tx, key)
    values = {
        "state": DeadLetterState.DISCARDED.value,
        "code": Code.DISCARDED.value,
        "event_number": None,
        "value": None,
        "headers": None,
        "last_at": now,
        "reason": None if wrapped is None else tx.at_rest.encrypt(wrapped, key, reason_of(number), reason.encode()),
    }
    tx.connection.execute(sa.update(tables.dead_letters).where(_D.number == number).values(values))


def drop_beyond(tx: Tx, most: int, most_bytes: int = MOST_REFUSED_BYTES) -> int:
    """Keeps at most `most` refused dead letters, and `most_bytes` of them: evicts the oldest letters of the writer that
    holds most, so that no writer pushes out those of another. Returns how many it evicted."""
    taken = sa.func.sum(SIZE).over(partition_by=_D.writer, order_by=_D.number.desc())
    of_writer = sa.func.row_number().over(partition_by=_D.writer, order_by=_D.number.desc())
    refused_ones = sa.select(_D.number, SIZE.label("size"), taken.label("taken"), of_writer.label("nth"))
    letter = refused_ones.where(_D.state == DeadLetterState.REFUSED).subquery().c
    total = sa.func.sum(letter.size).over(order_by=(letter.taken, letter.number.desc()))
    count = sa.func.row_number().over(order_by=(letter.nth, letter.number.desc()))
    ranked = sa.select(letter.number, total.label("total"), count.label("count")).subquery().c
    beyond = sa.select(ranked.number).where(sa.or_(ranked.count > most, ranked.total > most_bytes))
    return tx.connection.execute(sa.delete(tables.dead_letters).where(_D.number.in_(beyond))).rowcount


def forget(tx: Tx, key: ReferralKey) -> None:
    """Deletes all dead letters about an erased referral, and undecodable ones whose Kafka key names it."""
    of_sender = sa.or_(_D.referral_sender == key.sender, _D.referral_sender.is_(None))
    tx.connection.execute(sa.delete(tables.dead_letters).where(_D.referral_id == key.referral_id, of_sender))


def forget_older(tx: Tx, before: datetime, most: int) -> int:
    """Deletes up to `most` dead letters whose record last came before `before`; returns how many. The writer of a held
    event has no final receipt, and sends it again. Exhausted ones stay, since their referral still waits for them."""
    others = [state for state in DeadLetterState if state is not DeadLetterState.EXHAUSTED]
    old = sa.select(_D.number).where(_D.state.in_(others), _D.last_at < before).limit(most)
    return tx.connection.execute(sa.delete(tables.dead_letters).where(_D.number.in_(old))).rowcount
