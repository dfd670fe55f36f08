"""Limits how often a peer is sent again all events that it has not confirmed, or all that its lost ledger had. The
relay does so when the peer announces a newer register, another key or a higher incarnation, or when its inbox was made
anew: at once, and then once in `SHORTEST` at most. A peer can cause it with one small record, and Kafka's host with one
topic, while it costs this agency all events to that peer."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx

SHORTEST = timedelta(minutes=1)
"""The shortest time between two resends to the same peer. Those asked for in between are done as one, at its end."""

_R = tables.resends.c


def next_turn(tx: Tx, code: str, now: datetime) -> datetime:
    """The moment at which the next resend to a peer may begin, which is reserved for the caller. All callers before
    that moment share the same resend."""
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
        return min(last, now + SHORTEST)  # not later, even if the clock was set back
    return max(now, last + SHORTEST)


def want(tx: Tx, code: str) -> None:
    """Asks for a resend to a peer at the moment that `next_turn` has reserved."""
    tx.connection.execute(sa.update(tables.resends).where(_R.code == code).values(wanted=True))


def due(tx: Tx, now: datetime) -> list[str]:
    """The peers whose resend is due, which the caller must do: they are not due any more then."""
    here = (_R.wanted, sa.or_(_R.begun_at <= now, _R.begun_at > now + SHORTEST))
    codes = list(tx.connection.execute(sa.select(_R.code).where(*here)).scalars())
    if codes:
        tx.connection.execute(sa.update(tables.resends).where(_R.code.in_(codes)).values(wanted=False))
    return codes
