"""The outbox: the states of an event of ours, and every change of them.

new ──> sent ──> stored | erased | refused         a signed receipt of the addressee says so; see `receipts`
 │       └─> held ──> ...                          the addressee cannot judge it yet; its staff must act
 └─> waiting_for_key ──> new                       once the addressee has announced a (newer) key
any that is not final ──> undeliverable            consent has expired, or the addressee has left
                      ──> erased                   the referral was erased here
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from referral_bus.broker.protocols import SendFailure
from referral_bus.ledger import tables
from referral_bus.ledger.referral_key_columns import is_about, same_referral
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import encode
from schemas.events import AnyEvent, ErasureEvent, ReceiptItem, ReferralKey, StorageReceipt
from schemas.lifecycle import Side


class OutboxState(StrEnum):
    """The state of an event of ours on its way to the addressee."""

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
    """The bytes of an event that is sent now. Without a receipt it is sent again at `next_send_at`."""

    number: int
    value: bytes
    key_id: str | None
    next_send_at: datetime


# Built once: SQLAlchemy spends more time on building a statement than SQLite on running it.
_IS_FINAL = sa.or_(*(_OUT.state == state for state in sorted(FINAL)))
_INSERT = sa.insert(tables.outbox)
_ROW = sa.update(tables.outbox).where(_OUT.number == sa.bindparam("of_number"))
_REMEMBER = sa.insert(tables.sent_values).prefix_with("OR IGNORE", dialect="sqlite")
_LEAVES = _ROW.values(
    value=sa.bindparam("these_bytes"),
    key_id=sa.bindparam("this_key"),
    state=sa.case((_OUT.state == OutboxState.NEW, OutboxState.SENT.value), else_=_OUT.state),
    next_send_at=sa.case((_IS_FINAL, None), else_=sa.bindparam("again_at", type_=tables.Moment())),
    sends=_OUT.sends + 1,
    resend_requested=False,
    acknowledged_at=None,
)


def put(tx: Tx, event: AnyEvent, number: int, now: datetime) -> None:
    """Adds a new event of ours, without its sealed part; `number` is that of its row in `events`."""
    row = {
        "number": number,
        "event_id": event.event_id,
        "referral_sender": event.referral_sender,
        "referral_id": event.referral_id,
        "incarnation": event.incarnation,
        "sequence": event.sequence,
        "addressee": event.addressee,
        "erasure": isinstance(event, ErasureEvent),
        "state": OutboxState.NEW.value,
        "unsealed": encode(event),
        "next_send_at": now,
        "sends": 0,
        "gap_reported": False,
        "resend_requested": False,
    }
    tx.connection.execute(_INSERT, row)


def leave(tx: Tx, due: Sequence[Leaving]) -> frozenset[int]:
    """Keeps the bytes of events before the relay sends them, so that a receipt for them is recognised and they can be
    sent again. Returns the numbers of the events that may be sent: without those erased since the caller read them."""
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
    """Has these events wait until the addressee announces a sealing key that is valid."""
    change = {"state": OutboxState.WAITING_FOR_KEY.value, "next_send_at": None}
    still = (_OUT.number.in_(numbers), _OUT.state.not_in(FINAL))
    tx.connection.execute(sa.update(tables.outbox).where(*still).values(change))


def rest(tx: Tx, numbers: Sequence[int], until: datetime) -> None:
    """Puts off these events until `until`: by our clock their consent has expired, which the clock alone does not
    prove."""
    still = (_OUT.number.in_(numbers), _OUT.state.not_in(FINAL))
    tx.connection.execute(sa.update(tables.outbox).where(*still).values(next_send_at=until))


def resend_all(tx: Tx, addressee: str, now: datetime) -> None:
    """Makes all events due at once that wait for a receipt of this addressee, with pauses from the first one on."""
    waiting = (_unsettled_to(addressee), _OUT.state.in_((OutboxState.SENT, OutboxState.HELD)))
    tx.connection.execute(sa.update(tables.outbox).where(*waiting).values(next_send_at=now, sends=0))


def reopen(tx: Tx, addressee: str, among: tuple[int, int], now: datetime) -> None:
    """Sends events to an addressee again whose ledger was restored, since it may lack what it had confirmed. Covers the
    rows with numbers above `among[0]` and up to `among[1]`, except those with a receipt of its present incarnation
    and key. A receipt under another key than the present one may be a thief's, one that says *erased* included."""
    peer = tables.peers.c
    incarnation = sa.select(peer.incarnation).where(peer.code == addressee).scalar_subquery()
    key_id = sa.select(peer.incarnation_key_id).where(peer.code == addressee).scalar_subquery()
    same_key = _OUT.receipt_key_id == key_id
    since = sa.func.coalesce(_OUT.receipt_incarnation, 0) >= incarnation
    spoken = sa.and_(since, sa.func.coalesce(same_key, sa.false()))
    kept = sa.or_(_OUT.erasure, _OUT.value.is_not(None))  # an event that is erased here is never sent again
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
    """The numbers of all rows that are not final and meet the conditions. Each half of the query has an index without
    final rows, so that its cost does not grow with what was sent long ago."""
    timed = sa.select(_OUT.number).where(_OUT.next_send_at.is_not(None), _OUT.state.not_in(FINAL), *conditions)
    return timed.union_all(sa.select(_OUT.number).where(sa.text(tables.IS_UNTIMED), *conditions))


def _unsettled_to(addressee: str) -> sa.ColumnElement[bool]:
    return _OUT.number.in_(unsettled(_OUT.addressee == addressee))


def give_up(tx: Tx, departed: Collection[str], now: datetime) -> int:
    """Makes events undeliverable whose referral's consent has expired, or whose addressee has left: new referrals and
    the sender's words, never the recipient's. Returns how many rows ended."""
    over = sa.exists().where(
        same_referral(tables.referrals.c, _OUT),
        tables.referrals.c.side == Side.SENDER,
        sa.or_(tables.referrals.c.consent_expires_at <= now, tables.referrals.c.peer.in_(departed)),
    )
    end = {"state": OutboxState.UNDELIVERABLE.value, "next_send_at": None}
    still = (_OUT.number.in_(unsettled()), sa.not_(_OUT.erasure))
    return tx.connection.execute(sa.update(tables.outbox).where(*still, over).values(end)).rowcount


def let_go(tx: Tx, believed: Collection[str], now: datetime) -> int:
    """Makes all events to agencies undeliverable that are not in `believed`, that is have left for good. Erasures to an
    agency that is back are due again. Returns how many rows ended."""
    back = (sa.text(tables.IS_LOST_ERASURE), _OUT.addressee.in_(believed))
    again = {"state": OutboxState.NEW.value, "next_send_at": now, "resend_requested": False}
    tx.connection.execute(sa.update(tables.outbox).where(*back).values(again))
    end = {"state": OutboxState.UNDELIVERABLE.value, "next_send_at": None, "resend_requested": False}
    gone = _OUT.number.in_(unsettled(_OUT.addressee.not_in(believed)))
    return tx.connection.execute(sa.update(tables.outbox).where(gone).values(end)).rowcount


def broker_has(tx: Tx, numbers: Sequence[int], now: datetime) -> None:
    """Notes that the broker has acknowledged these events. That does not prove delivery: they go on waiting for a
    receipt."""
    change = sa.update(tables.outbox).where(_OUT.number.in_(numbers)).values(acknowledged_at=now, send_failure=None)
    tx.connection.execute(change)


def broker_refused(tx: Tx, failed: Mapping[int, SendFailure | None], retry_at: datetime) -> None:
    """Notes why the broker has not taken these events, by number, and makes them due at `retry_at`. The reason is None
    for an event that the relay has not tried."""
    for failure in set(failed.values()):
        numbers = [number for number, why in failed.items() if why == failure]
        still = (_OUT.number.in_(numbers), _OUT.next_send_at.is_not(None))
        again = sa.update(tables.outbox).where(*still).values(next_send_at=retry_at, resend_requested=True)
        tx.connection.execute(again if failure is None else again.values(send_failure=failure))


def restarted(tx: Tx, now: datetime) -> None:
    """Called when the service starts: makes events due at once that the broker has not acknowledged."""
    lost = (_OUT.number.in_(unsettled()), _OUT.state == OutboxState.SENT, _OUT.acknowledged_at.is_(None))
    tx.connection.execute(sa.update(tables.outbox).where(*lost).values(next_send_at=now, resend_requested=True))


# changes by a receipt; see `receipts`


def settle(
    tx: Tx, number: int, state: OutboxState, item: ReceiptItem, receipt: StorageReceipt, key_id: str, now: datetime
) -> None:
    """Notes the final outcome in the addressee's receipt. `key_id` is the id of the signing key of that receipt."""
    final = {
        "state": state.value,
        "next_send_at": None,
        "resend_requested": False,
        "receipted_at": now,
        "receipt_issued_at": receipt.issued_at,
        "receipt_incarnation": receipt.incarnation,
        "receipt_key_id": key_id,
        "code": item.code,
        "path": item.path,
    }
    tx.connection.execute(_ROW, final | {"of_number": number})


def send_following(tx: Tx, number: int, at: datetime, gap_reported: bool) -> None:
    """Makes an event due at `at`, because the one before it in its referral is final."""
    send = {"gap_reported": False, "resend_requested": gap_reported, "next_send_at": at}
    tx.connection.execute(_ROW, send | {"of_number": number})


def hold(tx: Tx, number: int, item: ReceiptItem) -> None:
    """Notes that the addressee holds an event until it can judge it."""
    values = {"state": OutboxState.HELD.value, "code": item.code, "path": item.path}
    tx.connection.execute(sa.update(tables.outbox).where(_OUT.number == number).values(values))


def seal_anew(tx: Tx, number: int, gone_key_id: str | None, at: datetime) -> None:
    """Has an event sealed again, at the same place, once the addressee announces another key: it has destroyed the one
    with the id `gone_key_id`."""
    values = {
        "value": None,
        "gone_key_id": gone_key_id,
        "state": OutboxState.SENT.value,
        "gap_reported": False,
        "resend_requested": True,
        "next_send_at": at,
    }
    tx.connection.execute(sa.update(tables.outbox).where(_OUT.number == number).values(values))


def report_gap(tx: Tx, number: int) -> None:
    """Notes that the addressee lacks an earlier event of this one's referral."""
    tx.connection.execute(sa.update(tables.outbox).where(_OUT.number == number).values(gap_reported=True))


def request_resend(tx: Tx, number: int, at: datetime) -> None:
    """Makes an event due out of turn that the addressee lacks; does nothing if it is not sealed yet."""
    known = (_OUT.number == number, _OUT.value.is_not(None))
    values = {"resend_requested": True, "next_send_at": at}
    tx.connection.execute(sa.update(tables.outbox).where(*known).values(values))


# changes by an erasure, by a revoked key, and by the passing of time


def erase(tx: Tx, key: ReferralKey) -> None:
    """Deletes the sealed values of an erased referral, and ends those of its events that still wait. ErasureEvents
    stay."""
    of_it = (is_about(_OUT, key), sa.not_(_OUT.erasure))
    over = {"state": OutboxState.ERASED.value, "next_send_at": None, "resend_requested": False}
    tx.connection.execute(sa.update(tables.outbox).where(*of_it, _OUT.state.not_in(FINAL)).values(over))
    tx.connection.execute(sa.update(tables.outbox).where(*of_it).values(value=None))


def forget_receipts(tx: Tx, addressee: str, now: datetime) -> None:
    """Drops what an addressee whose signing key does not count any more has said about events that are not final. They
    are sealed again, to a key that it announces from now on."""
    sent = _OUT.state.in_((OutboxState.SENT, OutboxState.HELD))
    anew = {
        "value": None,
        "key_id": None,
        "state": OutboxState.NEW.value,
        "next_send_at": now,
        "sends": 0,
        "gap_reported": False,
    }
    waiting = (_unsettled_to(addressee), sent, sa.not_(_OUT.erasure))
    tx.connection.execute(sa.update(tables.outbox).where(*waiting).values(anew))


def key_announced(tx: Tx, addressee: str, now: datetime) -> None:
    """Makes all events due at once that wait for a key of this addressee."""
    waiting = (_unsettled_to(addressee), _OUT.state == OutboxState.WAITING_FOR_KEY)
    values = {"state": OutboxState.NEW.value, "next_send_at": now}
    tx.connection.execute(sa.update(tables.outbox).where(*waiting).values(values))


def key_valid(tx: Tx, addressee: str, key_id: str, now: datetime) -> None:
    """As `key_announced`, without events for which the addressee has said that it has destroyed this key."""
    keyless = (sa.text(tables.IS_UNTIMED), _OUT.state == OutboxState.WAITING_FOR_KEY, _OUT.addressee == addressee)
    values = {"state": OutboxState.NEW.value, "next_send_at": now}
    usable = _OUT.gone_key_id.is_distinct_from(key_id)
    tx.connection.execute(sa.update(tables.outbox).where(*keyless, usable).values(values))


def bring_forward(tx: Tx, pauses: Mapping[int, timedelta], longest: timedelta, now: datetime) -> None:
    """Makes events due that were put off while the clock was ahead, that is until later than their own pause allows.
    `pauses` are by the number of times that an event was sent, the shortest first."""
    put_off = sa.or_(
        *(sa.and_(_OUT.sends <= sends, _OUT.next_send_at > now + pause) for sends, pause in pauses.items()),
        _OUT.next_send_at > now + longest,
    )
    at_least = _OUT.next_send_at > now + min(pauses.values())  # has an index; every row put off meets it
    tx.connection.execute(sa.update(tables.outbox).where(at_least, put_off).values(next_send_at=now))


def lay_down(tx: Tx, now: datetime) -> None:
    """Removes the time of sent events that wait behind another one of their referral, so that queries for due events do
    not read them. Each is due again when that one is final (see `receipts`); events that were missed then are due
    now."""
    is_sent = _OUT.state == OutboxState.SENT
    waits = (_OUT.next_send_at <= now, is_sent, sa.not_(_OUT.resend_requested), sa.not_(_OUT.erasure))
    tx.connection.execute(sa.update(tables.outbox).where(*waits, has_older()).values(next_send_at=None))
    forgotten = (sa.text(tables.IS_UNTIMED), is_sent, sa.not_(has_older()))
    tx.connection.execute(sa.update(tables.outbox).where(*forgotten).values(next_send_at=now))


def has_older() -> sa.Exists:
    """Whether an older event of the same referral is not final."""
    older = tables.outbox.alias("older")
    return sa.exists().where(same_referral(older.c, _OUT), older.c.number < _OUT.number, older.c.state.not_in(FINAL))
