"""The relay's transactions: what is due to leave, and how far it has come.

new ──> sent ──> stored | erased | refused         a signed receipt of the addressee says so; see `settling`
 │       └─> held ──> ...                          somebody at the addressee must act
 └─> waiting_for_key ──> new                       once the addressee has announced a (newer) key
any that is not final ──> undeliverable            consent has expired, or the addressee has left
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import encode
from schemas.events import ReceiptItem, ReferralKey
from schemas.lifecycle import Side
from schemas.personal import StatusBody


class State(StrEnum):
    """How far an event of ours has come."""

    NEW = "new"
    WAITING_FOR_KEY = "waiting_for_key"
    SENT = "sent"
    HELD = "held"
    STORED = "stored"
    ERASED = "erased"
    REFUSED = "refused"
    UNDELIVERABLE = "undeliverable"


FINAL = frozenset({State.STORED, State.ERASED, State.REFUSED, State.UNDELIVERABLE})
LONGEST_PAUSE = timedelta(hours=24)
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
    sends: int
    gone_key_id: str | None
    over: bool  # consent has expired, so that it may not go any more

    def next_send_at(self, now: datetime, first_pause: timedelta) -> datetime:
        """When it is sent again without a receipt: the pauses double, up to a day."""
        return now + min(first_pause * (1 << min(self.sends, 20)), LONGEST_PAUSE)


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
        sa.select(
            tables.outbox, tables.events.c.body, tables.referrals.c.body_key, tables.referrals.c.consent_expires_at
        )
        .join(tables.events, tables.events.c.number == _OUT.number)
        .outerjoin(  # an erased referral has no row any more, yet its erasure has to be told
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
    return [_due_row(tx, row, now) for row in rows[:limit]]


def _its_turn() -> sa.ColumnElement[bool]:
    """Never sent, asked for, the oldest of its referral without a final receipt, or an erasure, which overtakes."""
    older = tables.outbox.alias("older")
    has_older = sa.exists().where(
        older.c.referral_sender == _OUT.referral_sender,
        older.c.referral_id == _OUT.referral_id,
        older.c.number < _OUT.number,
        older.c.state.not_in(FINAL),
        sa.not_(older.c.erasure),
    )
    return sa.or_(_OUT.state == State.NEW, _OUT.asked, _OUT.erasure, sa.not_(has_older))


def _due_row(tx: Tx, row: sa.Row[tuple[object, ...]], now: datetime) -> DueRow:
    held = row._mapping
    key = ReferralKey(held["referral_sender"], held["referral_id"])
    body, expires_at = None, held["consent_expires_at"]
    expired = expires_at is not None and expires_at <= now
    if held["value"] is None and held["body"] is not None and held["body_key"] is not None:
        body = tx.at_rest.decrypt(held["body_key"], key, held["body"])
        if expired:  # only the recipient's words still go: their status, nothing sealed
            body = encode(StatusBody())
    return DueRow(
        number=held["number"],
        referral=key,
        addressee=held["addressee"],
        state=State(held["state"]),
        bare=held["bare"],
        value=held["value"],
        body=body,
        sends=held["sends"],
        gone_key_id=held["gone_key_id"],
        over=expired and key.sender == tx.code,
    )


def next_due(tx: Tx) -> datetime | None:
    """When something is due next; None when nothing waits for a time."""
    query = sa.select(sa.func.min(_OUT.next_send_at)).where(_OUT.next_send_at.is_not(None), _its_turn())
    moment: datetime | None = tx.connection.execute(query).scalar_one()
    return moment


def leaves(tx: Tx, number: int, value: bytes, value_sha256: bytes, key_id: str | None, next_send_at: datetime) -> None:
    """Before the bytes go out: they are kept, so that their receipt is recognised and they can be sent again."""
    remember = sa.insert(tables.sent_values).prefix_with("OR IGNORE", dialect="sqlite")
    tx.connection.execute(remember.values(value_sha256=value_sha256, number=number))
    tx.connection.execute(
        sa.update(tables.outbox)
        .where(_OUT.number == number)
        .values(
            value=value,
            key_id=key_id,
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


def announced(tx: Tx, addressee: str, now: datetime) -> None:
    """`addressee` has announced another key or a newer register: what waits for that goes at once."""
    waiting = (_OUT.addressee == addressee, _OUT.state == State.WAITING_FOR_KEY)
    tx.connection.execute(sa.update(tables.outbox).where(*waiting).values(state=State.NEW.value, next_send_at=now))
    resend_all(tx, addressee, now)


def resend_all(tx: Tx, addressee: str, now: datetime) -> None:
    """Something has changed at the addressee: what waits for its receipt goes at once, and pauses start again."""
    waiting = (_OUT.addressee == addressee, _OUT.state.in_((State.SENT, State.HELD)))
    tx.connection.execute(sa.update(tables.outbox).where(*waiting).values(next_send_at=now, sends=0))


def inbox_seen(tx: Tx, addressee: str, topic_id: str, now: datetime) -> None:
    """An inbox that was made anew has lost what it held: everything without a receipt goes again."""
    inbox = tables.inboxes.c
    known = tx.connection.execute(sa.select(inbox.topic_id).where(inbox.code == addressee)).scalar_one_or_none()
    if known is None:
        tx.connection.execute(sa.insert(tables.inboxes).values(code=addressee, topic_id=topic_id))
    elif known != topic_id:
        tx.connection.execute(sa.update(tables.inboxes).where(inbox.code == addressee).values(topic_id=topic_id))
        resend_all(tx, addressee, now)


def reopen(tx: Tx, addressee: str, now: datetime) -> None:
    """The addressee's ledger was restored and may lack what it once said it had: every row goes again, in order."""
    kept = sa.or_(_OUT.erasure, _OUT.value.is_not(None))  # what is erased here never goes again
    judged = (_OUT.addressee == addressee, _OUT.state.in_((State.STORED, State.REFUSED, State.HELD)), kept)
    values = {"state": State.SENT.value, "next_send_at": now, "sends": 0, "missed": False, "asked": False}
    tx.connection.execute(sa.update(tables.outbox).where(*judged).values(values))


def give_up(tx: Tx, departed: Collection[str], now: datetime) -> int:
    """What can never be delivered any more ends as undeliverable: referrals and the sender's words once consent has
    expired or the addressee has left. The recipient's words never do. Returns how many rows ended."""
    over = sa.exists().where(
        tables.referrals.c.referral_sender == _OUT.referral_sender,
        tables.referrals.c.referral_id == _OUT.referral_id,
        tables.referrals.c.side == Side.SENDER,
        sa.or_(tables.referrals.c.consent_expires_at <= now, tables.referrals.c.peer.in_(departed)),
    )
    end = {"state": State.UNDELIVERABLE.value, "next_send_at": None}
    still = (_OUT.state.not_in(FINAL), sa.not_(_OUT.erasure))
    ended = tx.connection.execute(sa.update(tables.outbox).where(*still, over).values(end))
    return ended.rowcount


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
