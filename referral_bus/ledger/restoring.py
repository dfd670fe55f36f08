"""After a backup was put back: the ledger goes on under a higher incarnation, and tells the others what it still knows.

They send again what they had sent before; what was erased meanwhile is erased again before anything is read.
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
    """In one transaction: the new incarnation, the tombstones that the backup lacks, an automatic word about every
    referral to us; the inbox and the announcements are read from their beginning. `incarnation` exceeds every one ever
    used."""
    begin_anew(tx, incarnation)
    tx.connection.execute(sa.delete(tables.positions))
    forget_announcements(tx)
    audit.note(tx, Action.RESTORED, writing.now, by=writing.by)
    _put_back(tx, {left.key: left for left in journal}, writing)
    to_us = sa.select(tables.referrals).where(tables.referrals.c.side == Side.RECIPIENT)
    for row in tx.connection.execute(to_us).all():
        write_note(tx, referrals.from_row(row), writing)


def _put_back(tx: Tx, journal: Mapping[ReferralKey, Tombstone], writing: Writing) -> None:
    """What the journal has counts, with what the backup knows beside it under new revisions: its own ones may have been
    used again since."""
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
    """What we had said about an erasure since the backup may have been lost with the ledger."""
    if now.asked_by_us and not backup.asked_by_us:
        tell(tx, now, ErasureKind.REQUESTED, writing)
    if now.confirmed_at is not None and backup.confirmed_at is None and now.asked_by_peer:
        tell(tx, now, ErasureKind.CONFIRMED, writing)


def _erase_again(tx: Tx, left: Tombstone, writing: Writing) -> None:
    """A side whose own time had run out tells nobody, unless it is the recipient: its last word may have been lost."""
    destroy(tx, left.key)
    audit.note(tx, Action.ERASED, writing.now, by=writing.by, referral=left.key, peer=left.peer, code=left.reason)
    if left.needs_confirmation or left.side is Side.RECIPIENT:
        tell(tx, left, ErasureKind.REQUESTED, writing)
