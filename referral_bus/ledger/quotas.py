"""How much one writer may have us keep without being asked: refused events, what cannot be decoded, and
erasures of referrals that we do not know. Such rows stay for ever, or a copy that comes later would be judged anew; so
they are bounded where they come in, and no writer fills another agency's disk."""

from datetime import UTC, datetime

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx

MOST_A_DAY = 10_000  # of one writer: some 20 MB of disk
_U = tables.quotas.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class QuotaExceeded(Exception):
    """So much of this writer is kept that no more is, for now. `record` is the kind, as in a verdict."""

    def __init__(self, record: str) -> None:
        super().__init__(record)
        self.record = record


def charge(tx: Tx, writer: str, record: str, now: datetime) -> None:
    """One more of it. Raises `QuotaExceeded` before anything is written."""
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
