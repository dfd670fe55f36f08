"""Events that cannot be judged yet: dead letters whose bytes wait until a newer register, newer software or somebody
here has helped. Then they are judged anew from the very start."""

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
    """Its bytes are kept, and its writer waits. Raises `QuotaExceeded` before anything is written; what is held already
    always stays so."""
    who = {"of_writer": letter.writer}
    kept = tx.connection.execute(_KEPT_ALREADY, who | {"digest": letter.value_sha256}).first()
    if kept is None and _full(tx, who):
        raise QuotaExceeded(letter.event.record if letter.event else "unknown")
    keep(tx, DeadLetterState.HELD, letter, now)


def _full(tx: Tx, who: dict[str, str]) -> bool:
    count, size = tx.connection.execute(_HELD_ALREADY, who).one()
    return bool(count >= MOST_HELD or size >= MOST_HELD_BYTES)


def held_as(tx: Tx, writer: str, event_id: UUID) -> Code | None:
    """Why an event is held; None when it is not."""
    code = tx.connection.execute(_HELD_AS, {"of_writer": writer, "of_event": event_id}).scalars().first()
    return None if code is None else Code(code)


@dataclass(frozen=True, slots=True)
class Released:
    """A record to be judged anew. `number` is its dead letter's."""

    number: int
    raw: RawRecord


def release(tx: Tx, codes: Collection[Code], after: int, most: int) -> list[Released]:
    """What was held for one of these reasons, at most so many with a number after `after`. Whoever asks judges each of
    them and then calls `judged`."""
    chosen = (_D.state == DeadLetterState.HELD, _D.code.in_([code.value for code in codes]), _D.number > after)
    rows = tx.connection.execute(sa.select(tables.dead_letters).where(*chosen).order_by(_D.number).limit(most)).all()
    taken_out = _D.number.in_([row.number for row in rows])
    tx.connection.execute(sa.update(tables.dead_letters).where(taken_out).values(state=DeadLetterState.JUDGED.value))
    return [Released(row.number, raw_record(row)) for row in rows]


def next_held(tx: Tx, codes: Collection[Code], after: int) -> int | None:
    """The number of the next one that `release` would find."""
    chosen = (_D.state == DeadLetterState.HELD, _D.code.in_([code.value for code in codes]), _D.number > after)
    return tx.connection.execute(sa.select(sa.func.min(_D.number)).where(*chosen)).scalar_one()  # type: ignore[no-any-return]


def release_one(tx: Tx, number: int) -> Released | None:
    """One of them by its number, whatever it is held for; None when it is not held any more."""
    here = (_D.number == number, _D.state == DeadLetterState.HELD)
    row = tx.connection.execute(sa.select(tables.dead_letters).where(*here)).one_or_none()
    if row is None:
        return None
    tx.connection.execute(sa.update(tables.dead_letters).where(*here).values(state=DeadLetterState.JUDGED.value))
    return Released(number, raw_record(row))


def let_go(tx: Tx, writer: str, event_id: UUID) -> None:
    """Its referral was erased: there is nothing left to judge."""
    tx.connection.execute(sa.delete(tables.dead_letters).where(_D.writer == writer, _D.event_id == event_id))


def judged(tx: Tx) -> None:
    """What was released and neither held nor refused again is no dead letter any more."""
    tx.connection.execute(sa.delete(tables.dead_letters).where(_D.state == DeadLetterState.JUDGED))
