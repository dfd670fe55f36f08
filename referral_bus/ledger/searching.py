"""Finding referrals: by side, counterpart, own case number, and whether a deadline has passed."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from referral_bus.ledger import tables
from referral_bus.ledger.referrals import Referral, from_row
from referral_bus.ledger.store import Tx
from schemas.deadlines import DEFAULT_LIMITS, Limits
from schemas.lifecycle import Side

_R = tables.referrals.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """Every field that is set narrows the search. Ended referrals come only when asked for."""

    side: Side | None = None
    counterpart: str | None = None
    local_ref: str | None = None
    overdue_at: datetime | None = None
    ended_too: bool = False
    most: int = 100
    limits: Limits = DEFAULT_LIMITS


def search(tx: Tx, wanted: Wanted) -> list[Referral]:
    """The referrals that fit, the earliest deadline first."""
    conditions: list[sa.ColumnElement[bool]] = []
    if not wanted.ended_too:
        conditions.append(tables.IS_OPEN)
    if wanted.side is not None:
        conditions.append(_R.side == wanted.side)
    if wanted.counterpart is not None:
        conditions.append(_R.peer == wanted.counterpart)
    if wanted.local_ref is not None:
        conditions.append(_R.local_ref_digest == tx.at_rest.digest("local_ref", wanted.local_ref.encode()))
    if wanted.overdue_at is not None:
        conditions.append(late(wanted.overdue_at, wanted.limits))
    query = sa.select(tables.referrals).where(*conditions).order_by(_R.respond_by).limit(wanted.most)
    return [from_row(row) for row in tx.connection.execute(query)]


def late(now: datetime, limits: Limits) -> sa.ColumnElement[bool]:
    """Whether a deadline of an open referral has passed without what it was set for. The same rule as
    `stages.standing`, for many referrals at once."""
    unacknowledged = sa.and_(_R.answered_at.is_(None), _R.acknowledged_at.is_(None), _R.acknowledge_by < now)
    unanswered = sa.and_(_R.answered_at.is_(None), _R.acknowledged_at.is_not(None), _R.respond_by < now)
    asked_before = now - limits.unanswered
    asked = sa.or_(_R.cancel_requested_at < asked_before, _R.question_asked_at < asked_before)
    idle = sa.and_(_R.answered_at.is_not(None), _R.changed_at < now - limits.idle)
    return sa.and_(tables.IS_OPEN, sa.or_(unacknowledged, unanswered, asked, idle))
