"""Events that cannot be judged yet: their bytes are kept until somebody here has acted, or a newer register came."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from referral_bus.wire.raw import RawRecord
from schemas.outcomes import Code

_HELD = tables.held.c
_HELD_AS = sa.select(_HELD.code).where(
    _HELD.writer == sa.bindparam("of_writer"), _HELD.event_id == sa.bindparam("of_event", type_=sa.Uuid())
)


def hold(
    tx: Tx, raw: RawRecord, value_sha256: bytes, writer: str, event_id: UUID | None, code: Code, now: datetime
) -> None:
    """Keeps the record as it came. One copy of an event is enough, so another one of it takes the first one's place."""
    if event_id is not None:
        tx.connection.execute(sa.delete(tables.held).where(_HELD.writer == writer, _HELD.event_id == event_id))
    tx.connection.execute(sa.delete(tables.held).where(_HELD.value_sha256 == value_sha256))
    tx.connection.execute(
        sa.insert(tables.held).values(
            value_sha256=value_sha256,
            writer=writer,
            event_id=event_id,
            code=code.value,
            topic=raw.topic,
            key=raw.key,
            value=raw.value,
            headers=[[name, value.hex()] for name, value in raw.headers],
            held_at=now,
        )
    )


def held_as(tx: Tx, writer: str, event_id: UUID) -> Code | None:
    """Why an event is held; None when it is not."""
    code = tx.connection.execute(_HELD_AS, {"of_writer": writer, "of_event": event_id}).scalar_one_or_none()
    return None if code is None else Code(code)


def release(tx: Tx, codes: Collection[Code]) -> list[RawRecord]:
    """Takes out what was held for one of these reasons, oldest first, to be judged anew from the start."""
    chosen = _HELD.code.in_([code.value for code in codes])
    rows = tx.connection.execute(sa.select(tables.held).where(chosen).order_by(_HELD.held_at)).all()
    tx.connection.execute(sa.delete(tables.held).where(chosen))
    return [
        RawRecord(row.topic, row.key, row.value, tuple((name, bytes.fromhex(value)) for name, value in row.headers))
        for row in rows
    ]


def let_go(tx: Tx, writer: str, event_id: UUID) -> None:
    """An event that has been judged, or erased, is held no more."""
    tx.connection.execute(sa.delete(tables.held).where(_HELD.writer == writer, _HELD.event_id == event_id))
