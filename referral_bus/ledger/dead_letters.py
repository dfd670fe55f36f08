"""Dead letters: what could not be taken in or handed over, with its bytes, until somebody or something settles it.

held ──> judged anew from the start        a register, newer software or somebody here has helped; see `held_events`
refused                                    final; kept for whoever looks into it, so many and no more
exhausted ──> retried, or handed over      stored, but our own system did not take it; see `handovers`
held | exhausted ──> discarded             somebody here has decided so; its bytes go, the mark stays
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
"""Of one as it is kept: of a value SQLite tells the length without reading it."""
# Built once: SQLAlchemy spends more time on building a statement than SQLite on running it.
_KEPT = sa.select(_D.number).where(_D.writer == sa.bindparam("of_writer"), _D.value_sha256 == sa.bindparam("digest"))


class DeadLetterState(StrEnum):
    """What a dead letter waits for. `judged` never outlasts a transaction."""

    HELD = "held"
    JUDGED = "judged"
    REFUSED = "refused"
    EXHAUSTED = "exhausted"
    DISCARDED = "discarded"


WAITING = (DeadLetterState.HELD, DeadLetterState.EXHAUSTED)
"""These can be retried and discarded."""


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
    """Keeps the record as it came. The same bytes of the same writer are one dead letter, however often they come;
    one that is judged anew has not come again."""
    same = (_D.writer == letter.writer, _D.value_sha256 == letter.value_sha256)
    known = tx.connection.execute(sa.select(_D.number, _D.state, _D.code).where(*same)).one_or_none()
    values = _row(letter) | {"state": state.value}
    if known is None:
        tx.connection.execute(sa.insert(tables.dead_letters).values(first_at=now, last_at=now, count=1, **values))
        return
    if known.code != letter.code:
        values["noticed_at"] = None  # something else is the matter now
    if known.state != DeadLetterState.JUDGED:
        values |= {"count": _D.count + 1, "last_at": now}
    tx.connection.execute(sa.update(tables.dead_letters).where(_D.number == known.number).values(values))


def is_kept(tx: Tx, letter: NotTakenIn) -> bool:
    """Whether the same bytes of the same writer are kept already: the host can have one record come any number of
    times, which is not its writer's doing."""
    return tx.connection.execute(_KEPT, {"of_writer": letter.writer, "digest": letter.value_sha256}).first() is not None


def refused(tx: Tx, letter: NotTakenIn, now: datetime) -> None:
    """It will never be taken. Kept as it came; see `drop_beyond`."""
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
    """The referral that a record's key names, so that an erasure finds what could not be decoded."""
    try:
        return UUID(key.decode("ascii"))
    except ValueError:
        return None


def _in_clear(fingerprint: bytes | None) -> bool:
    """A body that was sent unsealed is the one thing not kept."""
    schema = by_fingerprint().get(fingerprint or b"")
    return schema is not None and schema.record in ("ReferralBody", "StatusBody")


def raw_record(row: sa.Row[tuple[object, ...]]) -> RawRecord:
    headers = tuple((name, bytes.fromhex(value)) for name, value in row._mapping["headers"])
    return RawRecord(row._mapping["topic"], row._mapping["key"], row._mapping["value"], headers)


def stood_at(tx: Tx, value_sha256: bytes, partition: int, offset: int) -> None:
    """Where in its topic the record stands, for those who look there."""
    where = {"partition": partition, "offset": offset}
    tx.connection.execute(sa.update(tables.dead_letters).where(_D.value_sha256 == value_sha256).values(where))


def exhausted(tx: Tx, number: int, now: datetime) -> None:
    """Our own system did not take the event with this number, however often it was asked."""
    event = tx.connection.execute(sa.select(tables.events).where(tables.events.c.number == number)).one()._mapping
    same = ("writer", "record", "event_id", "referral_sender", "referral_id")
    values = {name: event[name] for name in same} | {"event_number": number, "first_at": now, "last_at": now}
    values |= {"state": DeadLetterState.EXHAUSTED.value, "code": Code.HANDOVER_EXHAUSTED.value, "count": 1}
    tx.connection.execute(sa.insert(tables.dead_letters).values(values))


def exhausted_no_more(tx: Tx, numbers: sa.Select[tuple[int]]) -> None:
    """These events have been handed over after all, or are due again."""
    tx.connection.execute(sa.delete(tables.dead_letters).where(_D.event_number.in_(numbers)))


def reason_of(number: int) -> str:
    """Names the reason of a dead letter for `AtRest`."""
    return f"dead-letter/{number}"


def discarded(tx: Tx, number: int, reason: str, now: datetime) -> None:
    """Somebody has decided against it. The reason is encrypted as the referral's bodies are, and is kept only where
    there is a key to do so; the bytes go."""
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
    """Keeps at most so many refused ones, and so many bytes of them: evicts the oldest of the writer that holds most,
    so no writer pushes out another's. Returns how many it evicted."""
    taken = sa.func.sum(SIZE).over(partition_by=_D.writer, order_by=_D.number.desc())
    of_writer = sa.func.row_number().over(partition_by=_D.writer, order_by=_D.number.desc())
    refused_ones = sa.select(_D.number, SIZE.label("size"), taken.label("taken"), of_writer.label("nth"))
    one = refused_ones.where(_D.state == DeadLetterState.REFUSED).subquery().c
    total = sa.func.sum(one.size).over(order_by=(one.taken, one.number.desc()))
    count = sa.func.row_number().over(order_by=(one.nth, one.number.desc()))
    each = sa.select(one.number, total.label("total"), count.label("count")).subquery().c
    beyond = sa.select(each.number).where(sa.or_(each.count > most, each.total > most_bytes))
    return tx.connection.execute(sa.delete(tables.dead_letters).where(_D.number.in_(beyond))).rowcount


def forget(tx: Tx, key: ReferralKey) -> None:
    """Everything about a referral that is erased, and what could not be decoded but names it."""
    of_sender = sa.or_(_D.referral_sender == key.sender, _D.referral_sender.is_(None))
    tx.connection.execute(sa.delete(tables.dead_letters).where(_D.referral_id == key.referral_id, of_sender))


def forget_older(tx: Tx, before: datetime, most: int) -> int:
    """Retention, at most so many in one step; returns how many. The writer of a held event still waits and sends it
    again. What is exhausted blocks its referral, so it stays as long as that does."""
    others = [state for state in DeadLetterState if state is not DeadLetterState.EXHAUSTED]
    old = sa.select(_D.number).where(_D.state.in_(others), _D.last_at < before).limit(most)
    return tx.connection.execute(sa.delete(tables.dead_letters).where(_D.number.in_(old))).rowcount
