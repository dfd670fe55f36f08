"""The stage of each open referral, and the deadline of that stage, as SQL expressions: the database computes them for
very many referrals at once.

not-stored > not-handed-over > not-seen > not-answered > in-service
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consumers.monitor import tables
from referral_bus.ledger.tables import Moment
from referral_bus.stages import Stage
from schemas.deadlines import DEFAULT_LIMITS
from schemas.lifecycle import PAST_ANSWER, Status

_F, _A = tables.flows.c, tables.agencies.c
_MILLISECONDS = 1000


STAGES = (Stage.NOT_STORED, Stage.NOT_HANDED_OVER, Stage.NOT_SEEN, Stage.NOT_ANSWERED, Stage.IN_SERVICE)
"""The stages of an open referral that an observer can tell apart, in their order."""

_ANSWERED = _F.status.in_([status.value for status in PAST_ANSWER])
_ACTED = sa.and_(_F.acted_in > 0, _F.acted_in == _F.spoken_in)  # not in an incarnation before a restore
_SEEN = sa.or_(_F.status != Status.REQUESTED.value, _ACTED)
_HANDED_OVER = sa.func.coalesce(_A.handed_over_before > _F.stored_at, sa.false())  # both by the recipient's clock

stage_column = sa.case(
    (_ANSWERED, Stage.IN_SERVICE.value),
    (_SEEN, Stage.NOT_ANSWERED.value),
    (_F.stored_at.is_(None), Stage.NOT_STORED.value),
    (_HANDED_OVER, Stage.NOT_SEEN.value),
    else_=Stage.NOT_HANDED_OVER.value,
)
"""A column of `flows_with_agencies`."""

_IDLE = sa.type_coerce(_F.last_at, sa.BigInteger) + int(DEFAULT_LIMITS.idle.total_seconds() * _MILLISECONDS)
due_column: sa.ColumnElement[Any] = sa.type_coerce(
    sa.case((_ANSWERED, _IDLE), (_SEEN, sa.type_coerce(_F.respond_by, sa.BigInteger)), else_=_F.acknowledge_by), Moment
)
"""A column of `flows_with_agencies`: the deadline of the stage; in service, when the next word about it is due."""

flows_with_agencies = tables.flows.outerjoin(tables.agencies, _A.code == _F.recipient)


def overdue(now: datetime) -> sa.ColumnElement[bool]:
    """A condition on `flows_with_agencies`: the deadline is before `now`; false without a deadline."""
    return sa.func.coalesce(due_column < sa.bindparam(None, now, type_=Moment()), sa.false())
