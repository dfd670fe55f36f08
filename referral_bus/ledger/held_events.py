"""Events that cannot be judged yet: dead letters whose bytes wait for a newer register, newer software or a command of
the staff. Then ingest judges them anew, from the start."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.dead_letters import SIZE, DeadLetterState, NotTakenIn, keep, raw_record
from referral_bus.ledger.quotas import QuotaExceeded
from referral_bus.ledger.store import Tx
from referral_bus.wire.raw import RawRecord
from schemas.outcomes import Code

MOST_HELD = 2_000  # of one writer
MOST_HELD_BYTES = 32 * 1024 * 1024  # of one writer

_D = tables.dead_letters.c
# Built once: SQLAlchemy spends more time on building a statement than SQLite on running it.
_HELD_AS = sa.select(_D.code).where(
    _D.writer == sa.bindparam("of_writer"),
    _D.event_id == sa.bindparam("of_event", type_=sa.Uuid()),
    _D.state == DeadLetterState.HELD,
)
_OF_WRITER = _D.writer == sa.bindparam("of_writer")
_HELD = _D.state.in_((DeadLetterState.HELD, DeadLetterState.JUDGED))
_KEPT_ALREADY = sa.select(_D.number).where(_OF_WRITER, _D.value_sha256 == sa.bindparam("digest"), _HELD)
_HELD_ALREADY = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(SIZE), 0)).where(_OF_WRITER, _HELD)


def hold(tx: Tx, letter: NotTakenIn, now: datetime) -> None:
    """Keeps the bytes of an event, for which its writer gets a HELD receipt. Raises `QuotaExceeded`, before it writes
    anything, for a writer with too many held events; a copy of one that is held already is always accepted."""
    who = {"of_writer": letter.writer}
    kept = tx.connection.execute(_KEPT_ALREADY, who | {"digest": letter.value_sha256}).first()
    if kept is None and _full(tx, who):
        raise QuotaExceeded(letter.event.record if letter.event else "unknown")
    keep(tx, DeadLetterState.HELD, letter, now)


def _full(tx: Tx, who: dict[str, str]) -> bool:
    count, size = tx.connection.execute(_HELD_ALREADY, who).one()
    return bool(count >= MOST_HELD or size >= MOST_HELD_BYTES)


def held_as(tx: Tx, writer: str, event_id: UUID) -> Code | None:
    """The code for which an event is held; None if it is not held."""
    code = tx.connection.execute(_HELD_AS, {"of_writer": writer, "of_event": event_id}).scalars().first()
    return None if code is None else Code(code)


@dataclass(frozen=True, slots=True)
class Released:
    """A record to be judged anew. `number` is that of its dead letter."""

    number: int
    raw: RawRecord


def release(tx: Tx, codes: Collection[Code], after: int, most: int) -> list[Released]:
    """Up to `most` records that are held for one of these codes, with numbers above `after`. In the same transaction
    the caller must judge each of them and then call `judged`."""
    chosen = (_D.state == DeadLetterState.HELD, _D.code.in_([code.value for code in codes]), _D.number > after)
    rows = tx.connection.execute(sa.select(tables.dead_letters).where(*chosen).order_by(_D.number).limit(most)).all()
    taken_out = _D.number.in_([row.number for row in rows])
    tx.connection.execute(sa.update(tables.dead_letters).where(taken_out).values(state=DeadLetterState.JUDGED.value))
    return [Released(row.number, raw_record(row)) for row in rows]


def next_held(tx: Tx, codes: Collection[Code], after: int) -> int | None:
    """The number of the first record that `release` would return; None for none."""
    chosen = (_D.state == DeadLetterState.HELD, _D.code.in_([code.value for code in codes]), _D.number > after)
    return tx.connection.execute(sa.select(sa.func.min(_D.number)).where(*chosen)).scalar_one()  # type: ignore[no-any-return]


def release_one(tx: Tx, number: int) -> Released | None:
    """As `release`, for one record by its number, whatever its code; None if it is not held any more."""
    here = (_D.number == number, _D.state == DeadLetterState.HELD)
    row = tx.connection.execute(sa.select(tables.dead_letters).where(*here)).one_or_none()
    if row is None:
        return None
    tx.connection.execute(sa.update(tables.dead_letters).where(*here).values(state=DeadLetterState.JUDGED.value))
    return Released(number, raw_record(row))


def let_go(tx: Tx, writer: str, event_id: UUID) -> None:
    """Deletes the dead letter of an event whose referral was erased."""
    tx.connection.execute(sa.delete(tables.dead_letters).where(_D.writer == writer, _D.event_id == event_id))


def judged(tx: Tx) -> None:
    """Deletes the dead letters that were released, and that the caller has neither held nor refused again."""
    tx.connection.execute(sa.delete(tables.dead_letters).where(_D.state == DeadLetterState.JUDGED))
