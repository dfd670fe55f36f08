"""The relay's transactions: what is due to leave, and how far it has come.

new ──> sent ──> stored | erased | refused         a signed receipt of the addressee says so; see `receipts`
 │       └─> held ──> ...                          somebody at the addressee must act
 └─> waiting_for_key ──> new                       once the addressee has announced a (newer) key
any that is not final ──> undeliverable            consent has expired, or the addressee has left
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from referral_bus.broker.protocols import SendFailure
from referral_bus.ledger import resends, tables
from referral_bus.ledger.referral_key_columns import same_referral
from referral_bus.ledger.store import Tx
from schemas.events import ReceiptItem
from schemas.lifecycle import Side


class OutboxState(StrEnum):
    """How far an event of ours has come."""

    NEW = "new"
    WAITING_FOR_KEY = "waiting_for_key"
    SENT = "sent"
    HELD = "held"
    STORED = "stored"
    ERASED = "erased"
    REFUSED = "refused"
    UNDELIVERABLE = "undeliverable"


FINAL = frozenset({OutboxState.STORED, OutboxState.ERASED, OutboxState.REFUSED, OutboxState.UNDELIVERABLE})
LONGEST_PAUSE = timedelta(hours=24)
_OUT = tables.outbox.c


@dataclass(frozen=True, slots=True)
class Leaving:
    """The bytes of an event that go out now, and when they go again without a receipt."""

    number: int
    value: bytes
    key_id: str | None
    next_send_at: datetime


# Built once: SQLAlchemy spends more time on building a statement than SQLite on running it.
_IS_FINAL = sa.or_(*(_OUT.state == state for state in sorted(FINAL)))
_REMEMBER = sa.insert(tables.sent_values).prefix_with("OR IGNORE", dialect="sqlite")
_LEAVES = (
    sa.update(tables.outbox)
    .where(_OUT.number == sa.bindparam("of_number"))
    .values(
        value=sa.bindparam("these_bytes"),
        key_id=sa.bindparam("this_key"),
        state=sa.case((_OUT.state == OutboxState.NEW, OutboxState.SENT.value), else_=_OUT.state),
        next_send_at=sa.case((_IS_FINAL, None), else_=sa.bindparam("again_at", type_=tables.Moment())),
        sends=_OUT.sends + 1,
        resend_requested=False,
        acknowledged_at=None,
    )
)


def leave(tx: Tx, due: Sequence[Leaving]) -> frozenset[int]:
    """Before the bytes go out: they are kept, so that their receipt is recognised and they can be sent again. Returns
    the numbers of those that may go: not what was erased since it was looked at, whose bytes are gone."""
    there = sa.or_(_OUT.state.not_in(FINAL), _OUT.value.is_not(None))
    numbers = sa.select(_OUT.number).where(_OUT.number.in_([each.number for each in due]), there)
    may_go = frozenset(tx.connection.execute(numbers).scalars())
    leaving = [each for each in due if each.number in may_go]
    if leaving:
        _keep(tx, leaving)
    return may_go


def _keep(tx: Tx, leaving: Sequence[Leaving]) -> None:
    digests = [{"value_sha256": hashlib.sha256(each.value).digest(), "number": each.number} for each in leaving]
    tx.connection.execute(_REMEMBER, digests)
    changes = [
        {"of_number": each.number, "these_bytes": each.value, "this_key": each.key_id, "again_at": each.next_send_at}
        for each in leaving
    ]
    tx.connection.execute(_LEAVES, changes)


def waits_for_key(tx: Tx, numbers: Sequence[int]) -> None:
    """The addressee has announced no key that is valid now: the rows rest until it does."""
    change = {"state": OutboxState.WAITING_FOR_KEY.value, "next_send_at": None}
    still = (_OUT.number.in_(numbers), _OUT.state.not_in(FINAL))
    tx.connection.execute(sa.update(tables.outbox).where(*still).values(change))


def rest(tx: Tx, numbers: Sequence[int], until: datetime) -> None:
    """These may not go at this hour, if our clock is right."""
    still = (_OUT.number.in_(numbers), _OUT.state.not_in(FINAL))
    tx.connection.execute(sa.update(tables.outbox).where(*still).values(next_send_at=until))


def announced(tx: Tx, addressee: str, now: datetime) -> None:
    """`addressee` has announced another key or a newer register: what waits for that goes at once. What waits for its
    receipt does so, too, but not again within `resends.SHORTEST`."""
    waiting = (_unsettled_to(addressee), _OUT.state == OutboxState.WAITING_FOR_KEY)
    tx.connection.execute(
        sa.update(tables.outbox).where(*waiting).values(state=OutboxState.NEW.value, next_send_at=now)
    )
    _resend_in_turn(tx, addressee, now)


def _resend_in_turn(tx: Tx, addressee: str, now: datetime) -> None:
    if resends.next_turn(tx, addressee, now) <= now:
        resend_all(tx, addressee, now)
    else:
        resends.want(tx, addressee)


def resend_all(tx: Tx, addressee: str, now: datetime) -> None:
    """Something has changed at the addressee: what waits for its receipt goes at once, and pauses start again."""
    waiting = (_unsettled_to(addressee), _OUT.state.in_((OutboxState.SENT, OutboxState.HELD)))
    tx.connection.execute(sa.update(tables.outbox).where(*waiting).values(next_send_at=now, sends=0))


def inbox_seen(tx: Tx, addressee: str, topic_id: str, now: datetime) -> None:
    """An inbox that was made anew has lost what it held: everything without a receipt goes again, in the addressee's
    turn, since the host can make it anew again and again."""
    inbox = tables.inboxes.c
    known = tx.connection.execute(sa.select(inbox.topic_id).where(inbox.code == addressee)).scalar_one_or_none()
    if known is None:
        tx.connection.execute(sa.insert(tables.inboxes).values(code=addressee, topic_id=topic_id))
    elif known != topic_id:
        tx.connection.execute(sa.update(tables.inboxes).where(inbox.code == addressee).values(topic_id=topic_id))
        _resend_in_turn(tx, addressee, now)


def reopen(tx: Tx, addressee: str, among: tuple[int, int], now: datetime) -> None:
    """The addressee's ledger was restored and may lack what it once said it had: every row goes again, in order, except
    those of which it has spoken since. Of the rows with numbers above the first and up to the second of `among`. What
    was said under another key than its present one may have been said by a thief, *erased* too."""
    peer = tables.peers.c
    incarnation = sa.select(peer.incarnation).where(peer.code == addressee).scalar_subquery()
    key_id = sa.select(peer.incarnation_key_id).where(peer.code == addressee).scalar_subquery()
    same_key = _OUT.receipt_key_id == key_id
    since = sa.func.coalesce(_OUT.receipt_incarnation, 0) >= incarnation
    spoken = sa.and_(since, sa.func.coalesce(same_key, sa.false()))
    kept = sa.or_(_OUT.erasure, _OUT.value.is_not(None))  # what is erased here never goes again
    after, up_to = among
    said = _OUT.state.in_((OutboxState.SENT, OutboxState.STORED, OutboxState.REFUSED, OutboxState.HELD))
    erased = sa.and_(_OUT.state == OutboxState.ERASED, sa.not_(sa.func.coalesce(same_key, sa.true())))
    judged = (_OUT.addressee == addressee, sa.or_(said, erased), kept)
    values = {
        "state": OutboxState.SENT.value,
        "next_send_at": now,
        "sends": 0,
        "gap_reported": False,
        "resend_requested": False,
    }
    here = (_OUT.number > after, _OUT.number <= up_to, sa.not_(spoken))
    tx.connection.execute(sa.update(tables.outbox).where(*here, *judged).values(values))


def unsettled(*conditions: sa.ColumnElement[bool]) -> sa.CompoundSelect[tuple[int]]:
    """The numbers of all that is not final. Each half has an index of its own, in which nothing final stays, so that
    what was sent long ago costs nothing."""
    timed = sa.select(_OUT.number).where(_OUT.next_send_at.is_not(None), _OUT.state.not_in(FINAL), *conditions)
    return timed.union_all(sa.select(_OUT.number).where(sa.text(tables.IS_UNTIMED), *conditions))


def _unsettled_to(addressee: str) -> sa.ColumnElement[bool]:
    return _OUT.number.in_(unsettled(_OUT.addressee == addressee))


def give_up(tx: Tx, departed: Collection[str], now: datetime) -> int:
    """What can never be delivered any more ends as undeliverable: referrals and the sender's words once consent has
    expired or the addressee has left. The recipient's words never do. Returns how many rows ended."""
    over = sa.exists().where(
        same_referral(tables.referrals.c, _OUT),
        tables.referrals.c.side == Side.SENDER,
        sa.or_(tables.referrals.c.consent_expires_at <= now, tables.referrals.c.peer.in_(departed)),
    )
    end = {"state": OutboxState.UNDELIVERABLE.value, "next_send_at": None}
    still = (_OUT.number.in_(unsettled()), sa.not_(_OUT.erasure))
    return tx.connection.execute(sa.update(tables.outbox).where(*still, over).values(end)).rowcount


def let_go(tx: Tx, believed: Collection[str], now: datetime) -> int:
    """What is addressed to an agency that has left for good ends as undeliverable, whatever it says. Erasures go once
    the agency is there again. Returns how many rows ended."""
    back = (sa.text(tables.IS_LOST_ERASURE), _OUT.addressee.in_(believed))
    again = {"state": OutboxState.NEW.value, "next_send_at": now, "resend_requested": False}
    tx.connection.execute(sa.update(tables.outbox).where(*back).values(again))
    end = {"state": OutboxState.UNDELIVERABLE.value, "next_send_at": None, "resend_requested": False}
    gone = _OUT.number.in_(unsettled(_OUT.addressee.not_in(believed)))
    return tx.connection.execute(sa.update(tables.outbox).where(gone).values(end)).rowcount


def broker_has(tx: Tx, numbers: Sequence[int], now: datetime) -> None:
    """The broker has acknowledged these. That is no proof of anything but a reason to wait for the receipt."""
    change = sa.update(tables.outbox).where(_OUT.number.in_(numbers)).values(acknowledged_at=now, send_failure=None)
    tx.connection.execute(change)


def broker_refused(tx: Tx, failed: Mapping[int, SendFailure | None], retry_at: datetime) -> None:
    """These did not get through to the broker, and why; with None they were not even tried."""
    for failure in set(failed.values()):
        numbers = [number for number, why in failed.items() if why == failure]
        still = (_OUT.number.in_(numbers), _OUT.next_send_at.is_not(None))
        again = sa.update(tables.outbox).where(*still).values(next_send_at=retry_at, resend_requested=True)
        tx.connection.execute(again if failure is None else again.values(send_failure=failure))


def restarted(tx: Tx, now: datetime) -> None:
    """After a start: whatever may never have reached the broker is sent again without waiting for its pause."""
    lost = (_OUT.number.in_(unsettled()), _OUT.state == OutboxState.SENT, _OUT.acknowledged_at.is_(None))
    tx.connection.execute(sa.update(tables.outbox).where(*lost).values(next_send_at=now, resend_requested=True))


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


def receipts_failed(tx: Tx, numbers: Sequence[int], failure: SendFailure) -> None:
    """These did not get through to the broker."""
    owed = tables.receipts_owed.c
    here = (owed.number.in_(numbers), owed.send_failure.is_distinct_from(failure))
    tx.connection.execute(sa.update(tables.receipts_owed).where(*here).values(send_failure=failure))


def receipts_sent(tx: Tx, numbers: Sequence[int]) -> None:
    tx.connection.execute(sa.delete(tables.receipts_owed).where(tables.receipts_owed.c.number.in_(numbers)))


def own_incarnation(tx: Tx) -> int:
    incarnation: int = tx.connection.execute(sa.select(tables.agency.c.incarnation)).scalar_one()
    return incarnation
