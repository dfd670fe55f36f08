"""The relay's transactions: what is due to leave, what became of it, and receipts that others sent us.

new ──> sent ──> stored | erased | refused         a signed receipt of the addressee says so
 └─> waiting_for_key ──> new                       once the addressee has announced a key
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.peers import learn_incarnation
from referral_bus.ledger.store import Tx
from schemas.events import Place, ReceiptItem, ReferralKey, StorageReceipt
from schemas.outcomes import FINAL_OUTCOMES, Outcome


class State(StrEnum):
    """How far an event of ours has come."""

    NEW = "new"
    WAITING_FOR_KEY = "waiting_for_key"
    SENT = "sent"
    STORED = "stored"
    ERASED = "erased"
    REFUSED = "refused"


FINAL = frozenset({State.STORED, State.ERASED, State.REFUSED})
_OUT = tables.outbox.c


@dataclass(frozen=True, slots=True)
class DueRow:
    """An event that is due. `value` is None before it has been sealed; `body` is then decrypted already."""

    number: int
    referral: ReferralKey
    addressee: str
    state: State
    bare: bytes
    value: bytes | None
    body: bytes | None


def due(tx: Tx, now: datetime, in_flight: Collection[int], per_addressee: int) -> list[DueRow]:
    """What is to be sent now, at most so many for each addressee, so that no one delays another.

    Of what was sent before, only the oldest event of a referral without a final receipt is sent again, unless the
    recipient has asked for another."""
    waiting = sa.select(_OUT.addressee).where(_OUT.next_send_at <= now).distinct()
    found: list[DueRow] = []
    for addressee in tx.connection.execute(waiting).scalars().all():
        found += _due_for(tx, addressee, now, in_flight, per_addressee)
    return found


def _due_for(tx: Tx, addressee: str, now: datetime, in_flight: Collection[int], limit: int) -> Iterable[DueRow]:
    query = (
        sa.select(tables.outbox, tables.events.c.body, tables.referrals.c.body_key)
        .join(tables.events, tables.events.c.number == _OUT.number)
        .join(
            tables.referrals,
            sa.and_(
                tables.referrals.c.referral_sender == _OUT.referral_sender,
                tables.referrals.c.referral_id == _OUT.referral_id,
            ),
        )
        .where(_OUT.addressee == addressee, _OUT.next_send_at <= now, _its_turn())
        .order_by(_OUT.number)
        .limit(limit + len(in_flight))
    )
    rows = [row for row in tx.connection.execute(query) if row.number not in in_flight]
    return [_due_row(tx, row) for row in rows[:limit]]


def _its_turn() -> sa.ColumnElement[bool]:
    """Never sent, asked for, or the oldest of its referral without a final receipt."""
    older = tables.outbox.alias("older")
    has_older = sa.exists().where(
        older.c.referral_sender == _OUT.referral_sender,
        older.c.referral_id == _OUT.referral_id,
        older.c.number < _OUT.number,
        older.c.state.not_in(FINAL),
    )
    return sa.or_(_OUT.state == State.NEW, _OUT.asked, sa.not_(has_older))


def _due_row(tx: Tx, row: sa.Row[tuple[object, ...]]) -> DueRow:
    held = row._mapping
    key = ReferralKey(held["referral_sender"], held["referral_id"])
    body = None
    if held["value"] is None and held["body"] is not None and held["body_key"] is not None:
        body = tx.at_rest.decrypt(held["body_key"], key, held["body"])
    return DueRow(held["number"], key, held["addressee"], State(held["state"]), held["bare"], held["value"], body)


def next_due(tx: Tx) -> datetime | None:
    """When something is due next; None when nothing waits for a time."""
    query = sa.select(sa.func.min(_OUT.next_send_at)).where(_its_turn())
    moment: datetime | None = tx.connection.execute(query).scalar_one()
    return moment


def leaves(tx: Tx, number: int, value: bytes, value_sha256: bytes, next_send_at: datetime) -> None:
    """Before the bytes go out: they are kept, so that their receipt is recognised and they can be sent again."""
    remember = sa.insert(tables.sent_values).prefix_with("OR IGNORE", dialect="sqlite")
    tx.connection.execute(remember.values(value_sha256=value_sha256, number=number))
    tx.connection.execute(
        sa.update(tables.outbox)
        .where(_OUT.number == number)
        .values(
            value=value,
            state=sa.case((_OUT.state == State.NEW, State.SENT.value), else_=_OUT.state),
            next_send_at=sa.case((_OUT.state.in_(FINAL), None), else_=_moment(next_send_at)),
            sends=_OUT.sends + 1,
            asked=False,
            acknowledged_at=None,
        )
    )


def _moment(moment: datetime) -> sa.BindParameter[datetime]:
    return sa.bindparam(None, moment, type_=tables.Moment())


def waits_for_key(tx: Tx, numbers: Sequence[int]) -> None:
    """The addressee has announced no key that is valid now: the rows rest until it does."""
    change = {"state": State.WAITING_FOR_KEY.value, "next_send_at": None}
    tx.connection.execute(sa.update(tables.outbox).where(_OUT.number.in_(numbers)).values(change))


def key_announced(tx: Tx, addressee: str, now: datetime) -> None:
    """Wakes what waited for a key of `addressee`."""
    waiting = (_OUT.addressee == addressee, _OUT.state == State.WAITING_FOR_KEY)
    tx.connection.execute(sa.update(tables.outbox).where(*waiting).values(state=State.NEW.value, next_send_at=now))


def broker_has(tx: Tx, numbers: Sequence[int], now: datetime) -> None:
    """The broker has acknowledged these. That is no proof of anything but a reason to wait for the receipt."""
    change = sa.update(tables.outbox).where(_OUT.number.in_(numbers)).values(acknowledged_at=now)
    tx.connection.execute(change)


def broker_refused(tx: Tx, numbers: Sequence[int], retry_at: datetime) -> None:
    """These did not get through to the broker."""
    still = (_OUT.number.in_(numbers), _OUT.next_send_at.is_not(None))
    tx.connection.execute(sa.update(tables.outbox).where(*still).values(next_send_at=retry_at, asked=True))


def restarted(tx: Tx, now: datetime) -> None:
    """After a start: whatever may never have reached the broker is sent again without waiting for its pause."""
    lost = (_OUT.state == State.SENT, _OUT.acknowledged_at.is_(None))
    tx.connection.execute(sa.update(tables.outbox).where(*lost).values(next_send_at=now, asked=True))


@dataclass(frozen=True, slots=True)
class OwedReceipts:
    """A batch for one addressee; `numbers` are forgotten once the broker has it."""

    addressee: str
    numbers: tuple[int, ...]
    items: tuple[ReceiptItem, ...]


def owed_receipts(tx: Tx, in_flight: Collection[str], most: int) -> list[OwedReceipts]:
    """One batch for each addressee that has none in flight."""
    owed = tables.receipts_owed.c
    batches = []
    for addressee in tx.connection.execute(sa.select(owed.addressee).distinct()).scalars().all():
        if addressee not in in_flight:
            query = sa.select(tables.receipts_owed).where(owed.addressee == addressee).order_by(owed.number).limit(most)
            rows = tx.connection.execute(query).all()
            items = tuple(
                ReceiptItem(**{name: row._mapping[name] for name in ReceiptItem.model_fields}) for row in rows
            )
            batches.append(OwedReceipts(addressee, tuple(row.number for row in rows), items))
    return batches


def receipts_sent(tx: Tx, numbers: Sequence[int]) -> None:
    tx.connection.execute(sa.delete(tables.receipts_owed).where(tables.receipts_owed.c.number.in_(numbers)))


def own_incarnation(tx: Tx) -> int:
    incarnation: int = tx.connection.execute(sa.select(tables.agency.c.incarnation)).scalar_one()
    return incarnation


def take_receipt(tx: Tx, receipt: StorageReceipt, now: datetime) -> None:
    """What the addressee of our events says of them. Only the addressee is heard, and never an older incarnation."""
    if learn_incarnation(tx, receipt.writer, receipt.incarnation, now) > receipt.incarnation:
        return
    for item in receipt.items:
        number = tx.connection.execute(
            sa.select(tables.sent_values.c.number).where(tables.sent_values.c.value_sha256 == item.value_sha256)
        ).scalar_one_or_none()
        row = tx.connection.execute(
            sa.select(tables.outbox).where(_OUT.number == number, _OUT.addressee == receipt.writer)
        ).one_or_none()
        if row is None or item.outcome not in Outcome.__members__:
            continue
        outcome = Outcome(item.outcome)
        if outcome in FINAL_OUTCOMES:
            _settle(tx, row, outcome, item, receipt, now)
        elif outcome is Outcome.MISSING and State(row.state) not in FINAL:
            _send_missing(tx, row, item.held, now)


def _settle(
    tx: Tx,
    row: sa.Row[tuple[object, ...]],
    outcome: Outcome,
    item: ReceiptItem,
    receipt: StorageReceipt,
    now: datetime,
) -> None:
    """A final word; within one incarnation the first one stands."""
    held = row._mapping
    if State(held["state"]) in FINAL and receipt.incarnation <= held["receipt_incarnation"]:
        return
    final = {
        "state": State[outcome.name].value,
        "next_send_at": None,
        "asked": False,
        "receipted_at": now,
        "receipt_issued_at": receipt.issued_at,
        "receipt_incarnation": receipt.incarnation,
        "code": item.code,
        "path": item.path,
    }
    tx.connection.execute(sa.update(tables.outbox).where(_OUT.number == held["number"]).values(final))
    following = sa.select(sa.func.min(_OUT.number)).where(*_same_referral(held), _OUT.number > held["number"])
    tx.connection.execute(
        sa.update(tables.outbox)
        .where(_OUT.number == following.scalar_subquery(), _OUT.missed)
        .values(missed=False, asked=True, next_send_at=now)
    )


def _send_missing(tx: Tx, row: sa.Row[tuple[object, ...]], held_place: Place, now: datetime) -> None:
    """The recipient lacks something before this event: send the first one after the place it holds."""
    held = row._mapping
    tx.connection.execute(sa.update(tables.outbox).where(_OUT.number == held["number"]).values(missed=True))
    later = sa.tuple_(_OUT.incarnation, _OUT.sequence) > sa.tuple_(held_place.incarnation, held_place.sequence)
    first = tx.connection.execute(
        sa.select(_OUT.number).where(*_same_referral(held), later).order_by(_OUT.number).limit(1)
    ).scalar_one_or_none()
    if first is not None and first != held["number"]:
        values = {"asked": True, "next_send_at": now}
        tx.connection.execute(
            sa.update(tables.outbox).where(_OUT.number == first, _OUT.value.is_not(None)).values(values)
        )


def _same_referral(held: sa.RowMapping) -> tuple[sa.ColumnElement[bool], ...]:
    return (_OUT.referral_sender == held["referral_sender"], _OUT.referral_id == held["referral_id"])
