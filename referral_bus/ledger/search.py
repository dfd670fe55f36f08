"""Searches referrals by side, counterpart, own case number, priority and deadline."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.referrals import Referral, from_row
from referral_bus.ledger.store import Tx
from schemas.deadlines import DEFAULT_LIMITS, Limits
from schemas.lifecycle import Side

_R = tables.referrals.c


class Which(Enum):
    """Whether to search open referrals, ended ones, or both; of both the open ones come first."""

    OPEN = auto()
    ENDED = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The conditions of a search; a field that is None sets none. `due_before` finds referrals with a deadline before
    that moment. `most` is the maximum number of results."""

    side: Side | None = None
    counterpart: str | None = None
    local_ref: str | None = None
    priority: str | None = None
    due_before: datetime | None = None
    which: Which = Which.OPEN
    most: int = 100
    limits: Limits = DEFAULT_LIMITS


def search(tx: Tx, wanted: Wanted) -> list[Referral]:
    """The referrals that meet the conditions, the earliest `respond_by` first, `wanted.most` at most."""
    ended_last = sa.case((tables.IS_OPEN, 0), else_=1)
    query = sa.select(tables.referrals).where(*_conditions(tx, wanted)).order_by(ended_last, _R.respond_by)
    return [from_row(row) for row in tx.connection.execute(query.limit(wanted.most))]


def count(tx: Tx, wanted: Wanted) -> int:
    """How many referrals meet the conditions, without the limit `most`."""
    query = sa.select(sa.func.count()).select_from(tables.referrals).where(*_conditions(tx, wanted))
    return int(tx.connection.execute(query).scalar_one())


def _conditions(tx: Tx, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.which is Which.OPEN:
        conditions.append(tables.IS_OPEN)
    if wanted.which is Which.ENDED:
        conditions.append(tables.IS_ENDED)
    if wanted.side is not None:
        conditions.append(_R.side == wanted.side)
    if wanted.counterpart is not None:
        conditions.append(_R.peer == wanted.counterpart)
    if wanted.local_ref is not None:
        conditions.append(_R.local_ref_digest == tx.at_rest.digest("local_ref", wanted.local_ref.encode()))
    if wanted.priority is not None:
        conditions.append(_R.priority == wanted.priority)
    if wanted.due_before is not None:
        conditions.append(late(wanted.due_before, wanted.limits))
    return conditions


def late(now: datetime, limits: Limits) -> sa.ColumnElement[bool]:
    """The condition that an open referral is past a deadline. The same rule as `stages.standing`, in SQL: change both
    together."""
    unacknowledged = sa.and_(_R.answered_at.is_(None), _R.acknowledged_at.is_(None), _R.acknowledge_by < now)
    unanswered = sa.and_(_R.answered_at.is_(None), _R.acknowledged_at.is_not(None), _R.respond_by < now)
    asked_before = now - limits.unanswered
    asked = sa.or_(_R.cancel_requested_at < asked_before, _R.question_asked_at < asked_before)
    idle = sa.and_(_R.answered_at.is_not(None), _R.changed_at < now - limits.idle)
    return sa.and_(tables.IS_OPEN, sa.or_(unacknowledged, unanswered, asked, idle))
