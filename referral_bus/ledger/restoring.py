"""After a backup was put back: the ledger goes on under a higher incarnation, and tells the others what it still knows.

They send again what they had sent before; what was erased meanwhile is erased again before anything is read.
"""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from referral_bus.ledger import audit, referrals, tables, tombstones
from referral_bus.ledger.audit import Action
from referral_bus.ledger.erasing import destroy, tell
from referral_bus.ledger.store import Tx
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.ledger.writing import Writing, write_note
from schemas.events import ReferralKey
from schemas.lifecycle import ErasureKind, Side

NUMBERS = 1 << 40  # of events that a ledger can have in one incarnation; 8,000 incarnations are exact in JSON


def restored(tx: Tx, incarnation: int, journal: Iterable[Tombstone], writing: Writing) -> None:
    """In one transaction: the new incarnation, the tombstones that the backup lacks, an automatic word about every
    referral to us; the inbox is read from its beginning. `incarnation` exceeds every one ever used."""
    tx.connection.execute(sa.update(tables.agency).values(incarnation=incarnation))
    tx.connection.execute(sa.delete(tables.positions))
    _number_on(tx, incarnation * NUMBERS)
    audit.note(tx, Action.RESTORED, writing.now, by=writing.by)
    _put_back(tx, {left.key: left for left in journal}, writing)
    to_us = sa.select(tables.referrals).where(tables.referrals.c.side == Side.RECIPIENT)
    for row in tx.connection.execute(to_us).all():
        write_note(tx, referrals.from_row(row), writing)


def _number_on(tx: Tx, after: int) -> None:
    """Events are numbered above every number that the lost ledger has given: the agency's own system may have cursors
    of it, and would take newer events for those that it has had."""
    sql = tx.connection.exec_driver_sql
    last = sql("SELECT seq FROM sqlite_sequence WHERE name = 'events'").scalar_one_or_none() or 0
    sql("DELETE FROM sqlite_sequence WHERE name = 'events'")
    sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (max(last, after),))


def _put_back(tx: Tx, journal: Mapping[ReferralKey, Tombstone], writing: Writing) -> None:
    """What the journal has counts, with what the backup knows beside it under new revisions: its own ones may have been
    used again since."""
    backup = {left.key: left for left in tombstones.changed_since(tx, 0)}
    tombstones.put_back(tx, journal.values())
    for key, left in backup.items():
        written = journal.get(key)
        if written is None:
            tombstones.insert(tx, left)
        elif (both := tombstones.known_to_either(written, left)) != written:
            tombstones.save(tx, both)
    for key, left in journal.items():
        if key not in backup:
            _erase_again(tx, left, writing)


def _erase_again(tx: Tx, left: Tombstone, writing: Writing) -> None:
    """A side whose own time had run out tells nobody, unless it is the recipient: its last word may have been lost."""
    destroy(tx, left.key)
    audit.note(tx, Action.ERASED, writing.now, by=writing.by, referral=left.key, peer=left.peer, code=left.reason)
    if left.chased or left.side is Side.RECIPIENT:
        tell(tx, left, ErasureKind.REQUESTED, writing)
