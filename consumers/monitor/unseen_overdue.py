"""Where an agency announces more overdue referrals than the monitor sees: one of the two is wrong about who waits."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from consumers.monitor import queries, tables
from consumers.monitor.silence import CLOCK_OFF

_F = tables.flows.c


def overdue_unseen(tx: Connection, now: datetime) -> Mapping[str, int]:
    """By agency how many, zero for those that agree. What has changed since an announcement explains a difference, and
    so does a clock that is a little ahead. Only where there is a difference it is looked for what has changed."""
    seen: Counter[str] = Counter()
    for count in queries.open_counts(tx, now + CLOCK_OFF):
        seen[count.recipient] += count.overdue
    found = {}
    for code, said in queries.announced(tx).items():
        more = said.overdue_referrals - seen[code]
        found[code] = max(0, more - _changed_since(tx, code, said.heard_at)) if more > 0 else 0
    return found


def _changed_since(tx: Connection, recipient: str, moment: datetime) -> int:
    """Referrals to it about which anything was written since, by clocks that may be a little behind."""
    query = sa.select(sa.func.count()).where(_F.recipient == recipient, _F.last_at >= moment - CLOCK_OFF)
    return tx.execute(query).scalar_one()
