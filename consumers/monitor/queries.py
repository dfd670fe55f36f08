"""The queries behind the operators' overview and the metrics. They change nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from consumers.monitor import tables
from consumers.monitor.metrics import OTHER
from consumers.monitor.stages import due_column, flows_with_agencies, overdue, stage_column
from referral_bus.broker.send_failures import MENDED_AFTER, NOTICE_CODES
from referral_bus.stages import Stage
from schemas.lifecycle import ENDED
from schemas.outcomes import Code

_F, _A, _N = tables.flows.c, tables.agencies.c, tables.notices.c


@dataclass(frozen=True, slots=True)
class OpenCount:
    """How many open referrals to one agency are in one stage, and how many of them are past its deadline."""

    recipient: str
    stage: Stage
    number: int
    overdue: int


def open_counts(tx: Connection, now: datetime) -> list[OpenCount]:
    """The numbers of open and of overdue referrals, by recipient and stage; pairs without any are left out."""
    late = sa.func.sum(sa.case((overdue(now), 1), else_=0))
    query = sa.select(_F.recipient, stage_column, sa.func.count(), late).select_from(flows_with_agencies).where(_F.open)
    rows = tx.execute(query.group_by(_F.recipient, stage_column).order_by(_F.recipient))
    return [OpenCount(recipient, Stage(stage), number, late) for recipient, stage, number, late in rows]


@dataclass(frozen=True, slots=True)
class FlowRow:
    """Numbers of referrals from one agency to another, as far back as the monitor remembers. `refused`: by the
    recipient's service, so that the sender must act."""

    sender: str
    recipient: str
    referrals: int
    stored: int
    refused: int
    answered: int
    closed: int
    overdue: int


def flow_table(tx: Connection, now: datetime) -> list[FlowRow]:
    """Every pair of agencies with a referral under an agreement, the busiest first."""
    ended = _F.status.in_([status.value for status in ENDED])
    answered = sa.or_(ended, stage_column == Stage.IN_SERVICE.value)
    late = sa.and_(_F.open, overdue(now))
    conditions = (
        _F.stored_at.is_not(None),
        sa.and_(_F.refused.is_not(None), _F.spoken_in < _F.receipt_incarnation),
        answered,
        ended,
        late,
    )
    sums = [sa.func.sum(sa.case((condition, 1), else_=0)) for condition in conditions]
    query = sa.select(_F.sender, _F.recipient, sa.func.count(), *sums).select_from(flows_with_agencies).where(_F.agreed)
    query = query.group_by(_F.sender, _F.recipient).order_by(sa.func.count().desc(), _F.sender, _F.recipient)
    return [FlowRow(*row) for row in tx.execute(query)]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open referral. `due`: deadline of its stage; None where only later events about the referral were read."""

    sender: str
    recipient: str
    referral_id: UUID
    stage: Stage
    priority: str
    due: datetime | None
    started_at: datetime | None


def waiting(tx: Connection, most: int) -> list[Waiting]:
    """At most `most` open referrals, the earliest deadline first."""
    columns = (_F.sender, _F.recipient, _F.referral_id, stage_column, _F.priority, due_column, _F.started_at)
    query = (
        sa.select(*columns)
        .select_from(flows_with_agencies)
        .where(_F.open)
        .order_by(due_column.is_(None), due_column)
        .limit(most)
    )
    return [
        Waiting(sender, recipient, referral_id, Stage(stage), priority or OTHER, due, started_at)
        for sender, recipient, referral_id, stage, priority, due, started_at in tx.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class Announced:
    """An agency's newest announcement. `issued_at` is by the agency's clock, `heard_at` by ours; the counts are the
    agency's own."""

    heard_at: datetime
    issued_at: datetime
    open_referrals: int
    overdue_referrals: int
    register_version: int
    software_version: str


def announced(tx: Connection) -> Mapping[str, Announced]:
    """The newest announcement of each agency, by its code."""
    columns = (
        _A.code,
        _A.heard_at,
        _A.issued_at,
        _A.open_referrals,
        _A.overdue_referrals,
        _A.register_version,
        _A.software_version,
    )
    return {code: Announced(*rest) for code, *rest in tx.execute(sa.select(*columns))}


def dead_letters(tx: Connection) -> Mapping[tuple[str, ...], int]:
    """The number of waiting dead letters, by agency and reason. A notice counts until a final receipt settles it, with
    two exceptions. An event whose hand-over was given up has its receipt already: its notice counts until the agency
    announces that everything up to then was handed over. A notice that Kafka refuses records is repeated as long as
    that lasts: it counts until the agency has announced itself `MENDED_AFTER` without another one. A notice for several
    events counts as long as the newest of them."""
    given_up = sa.and_(_N.code == Code.HANDOVER_EXHAUSTED.value, _A.handed_over_before > _N.issued_at)
    query = sa.select(_N.agency, _N.code, sa.func.sum(_N.count))
    query = query.select_from(tables.notices.outerjoin(tables.agencies, _A.code == _N.agency))
    lasts = int(MENDED_AFTER.total_seconds() * 1000)
    mended = sa.and_(
        _N.code.in_(sorted(NOTICE_CODES)),
        sa.type_coerce(_A.issued_at, sa.BigInteger) > sa.type_coerce(_N.issued_at, sa.BigInteger) + lasts,
    )
    over = (sa.func.coalesce(given_up, sa.false()), sa.func.coalesce(mended, sa.false()))
    query = query.where(sa.not_(_N.settled), *(sa.not_(each) for each in over))
    return {(agency, code): number for agency, code, number in tx.execute(query.group_by(_N.agency, _N.code))}


@dataclass(frozen=True, slots=True)
class LagRow:
    """The lag of one agency's service in one topic; see `lag.Lag`. `moved_at`: when it last read on, or had nothing to
    read."""

    group: str
    topic: str
    agency: str
    records: int
    seconds: float | None
    committed: int
    moved_at: datetime


def lag_rows(tx: Connection) -> list[LagRow]:
    return [LagRow(*row) for row in tx.execute(sa.select(tables.lags).order_by(tables.lags.c.group))]


def created_at(tx: Connection) -> datetime:
    moment: datetime = tx.execute(sa.select(tables.monitor.c.created_at)).scalar_one()
    return moment
