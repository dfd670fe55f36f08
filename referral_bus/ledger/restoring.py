"""After a backup was put back: the ledger goes on under a higher incarnation, and tells the others what it still knows.

They send again what they had sent before; what was erased meanwhile is erased again before anything is read.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from referral_bus.ledger import audit, referrals, tables, tombstones
from referral_bus.ledger.audit import Action
from referral_bus.ledger.erasing import destroy, tell
from referral_bus.ledger.store import Tx
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.ledger.writing import Writing, write_note
from schemas.lifecycle import ErasureKind, Side


def restored(tx: Tx, incarnation: int, journal: Iterable[Tombstone], writing: Writing) -> None:
    """In one transaction: the new incarnation, the tombstones that the backup lacks, an automatic word about every
    referral to us; the inbox is read from its beginning. `incarnation` exceeds every one ever used."""
    tx.connection.execute(sa.update(tables.agency).values(incarnation=incarnation))
    tx.connection.execute(sa.delete(tables.positions))
    audit.note(tx, Action.RESTORED, writing.now, by=writing.by)
    for left in journal:
        _erase_again(tx, left, writing)
    to_us = sa.select(tables.referrals).where(tables.referrals.c.side == Side.RECIPIENT)
    for row in tx.connection.execute(to_us).all():
        write_note(tx, referrals.from_row(row), writing)


def _erase_again(tx: Tx, left: Tombstone, writing: Writing) -> None:
    """A side whose own time had run out tells nobody, unless it is the recipient: its last word may have been lost."""
    there = tombstones.load(tx, left.key)
    tombstones.put_back(tx, left)
    if there is not None:
        return
    destroy(tx, left.key)
    audit.note(tx, Action.ERASED, writing.now, by=writing.by, referral=left.key, peer=left.peer, code=left.reason)
    if left.chased or left.side is Side.RECIPIENT:
        tell(tx, left, ErasureKind.REQUESTED, writing)
