"""Sends agencies whose ledgers were restored everything again: all events that they once had, and all erasures of
referrals with them.

A higher incarnation is only noted when it comes in; the relay then does the work in small steps. So an agency that
raises its incarnation with every record costs this one a single row, and one with a hundred thousand shared erasures
does not delay other work.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from referral_bus.ledger import tables, tombstones
from referral_bus.ledger.erasures import tell
from referral_bus.ledger.outbox import FINAL, reopen
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.referral_key_columns import is_about
from referral_bus.ledger.resends import SHORTEST, next_turn
from referral_bus.ledger.store import Tx
from schemas.events import ReferralKey
from schemas.lifecycle import ErasureKind

ROWS = 5_000  # of the outbox in one step, which takes some milliseconds
TOMBSTONES = 100  # in one step, with up to one ErasureEvent for each
_FIRST = ReferralKey("", UUID(int=0))
_P, _OUT, _T = tables.restored_peers.c, tables.outbox.c, tables.tombstones.c


def note(tx: Tx, code: str, now: datetime) -> None:
    """Notes that a peer is owed all events and erasures that the ledger has now. The work begins at the peer's turn;
    see `resends`."""
    last = tx.connection.execute(sa.select(sa.func.coalesce(sa.func.max(_OUT.number), 0))).scalar_one()
    tx.connection.execute(sa.delete(tables.restored_peers).where(_P.code == code))
    values = {"code": code, "reopened_to": 0, "reopen_to": last}
    values |= {"begin_at": next_turn(tx, code, now), "told_sender": _FIRST.sender, "told_id": _FIRST.referral_id}
    tx.connection.execute(sa.insert(tables.restored_peers).values(values))


def tell_again(tx: Tx, code: str, now: datetime) -> None:
    """Notes that a peer is owed all shared erasures once more, beside the events that it may be owed already."""
    begin = {"told_sender": _FIRST.sender, "told_id": _FIRST.referral_id}
    here = sa.update(tables.restored_peers).where(_P.code == code)
    if tx.connection.execute(here.values(begin)).rowcount == 0:
        values = begin | {"code": code, "reopened_to": 0, "reopen_to": 0, "begin_at": next_turn(tx, code, now)}
        tx.connection.execute(sa.insert(tables.restored_peers).values(values))


def waiting(tx: Tx, now: datetime) -> bool:
    """Whether a peer is owed something and its turn has come."""
    return tx.connection.execute(sa.select(_P.code).where(_due(now)).limit(1)).first() is not None


def step(tx: Tx, writing: Writing) -> None:
    """Does one small step for one peer: first of the events, in the order in which they were written, then of the
    erasures."""
    due = sa.select(tables.restored_peers).where(_due(writing.now)).order_by(_P.code).limit(1)
    row = tx.connection.execute(due).one_or_none()
    if row is None:
        return
    if row.reopened_to < row.reopen_to:
        upper = _a_little_beyond(tx, row.reopened_to, row.reopen_to)
        reopen(tx, row.code, (row.reopened_to, upper), writing.now)
        tx.connection.execute(sa.update(tables.restored_peers).where(_P.code == row.code).values(reopened_to=upper))
        return
    _tell_some(tx, row.code, ReferralKey(row.told_sender, row.told_id), writing)


def _due(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a peer's turn has come. A time further ahead than `SHORTEST` was noted before the clock was set back, and
    counts as come."""
    return sa.or_(_P.begin_at <= now, _P.begin_at > now + SHORTEST)


def _a_little_beyond(tx: Tx, after: int, at_most: int) -> int:
    """The number of the last row of the next step. Counts rows, since numbers leap between two incarnations."""
    some = sa.select(_OUT.number).where(_OUT.number > after, _OUT.number <= at_most).order_by(_OUT.number).limit(ROWS)
    last = tx.connection.execute(sa.select(sa.func.max(some.subquery().c.number))).scalar_one()
    return at_most if last is None else int(last)


def _tell_some(tx: Tx, code: str, after: ReferralKey, writing: Writing) -> None:
    """Writes an ErasureEvent for each of the next shared tombstones, unless one about it is under way."""
    place = sa.tuple_(_T.referral_sender, _T.referral_id)
    beyond = place > sa.tuple_(sa.literal(after.sender), sa.literal(after.referral_id, sa.Uuid()))
    looked = sa.select(_T.referral_sender, _T.referral_id, _T.peer).where(beyond).order_by(*place).limit(TOMBSTONES)
    rows = tx.connection.execute(looked).all()
    for row in rows:
        key = ReferralKey(row.referral_sender, row.referral_id)
        left = tombstones.load(tx, key) if row.peer == code and not _under_way(tx, key) else None
        if left is not None:
            tell(tx, left, ErasureKind.REQUESTED, writing)
    here = _P.code == code
    if len(rows) < TOMBSTONES:
        tx.connection.execute(sa.delete(tables.restored_peers).where(here))
    else:
        reached = {"told_sender": rows[-1].referral_sender, "told_id": rows[-1].referral_id}
        tx.connection.execute(sa.update(tables.restored_peers).where(here).values(reached))


def _under_way(tx: Tx, key: ReferralKey) -> bool:
    here = is_about(_OUT, key)
    query = sa.select(_OUT.number).where(here, _OUT.erasure, _OUT.state.not_in(FINAL)).limit(1)
    return tx.connection.execute(query).first() is not None
