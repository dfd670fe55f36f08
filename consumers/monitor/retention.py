"""Retention: deletes flows that have ended, some time after their last event. Open flows stay, however old."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from consumers.monitor import tables
from consumers.monitor.kept import day


def forget(tx: Connection, before: datetime) -> None:
    """Deletes the flows that are not open and have had no event since `before`, and events, early receipts and notices
    that were heard before it. Events of a flow that stays, and counters, stay."""
    flows, events = tables.flows.c, tables.events.c
    tx.execute(sa.delete(tables.flows).where(sa.not_(flows.open), flows.last_at < before))
    still = sa.exists().where(flows.number == events.flow)
    tx.execute(sa.delete(tables.events).where(events.heard_at < before, sa.or_(events.flow.is_(None), sa.not_(still))))
    for table in (tables.early_receipts, tables.notices):
        tx.execute(sa.delete(table).where(table.c.heard_at < before))
    tx.execute(sa.delete(tables.kept).where(tables.kept.c.day < day(before)))
