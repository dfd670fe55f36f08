"""What the ledger holds of its own agency: its incarnation, and the place of its next announcement."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from schemas.events import Place

NUMBERS = 1 << 28  # of events that a ledger can have in one incarnation; 33 million incarnations are exact in JSON
_FIRST_MINUTE = datetime(2026, 1, 1, tzinfo=UTC)


def incarnation_by_clock(now: datetime) -> int:
    """For an agency that begins anew and does not know how far it had come: minutes since 2026. A restore
    stays below that as long as it can, so no agency has ever used a higher one, unless it was restored every minute."""
    return max(2, (now - _FIRST_MINUTE) // timedelta(minutes=1))


def begin_anew(tx: Tx, incarnation: int) -> None:
    """It goes on above everything that the lost ledger may have said or counted."""
    tx.connection.execute(sa.update(tables.agency).values(incarnation=incarnation))
    _number_on(tx, incarnation * NUMBERS)


def own_incarnation(tx: Tx) -> int:
    incarnation: int = tx.connection.execute(sa.select(tables.agency.c.incarnation)).scalar_one()
    return incarnation


def next_announcement_place(tx: Tx) -> Place:
    """Our incarnation and the next counter, written down at once, so that no two announcements ever share a place."""
    own = tables.agency.c
    tx.connection.execute(sa.update(tables.agency).values(announcement_counter=own.announcement_counter + 1))
    row = tx.connection.execute(sa.select(own.incarnation, own.announcement_counter)).one()
    return Place(row.incarnation, row.announcement_counter)


def _number_on(tx: Tx, after: int) -> None:
    """Events are numbered above every number that the lost ledger has given: the agency's own system may have cursors
    of it, and would take newer events for those that it has had."""
    sql = tx.connection.exec_driver_sql
    last = sql("SELECT seq FROM sqlite_sequence WHERE name = 'events'").scalar_one_or_none() or 0
    sql("DELETE FROM sqlite_sequence WHERE name = 'events'")
    sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (max(last, after),))
