"""Finds agencies that announce more overdue referrals than the monitor counts: then the agency or the monitor is wrong
about which referrals wait."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from consumers.monitor import queries, tables
from consumers.monitor.silence import CLOCK_OFF

_F = tables.flows.c


def overdue_unseen(tx: Connection, now: datetime) -> Mapping[str, int]:
    """By agency: how many overdue referrals it announces beyond those counted here; 0 where the two agree. A difference
    does not count as far as referrals have changed since the announcement, or a clock that is up to `CLOCK_OFF` ahead
    explains it."""
    seen: Counter[str] = Counter()
    for count in queries.open_counts(tx, now + CLOCK_OFF):
        seen[count.recipient] += count.overdue
    found = {}
    for code, said in queries.announced(tx).items():
        more = said.overdue_referrals - seen[code]
        found[code] = max(0, more - _changed_since(tx, code, said.heard_at)) if more > 0 else 0
    return found


def _changed_since(tx: Connection, recipient: str, moment: datetime) -> int:
    """How many referrals to `recipient` have had an event since `moment`, allowing for clocks that are up to
    `CLOCK_OFF` behind."""
    query = sa.select(sa.func.count()).where(_F.recipient == recipient, _F.last_at >= moment - CLOCK_OFF)
    return tx.execute(query).scalar_one()
