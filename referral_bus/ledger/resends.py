"""When a peer is sent again all that it has not confirmed, or all that its lost ledger had: at once when it announces a
newer register, another key or a higher incarnation, or when its inbox was made anew, and then not again for a while.
Each costs it one small record, or the host one topic, and us everything that is under way to it."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx

SHORTEST = timedelta(minutes=1)
"""Between two for the same peer. What is asked for meanwhile is done once, at the end of it."""

_R = tables.resends.c


def next_turn(tx: Tx, code: str, now: datetime) -> datetime:
    """When its next one may begin, which is taken for begun then. All that is asked for at the same moment, or before
    that turn has come, shares it."""
    here = _R.code == code
    last = tx.connection.execute(sa.select(_R.begun_at).where(here)).scalar_one_or_none()
    if last is None:
        tx.connection.execute(sa.insert(tables.resends).values(code=code, begun_at=now, wanted=False))
        return now
    turn = _after(last, now)
    if turn != last:
        tx.connection.execute(sa.update(tables.resends).where(here).values(begun_at=turn))
    return turn


def _after(last: datetime, now: datetime) -> datetime:
    if last >= now:
        return min(last, now + SHORTEST)  # a clock that was set back ends a longer pause
    return max(now, last + SHORTEST)


def want(tx: Tx, code: str) -> None:
    """What is under way to it goes again when its turn has come."""
    tx.connection.execute(sa.update(tables.resends).where(_R.code == code).values(wanted=True))


def due(tx: Tx, now: datetime) -> list[str]:
    """Those whose turn has come; from now on they want nothing."""
    here = (_R.wanted, sa.or_(_R.begun_at <= now, _R.begun_at > now + SHORTEST))
    codes = list(tx.connection.execute(sa.select(_R.code).where(*here)).scalars())
    if codes:
        tx.connection.execute(sa.update(tables.resends).where(_R.code.in_(codes)).values(wanted=False))
    return codes
