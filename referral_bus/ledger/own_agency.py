"""The state of this ledger's own agency: its incarnation, and the place of its next announcement."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from schemas.events import Place

NUMBERS = 1 << 28  # events of one incarnation at most; the numbers of 33 million incarnations are exact in JSON
_FIRST_MINUTE = datetime(2026, 1, 1, tzinfo=UTC)


def incarnation_by_clock(now: datetime) -> int:
    """The incarnation for an agency that has lost its home and does not know its last one: the number of minutes since
    2026. A restore takes a lower one where it can, so no earlier incarnation is higher, unless the agency was restored
    every minute."""
    return max(2, (now - _FIRST_MINUTE) // timedelta(minutes=1))


def begin_anew(tx: Tx, incarnation: int) -> None:
    """Begins a new incarnation, with numbers of events above all that the lost ledger may have used."""
    tx.connection.execute(sa.update(tables.agency).values(incarnation=incarnation))
    _number_on(tx, incarnation * NUMBERS)


def own_incarnation(tx: Tx) -> int:
    """The agency's present incarnation."""
    incarnation: int = tx.connection.execute(sa.select(tables.agency.c.incarnation)).scalar_one()
    return incarnation


def next_announcement_place(tx: Tx) -> Place:
    """Our incarnation and the next counter. The counter is stored in this transaction, so that no two announcements
    share a place."""
    own = tables.agency.c
    tx.connection.execute(sa.update(tables.agency).values(announcement_counter=own.announcement_counter + 1))
    row = tx.connection.execute(sa.select(own.incarnation, own.announcement_counter)).one()
    return Place(row.incarnation, row.announcement_counter)


def _number_on(tx: Tx, after: int) -> None:
    """Has SQLite number events from `after` on: the agency's own system may hold a cursor of the lost ledger, and would
    otherwise take new events for ones that it has had."""
    sql = tx.connection.exec_driver_sql
    last = sql("SELECT seq FROM sqlite_sequence WHERE name = 'events'").scalar_one_or_none() or 0
    sql("DELETE FROM sqlite_sequence WHERE name = 'events'")
    sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (max(last, after),))
