"""Bounds the rows that one writer can add to another agency's ledger without a referral: refused events, undecodable
records, and erasures of unknown referrals. Such rows stay for ever, since a later copy of the record must not be judged
anew. The bound keeps a writer from filling the disk."""

from datetime import UTC, datetime

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx

MOST_A_DAY = 10_000  # of one writer: some 20 MB of disk
_U = tables.quotas.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class QuotaExceeded(Exception):
    """The writer has used up its quota of today, or has too many held events. `record` is the kind of the record, as in
    a verdict."""

    def __init__(self, record: str) -> None:
        super().__init__(record)
        self.record = record


def charge(tx: Tx, writer: str, record: str, now: datetime) -> None:
    """Counts one more row of this writer today (UTC, by our clock). Raises `QuotaExceeded`, before it writes anything,
    after `MOST_A_DAY`."""
    today = (now - _EPOCH).days
    row = tx.connection.execute(sa.select(_U.day, _U.count).where(_U.writer == writer)).one_or_none()
    before: int = row._mapping["count"] if row is not None and row.day == today else 0
    if before >= MOST_A_DAY:
        raise QuotaExceeded(record)
    if row is None:
        tx.connection.execute(sa.insert(tables.quotas).values(writer=writer, day=today, count=1))
    else:
        change = {"day": today, "count": before + 1}
        tx.connection.execute(sa.update(tables.quotas).where(_U.writer == writer).values(change))
