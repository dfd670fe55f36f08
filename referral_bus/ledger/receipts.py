"""Applies what addressees say about our events: storage receipts, and higher incarnations."""

import hashlib
from datetime import datetime

import sqlalchemy as sa

from referral_bus.ledger import outbox, referrals, resends, restored_peers, tables
from referral_bus.ledger.erasures import peer_took
from referral_bus.ledger.outbox import FINAL, OutboxState
from referral_bus.ledger.peers import learn_incarnation
from referral_bus.ledger.referral_key_columns import given, is_about, is_about_given, key_of
from referral_bus.ledger.store import Tx
from schemas.events import Place, ReceiptItem, ReferralEvent, StorageReceipt
from schemas.lifecycle import Status
from schemas.outcomes import FINAL_OUTCOMES, Outcome

_OUT = tables.outbox.c
# Built once: SQLAlchemy spends more time on building a statement than SQLite on running it.
_ROW_OF_VALUE = (
    sa.select(tables.outbox)
    .join(tables.sent_values, tables.sent_values.c.number == _OUT.number)
    .where(
        tables.sent_values.c.value_sha256 == sa.bindparam("of_value"), _OUT.addressee == sa.bindparam("of_addressee")
    )
)
_RECORD_OF = sa.select(tables.events.c.record).where(tables.events.c.number == sa.bindparam("of_number"))
_FOLLOWING = (
    sa.select(_OUT.number, _OUT.gap_reported, _OUT.state, _OUT.next_send_at, _OUT.sends)
    .where(is_about_given(_OUT), _OUT.number > sa.bindparam("of_number"))
    .order_by(_OUT.number)
    .limit(1)
)


def hear_incarnation(tx: Tx, code: str, incarnation: int, key_id: str, now: datetime) -> int:
    """Notes a peer's incarnation and returns its highest one. If it is higher than the known one, the peer's ledger was
    restored: `restored_peers` then sends it everything again, and tells it what to erase."""
    known, highest = learn_incarnation(tx, code, incarnation, key_id, now)
    if known is not None and known < highest:
        restored_peers.note(tx, code, now)
    return highest


def take_receipt(tx: Tx, receipt: StorageReceipt, key_id: str, now: datetime) -> None:
    """Applies a receipt, item by item, to our events to its writer. Ignores a receipt of an older incarnation, and
    items about events to other agencies. `key_id` is the id of the receipt's signing key."""
    if hear_incarnation(tx, receipt.writer, receipt.incarnation, key_id, now) > receipt.incarnation:
        return
    for item in receipt.items:
        about = {"of_value": item.value_sha256, "of_addressee": receipt.writer}
        row = tx.connection.execute(_ROW_OF_VALUE, about).one_or_none()
        if row is None or item.outcome not in Outcome.__members__:
            continue
        outcome = Outcome(item.outcome)
        if outcome in FINAL_OUTCOMES:
            _settle(tx, row, outcome, item, receipt, key_id, now)
        elif OutboxState(row.state) not in FINAL:
            _not_yet(tx, row, outcome, item, now)


def _settle(
    tx: Tx,
    row: sa.Row[tuple[object, ...]],
    outcome: Outcome,
    item: ReceiptItem,
    receipt: StorageReceipt,
    key_id: str,
    now: datetime,
) -> None:
    """Applies a final outcome. Of several receipts of one incarnation the first one counts; an event that we made
    undeliverable had none."""
    held = row._mapping
    if OutboxState(held["state"]) is OutboxState.ERASED:
        return
    if OutboxState(held["state"]) in FINAL and receipt.incarnation <= (held["receipt_incarnation"] or 0):
        return
    outbox.settle(tx, held["number"], OutboxState[outcome.name], item, receipt, key_id, now)
    if held["erasure"]:
        key = key_of(held)
        peer_took(tx, key, now if outcome is Outcome.REFUSED else None, key_id)
    elif outcome is Outcome.REFUSED:
        _taken_back_if_unknown(tx, held, receipt.issued_at)
    behind = {**given(key_of(held)), "of_number": held["number"]}
    following = tx.connection.execute(_FOLLOWING, behind).one_or_none()
    if following is None or OutboxState(following.state) in FINAL:
        return
    if following.gap_reported or (
        following.next_send_at is None and OutboxState(following.state) in (OutboxState.SENT, OutboxState.HELD)
    ):
        at = _turn(tx, receipt.writer, following.sends, now) if following.gap_reported else now
        outbox.send_following(tx, following.number, at, following.gap_reported)


def _taken_back_if_unknown(tx: Tx, held: sa.RowMapping, at: datetime) -> None:
    """Takes the status of a referral back to *requested* if its recipient has refused the ReferralEvent itself. Then
    the recipient does not know the referral, or not any more after a restore: its earlier words do not count, and the
    sender sees that the referral is undelivered."""
    record = tx.connection.execute(_RECORD_OF, {"of_number": held["number"]}).scalar_one()
    referral = referrals.load(tx, key_of(held))
    if record == ReferralEvent.record and referral is not None and referral.open:
        referrals.save(tx, referrals.taken_back(referral, Status.REQUESTED, at))


def _not_yet(tx: Tx, row: sa.Row[tuple[object, ...]], outcome: Outcome, item: ReceiptItem, now: datetime) -> None:
    if outcome is Outcome.MISSING:
        _send_missing(tx, row, item.held, now)
    elif outcome is Outcome.HELD and row._mapping["value"] is not None:  # without a value it waits to be sealed again
        outbox.hold(tx, row._mapping["number"], item)
    elif outcome is Outcome.RESEAL and _is_last_sent(row, item):
        held = row._mapping
        outbox.seal_anew(tx, held["number"], held["key_id"], _turn(tx, held["addressee"], held["sends"], now))


def _is_last_sent(row: sa.Row[tuple[object, ...]], item: ReceiptItem) -> bool:
    """Whether a receipt item is about the bytes that were sent last, not about earlier bytes of the same event."""
    value: bytes | None = row._mapping["value"]
    return value is not None and hashlib.sha256(value).digest() == item.value_sha256


def _send_missing(tx: Tx, row: sa.Row[tuple[object, ...]], held_place: Place, now: datetime) -> None:
    """Makes the first event due after the place `held_place`, up to which the recipient has this referral's events: it
    lacks one before the event of `row`."""
    held = row._mapping
    outbox.report_gap(tx, held["number"])
    later = sa.tuple_(_OUT.incarnation, _OUT.sequence) > sa.tuple_(held_place.incarnation, held_place.sequence)
    first = tx.connection.execute(
        sa.select(_OUT.number, _OUT.state, _OUT.sends, _OUT.next_send_at)
        .where(is_about(_OUT, key_of(held)), later)
        .order_by(_OUT.number)
        .limit(1)
    ).one_or_none()
    if first is None or first.number == held["number"] or first.state in (OutboxState.HELD, OutboxState.UNDELIVERABLE):
        return  # the recipient holds the first one; the later ones are sent when it is final
    at = _turn(tx, held["addressee"], first.sends, now)
    outbox.request_resend(tx, first.number, at if first.next_send_at is None else min(at, first.next_send_at))


def _turn(tx: Tx, addressee: str, sends: int, now: datetime) -> datetime:
    """When to send an event again that its addressee asks for: at once for the first time, then once in
    `resends.SHORTEST` at most, since one receipt can ask for hundreds of events, again and again."""
    return now if sends <= 1 else resends.next_turn(tx, addressee, now)
