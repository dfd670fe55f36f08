"""Restores a ledger from a backup: it goes on under a higher incarnation, and tells the other agencies what it knows.

They send their events again. What was erased since the backup is erased again before the ledger is used.
"""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from referral_bus.ledger import audit, referrals, tables, tombstones
from referral_bus.ledger.audit import Action
from referral_bus.ledger.erasures import destroy, tell
from referral_bus.ledger.own_agency import begin_anew
from referral_bus.ledger.own_events import Writing, write_note
from referral_bus.ledger.peers import forget_announcements
from referral_bus.ledger.store import Tx
from referral_bus.ledger.tombstones import Tombstone
from schemas.events import ReferralKey
from schemas.lifecycle import ErasureKind, Side


def restored(tx: Tx, incarnation: int, journal: Iterable[Tombstone], writing: Writing) -> None:
    """In the caller's transaction: sets the new incarnation, puts back the tombstones of the journal, writes an
    automatic word about every referral to this agency, and has the inbox and the announcements read from their
    beginning. `incarnation` must be higher than all that the agency has used."""
    begin_anew(tx, incarnation)
    tx.connection.execute(sa.delete(tables.positions))
    forget_announcements(tx)
    audit.note(tx, Action.RESTORED, writing.now, by=writing.by)
    _put_back(tx, {left.key: left for left in journal}, writing)
    to_us = sa.select(tables.referrals).where(tables.referrals.c.side == Side.RECIPIENT)
    for row in tx.connection.execute(to_us).all():
        write_note(tx, referrals.from_row(row), writing)


def _put_back(tx: Tx, journal: Mapping[ReferralKey, Tombstone], writing: Writing) -> None:
    """Replaces the tombstones by those of the journal. What the backup knows beyond the journal is added under new
    revisions, since the lost ledger may have used the backup's revisions for other tombstones."""
    backup = {left.key: left for left in tombstones.changed_since(tx, 0)}
    tombstones.put_back(tx, journal.values())
    for key, left in backup.items():
        written = journal.get(key)
        if written is None:
            tombstones.insert(tx, left)
        else:
            both = tombstones.known_to_either(written, left)
            _say_again(tx, left, both if both == written else tombstones.save(tx, both), writing)
    for key, left in journal.items():
        if key not in backup:
            _erase_again(tx, left, writing)


def _say_again(tx: Tx, backup: Tombstone, now: Tombstone, writing: Writing) -> None:
    """Writes the ErasureEvents again that the agency has written since the backup: they may have been lost with the
    ledger."""
    if now.asked_by_us and not backup.asked_by_us:
        tell(tx, now, ErasureKind.REQUESTED, writing)
    if now.confirmed_at is not None and backup.confirmed_at is None and now.asked_by_peer:
        tell(tx, now, ErasureKind.CONFIRMED, writing)


def _erase_again(tx: Tx, left: Tombstone, writing: Writing) -> None:
    """Erases what the backup still holds of an erased referral, and tells the other side. The sender's own retention
    tells nothing; the recipient's does, since its last word may have been lost."""
    destroy(tx, left.key)
    audit.note(tx, Action.ERASED, writing.now, by=writing.by, referral=left.key, peer=left.peer, code=left.reason)
    if left.needs_confirmation or left.side is Side.RECIPIENT:
        tell(tx, left, ErasureKind.REQUESTED, writing)
