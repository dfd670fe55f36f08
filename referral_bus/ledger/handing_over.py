"""From the ledger to the agency's own system: which events are due, in order, and how far it has come."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import decode
from schemas.events import ReferralKey
from schemas.lifecycle import Side, Status
from schemas.outcomes import Outcome
from schemas.personal import ReferralBody, StatusBody

_H, _E, _R = tables.handovers.c, tables.events.c, tables.referrals.c


@dataclass(frozen=True, slots=True)
class Received:
    """An event as the agency's own system gets it. `cursor` follows the order in which events were stored; `event_id`
    is the stable id to recognise a repeated hand-over by. `status` is what the event said, None from the sender."""

    cursor: int
    event_id: UUID
    referral: ReferralKey
    side: Side  # ours
    peer: str
    record: str
    status: Status | None
    occurred_at: datetime
    recorded_at: datetime
    body: ReferralBody | StatusBody | None

    def __repr__(self) -> str:
        return f"Received(cursor={self.cursor}, record={self.record!r})"


def due(tx: Tx, now: datetime, busy: Collection[ReferralKey], most: int) -> list[Received]:
    """The oldest event not handed over of each referral, where it is due; a later one waits for it."""
    earlier = tables.handovers.alias("earlier")
    behind = sa.exists().where(
        earlier.c.referral_sender == _H.referral_sender,
        earlier.c.referral_id == _H.referral_id,
        earlier.c.number < _H.number,
        earlier.c.done_at.is_(None),
    )
    query = _received().where(_H.done_at.is_(None), _H.next_attempt_at <= now, sa.not_(behind)).order_by(_H.number)
    rows = tx.connection.execute(query.limit(most + len(busy)))
    found = [_from_row(tx, row) for row in rows]
    return [received for received in found if received.referral not in busy][:most]


def after_cursor(tx: Tx, cursor: int, most: int) -> list[Received]:
    """What was stored after `cursor`, in the order in which it was stored."""
    rows = tx.connection.execute(_received().where(_H.number > cursor).order_by(_H.number).limit(most))
    return [_from_row(tx, row) for row in rows]


def handed_over(tx: Tx, numbers: Sequence[int], now: datetime) -> None:
    tx.connection.execute(sa.update(tables.handovers).where(_H.number.in_(numbers)).values(done_at=now))


def newest(tx: Tx) -> int:
    """The cursor of the newest event that came in; 0 for none."""
    return int(tx.connection.execute(sa.select(sa.func.coalesce(sa.func.max(_H.number), 0))).scalar_one())


def acknowledged_up_to(tx: Tx, cursor: int, now: datetime) -> None:
    """Whoever asks for what comes after a cursor has what is before it."""
    passed = (_H.number <= cursor, _H.done_at.is_(None))
    tx.connection.execute(sa.update(tables.handovers).where(*passed).values(done_at=now))


def failed(tx: Tx, number: int, retry_at: datetime) -> None:
    """It was not taken; it is tried again, and only its own referral waits for it."""
    values = {"attempts": _H.attempts + 1, "next_attempt_at": retry_at}
    tx.connection.execute(sa.update(tables.handovers).where(_H.number == number).values(values))


def oldest_waiting(tx: Tx) -> datetime | None:
    """When the oldest event that has not been handed over was stored."""
    waiting = sa.select(sa.func.min(_H.number)).where(_H.done_at.is_(None)).scalar_subquery()
    moment: datetime | None = tx.connection.execute(
        sa.select(_E.recorded_at).where(_E.number == waiting)
    ).scalar_one_or_none()
    return moment


def _received() -> sa.Select[tuple[object, ...]]:
    same = sa.and_(_R.referral_sender == _H.referral_sender, _R.referral_id == _H.referral_id)
    return (
        sa.select(tables.events, _R.side, _R.peer, _R.body_key)
        .join(tables.handovers, _H.number == _E.number)
        .join(tables.referrals, same)
        .where(_E.outcome == Outcome.STORED)
    )


def _from_row(tx: Tx, row: sa.Row[tuple[object, ...]]) -> Received:
    held = row._mapping
    key = ReferralKey(held["referral_sender"], held["referral_id"])
    return Received(
        cursor=held["number"],
        event_id=held["event_id"],
        referral=key,
        side=Side(held["side"]),
        peer=held["peer"],
        record=held["record"],
        status=None if held["status"] is None else Status(held["status"]),
        occurred_at=held["occurred_at"],
        recorded_at=held["recorded_at"],
        body=read_body(tx, held["body_key"], key, held["body"]),
    )


def read_body(
    tx: Tx, body_key: bytes | None, key: ReferralKey, encrypted: bytes | None
) -> ReferralBody | StatusBody | None:
    """The body again; None when it was erased or never kept."""
    if body_key is None or encrypted is None:
        return None
    body = decode(tx.at_rest.decrypt(body_key, key, encrypted))
    return body if isinstance(body, ReferralBody | StatusBody) else None
