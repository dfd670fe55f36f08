"""Erases what has been kept long enough, in small steps, each a transaction of its own, so that no writer waits long.

ended referrals     the personal part, some time after the last change; a tombstone stays
expired consent     after a grace period an open referral is erased as withdrawn
erased referrals    the clear rows of their events, some time after the erasure
dead letters, idempotency keys, and the rows that tell a repeated request
"""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from referral_bus.ledger import referrals, repeated_requests, tables, tombstones
from referral_bus.ledger.dead_letters import exhausted_no_more, forget_older
from referral_bus.ledger.erasures import Grounds, ask, erase, tell
from referral_bus.ledger.outbox import FINAL
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.referral_key_columns import is_about, same_referral
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.ledger.tombstones import wait_for_us
from schemas.events import ReferralKey
from schemas.lifecycle import ErasureKind, ErasureReason, Side

STEP = 50  # referrals in one transaction, which takes some milliseconds
_R, _T, _OUT = tables.referrals.c, tables.tombstones.c, tables.outbox.c


@dataclass(frozen=True, slots=True)
class Retention:
    """How long this agency keeps the personal part of an ended referral, a dead letter, the clear rows of an erased
    referral, and an idempotency key; and how long an open referral stays after its consent has expired."""

    ended: timedelta = timedelta(days=90)
    dead_letters: timedelta = timedelta(days=90)
    erased: timedelta = timedelta(days=90)
    idempotency: timedelta = timedelta(days=90)
    consent_grace: timedelta = timedelta(days=7)


def retain(ledger: Ledger, keep: Retention, writing: Writing) -> int:
    """Does one small step of each kind. Returns how many referrals and rows it has erased; 0 when nothing is due."""
    gone = 0
    for step in (_end_consent, _forget_ended, _forget_erased, _forget_keys):
        with ledger.write() as tx:
            gone += step(tx, keep, writing)
    with ledger.write() as tx:
        return gone + forget_older(tx, writing.now - keep.dead_letters, STEP)


def _end_consent(tx: Tx, keep: Retention, writing: Writing) -> int:
    over = _R.consent_expires_at < writing.now - keep.consent_grace
    found = _some(tx, tables.IS_OPEN, _R.side.in_(Side), over)  # names all sides, with which the index begins
    for referral in found:
        ask(tx, referral.key, referral.side, referral.peer, ErasureReason.WITHDRAWN, writing)
    return len(found)


def _forget_ended(tx: Tx, keep: Retention, writing: Writing) -> int:
    """Erases ended referrals by this agency's own time. The sender tells nothing; the recipient tells its final status
    again if an event of its own still waits for a receipt."""
    found = _some(tx, tables.IS_ENDED, _R.changed_at < writing.now - keep.ended)
    for referral in found:
        unheard = _unreceipted(tx, referral.key)
        grounds = Grounds(ErasureReason.RETENTION)
        left, _ = erase(tx, referral.key, referral.side, referral.peer, grounds, writing)
        if unheard and referral.side is Side.RECIPIENT:
            tell(tx, left, ErasureKind.REQUESTED, writing)
    return len(found)


def _some(tx: Tx, *conditions: sa.ColumnElement[bool]) -> list[Referral]:
    query = sa.select(tables.referrals).where(*conditions).limit(STEP)
    return [referrals.from_row(row) for row in tx.connection.execute(query)]


def _unreceipted(tx: Tx, key: ReferralKey) -> bool:
    here = (is_about(_OUT, key), _OUT.state.not_in(FINAL))
    return tx.connection.execute(sa.select(_OUT.number).where(*here).limit(1)).first() is not None


def _forget_erased(tx: Tx, keep: Retention, writing: Writing) -> int:
    """Deletes the rows of erased referrals' events, once no event about them waits for a receipt and the agency's own
    system has acknowledged the erasure. The tombstone and the places stay."""
    under_way = sa.exists().where(same_referral(_OUT, _T), _OUT.state.not_in(FINAL))
    old = sa.select(_T.referral_sender, _T.referral_id).where(
        _T.forgotten_at.is_(None), _T.asked_at < writing.now - keep.erased, sa.not_(under_way), sa.not_(wait_for_us())
    )
    found = tx.connection.execute(old.limit(STEP)).all()
    for row in found:
        key = ReferralKey(row.referral_sender, row.referral_id)
        _forget_rows(tx, key)
        tombstones.forgotten(tx, key, writing.now)
    return len(found)


def _forget_rows(tx: Tx, key: ReferralKey) -> None:
    numbers = sa.select(tables.events.c.number).where(is_about(tables.events.c, key))
    exhausted_no_more(tx, numbers)
    for table in (tables.sent_values, tables.outbox, tables.handovers):
        tx.connection.execute(sa.delete(table).where(table.c.number.in_(numbers)))
    events = tables.events.c
    here = is_about(events, key)
    tx.connection.execute(sa.delete(tables.events).where(here))


def _forget_keys(tx: Tx, keep: Retention, writing: Writing) -> int:
    key = tables.idempotency.c
    old = sa.select(key.caller, key.key_digest).where(key.created_at < writing.now - keep.idempotency).limit(STEP)
    deleted = sa.delete(tables.idempotency).where(sa.tuple_(key.caller, key.key_digest).in_(old))
    return tx.connection.execute(deleted).rowcount + repeated_requests.forget_older(tx, writing.now)
