"""Queries for commands, metrics and the Python interface: a referral's history, its delivery, counts. They change
nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.at_rest import body_of
from referral_bus.ledger.handovers import read_body
from referral_bus.ledger.outbox import OutboxState, unsettled
from referral_bus.ledger.referral_key_columns import is_about, same_referral
from referral_bus.ledger.referrals import LOCAL_REF, Referral, body_key, from_row
from referral_bus.ledger.store import Tx
from schemas.events import Place, ReferralKey
from schemas.lifecycle import Side, Status
from schemas.personal import ReferralBody, StatusBody

_E, _O, _R, _H = tables.events.c, tables.outbox.c, tables.referrals.c, tables.handovers.c
_T = tables.tombstones.c

Way = Literal["sent", "received"]


@dataclass(frozen=True, slots=True)
class Step:
    """One event in a referral's history. `way` tells whether this agency sent or received it. `state` is the outbox
    state of a sent one, `handed_over_at` when a received one reached this agency's own system."""

    number: int
    event_id: UUID
    way: Way
    record: str
    place: Place
    status: Status | None
    occurred_at: datetime
    recorded_at: datetime
    outcome: str
    code: str | None
    state: OutboxState | None
    receipted_at: datetime | None
    receipt_issued_at: datetime | None
    handed_over_at: datetime | None
    body: ReferralBody | StatusBody | None

    def __repr__(self) -> str:
        return f"Step(number={self.number}, record={self.record!r}, way={self.way!r})"


def history(tx: Tx, key: ReferralKey) -> list[Step]:
    """Every event of a referral by its two parties, in the order in which this ledger recorded them. Events of other
    writers about it were refused, and are left out."""
    parties = sa.union_all(
        sa.select(sa.literal(tx.code)),
        *(sa.select(table.c.peer).where(is_about(table.c, key)) for table in (tables.referrals, tables.tombstones)),
    )
    query = (
        sa.select(
            tables.events,
            _O.state,
            _O.receipted_at,
            _O.receipt_issued_at,
            _O.code.label("receipt_code"),
            _H.done_at,
        )
        .outerjoin(tables.outbox, _O.number == _E.number)
        .outerjoin(tables.handovers, _H.number == _E.number)
        .where(is_about(_E, key), _E.writer.in_(parties))
        .order_by(_E.number)
    )
    wrapped = body_key(tx, key)
    return [_step(tx, key, wrapped, row._mapping) for row in tx.connection.execute(query)]


def _step(tx: Tx, key: ReferralKey, wrapped: bytes | None, held: sa.RowMapping) -> Step:
    return Step(
        number=held["number"],
        event_id=held["event_id"],
        way="sent" if held["writer"] == tx.code else "received",
        record=held["record"],
        place=Place(held["incarnation"], held["sequence"]),
        status=None if held["status"] is None else Status(held["status"]),
        occurred_at=held["occurred_at"],
        recorded_at=held["recorded_at"],
        outcome=held["outcome"],
        code=held["code"] or held["receipt_code"],
        state=None if held["state"] is None else OutboxState(held["state"]),
        receipted_at=held["receipted_at"],
        receipt_issued_at=held["receipt_issued_at"],
        handed_over_at=held["done_at"],
        body=read_body(tx, wrapped, key, body_of(held["writer"], held["event_id"]), held["body"]),
    )


@dataclass(frozen=True, slots=True)
class DeliveryProgress:
    """The delivery of the event that started a referral of ours. `code` is why it was refused or is held;
    `receipt_issued_at` is by the recipient's clock; `in_kafka` tells whether Kafka has acknowledged the last copy."""

    state: OutboxState
    code: str | None
    receipt_issued_at: datetime | None
    in_kafka: bool


def referral_event_state(tx: Tx, key: ReferralKey) -> DeliveryProgress | None:
    """The delivery of a referral that this agency has sent; None for one that was referred to it."""
    if key.sender != tx.code:
        return None
    query = sa.select(_O.state, _O.code, _O.receipt_issued_at, _O.acknowledged_at)
    query = query.where(is_about(_O, key))
    row = tx.connection.execute(query.order_by(_O.number).limit(1)).one_or_none()
    if row is None:
        return None
    return DeliveryProgress(OutboxState(row.state), row.code, row.receipt_issued_at, row.acknowledged_at is not None)


def first_handed_over(tx: Tx, key: ReferralKey) -> bool:
    """Whether a referral to this agency was handed over to the agency's own system."""
    query = sa.select(_H.done_at).join(tables.events, _E.number == _H.number)
    query = query.where(is_about(_E, key))
    return tx.connection.execute(query.order_by(_H.number).limit(1)).scalar_one_or_none() is not None


def undelivered(tx: Tx, key: ReferralKey) -> bool:
    """Whether the recipient has refused the referral itself, so that it knows nothing of it."""
    state = referral_event_state(tx, key)
    return state is not None and state.state is OutboxState.REFUSED


def local_ref(tx: Tx, key: ReferralKey) -> str | None:
    """This agency's own case number of a referral, decrypted; None where there is none."""
    row = tx.connection.execute(sa.select(_R.local_ref, _R.body_key).where(is_about(_R, key))).one_or_none()
    if row is None or row.local_ref is None or row.body_key is None:
        return None
    return tx.at_rest.decrypt(row.body_key, key, LOCAL_REF, row.local_ref).decode()


def open_referrals(tx: Tx, side: Side) -> list[Referral]:
    """The open referrals in which this agency is on `side`, the earliest `respond_by` first."""
    query = sa.select(tables.referrals).where(_R.side == side, tables.IS_OPEN).order_by(_R.respond_by)
    return [from_row(row) for row in tx.connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits to be sent, for metrics: the events without a final receipt, when the oldest of them was written, and
    the receipts owed."""

    outbox: int
    outbox_oldest: datetime | None
    receipts_owed: int


def counts(tx: Tx) -> Counts:
    waiting = unsettled().subquery()
    number, oldest = tx.connection.execute(sa.select(sa.func.count(), sa.func.min(waiting.c.number))).one()
    since = None if oldest is None else _recorded_at(tx, oldest)
    owed = tx.connection.execute(sa.select(sa.func.count()).select_from(tables.receipts_owed)).scalar_one()
    return Counts(number, since, owed)


def _recorded_at(tx: Tx, number: int) -> datetime | None:
    query = sa.select(_E.recorded_at).where(_E.number == number)
    moment: datetime | None = tx.connection.execute(query).scalar_one_or_none()
    return moment


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as a ledger holds it, without its body: enough to compare two ledgers event by event."""

    number: int
    event_id: UUID
    referral: ReferralKey
    writer: str
    addressee: str
    place: Place
    outcome: str
    record: str


def event_rows(tx: Tx) -> list[EventRow]:
    """All events of the ledger, in the order in which they were recorded."""
    alive = same_referral(_R, _E)
    erased = same_referral(_T, _E)
    query = sa.select(tables.events, sa.func.coalesce(_R.peer, _T.peer).label("peer"))
    query = query.outerjoin(tables.referrals, alive).outerjoin(tables.tombstones, erased).order_by(_E.number)
    return [
        EventRow(
            number=row.number,
            event_id=row.event_id,
            referral=ReferralKey(row.referral_sender, row.referral_id),
            writer=row.writer,
            addressee=tx.code if row.writer != tx.code else row.peer,
            place=Place(row.incarnation, row.sequence),
            outcome=row.outcome,
            record=row.record,
        )
        for row in tx.connection.execute(query)
    ]


def statuses(tx: Tx) -> dict[ReferralKey, Status]:
    """The status of every referral of the ledger."""
    query = sa.select(_R.referral_sender, _R.referral_id, _R.status)
    return {
        ReferralKey(row.referral_sender, row.referral_id): Status(row.status) for row in tx.connection.execute(query)
    }
