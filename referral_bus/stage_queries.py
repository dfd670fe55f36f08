"""The stages of the referrals in a ledger: `stage_of` for one of them, `count_stages` for the number at each stage."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from referral_bus.ledger import failing_sends, queries, tables
from referral_bus.ledger.outbox import FINAL, OutboxState
from referral_bus.ledger.peers import Peer, all_peers
from referral_bus.ledger.referral_key_columns import is_about, same_referral
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.search import late
from referral_bus.ledger.store import Tx
from referral_bus.stages import Progress, Stage, Standing, standing
from schemas.deadlines import Limits
from schemas.events import ReferralKey
from schemas.lifecycle import Side, Status
from schemas.outcomes import Code

_R, _O, _H, _E = tables.referrals.c, tables.outbox.c, tables.handovers.c, tables.events.c


def stage_of(
    tx: Tx, referral: Referral, peers: Mapping[str, Peer], limits: Limits, believed: Collection[str]
) -> Standing:
    """The stage of one referral, from the ledger and from the recipient's announcements in `peers`. `believed` are the
    agencies that have not left the register."""
    left = referral.peer not in believed
    failure = failing_sends.of_referral(tx, referral.key)
    delivery = queries.referral_event_state(tx, referral.key)
    blocked = _blocked(tx, referral.key)
    if delivery is None:
        progress = Progress(
            None, queries.first_handed_over(tx, referral.key), blocked=blocked, send_failure=failure, other_left=left
        )
        return standing(referral, progress, limits)
    handed_over_before = _handed_over_before(peers).get(referral.peer)
    stored_at = delivery.receipt_issued_at
    handed_over = handed_over_before is not None and stored_at is not None and handed_over_before > stored_at
    known = delivery.code is not None and delivery.code in Code.__members__  # newer software may send others
    code = Code(str(delivery.code)) if known else None
    if failure is None and not delivery.in_kafka:
        failure = failing_sends.to_agency(tx, referral.peer)
    said = peers[referral.peer].announcement if referral.peer in peers else None
    gave_up = said is not None and said.handovers_blocked > 0
    progress = Progress(delivery.state, handed_over, code, blocked, delivery.in_kafka, failure, gave_up, left)
    return standing(referral, progress, limits)


def _blocked(tx: Tx, key: ReferralKey) -> bool:
    """Whether an event of the referral is a dead letter of hand-over, so that the later ones wait."""
    given_up = sa.exists().where(is_about(_H, key), _H.done_at.is_(None), _H.next_attempt_at.is_(None))
    return bool(tx.connection.execute(sa.select(given_up)).scalar_one())


def _handed_over_before(peers: Mapping[str, Peer]) -> dict[str, datetime]:
    """For each peer the time before which its service has handed over all events; by the peer's clock, as are its
    receipts."""
    return {code: peer.announcement.handed_over_before for code, peer in peers.items() if peer.announcement is not None}


@dataclass(frozen=True, slots=True)
class StageCount:
    """The number of open referrals, and how many of them are past a deadline."""

    open: int
    overdue: int


def count_stages(
    tx: Tx, now: datetime, limits: Limits, believed: Collection[str]
) -> dict[tuple[Side, Stage], StageCount]:
    """The number of open referrals at each side and stage. Runs one statement of sums for each side: a GROUP BY would
    sort all rows first."""
    is_late, peers = late(now, limits), all_peers(tx)
    at_sender = _counted(tx, Side.SENDER, _at_sender(_handed_over_before(peers), believed), _SENT, is_late)
    return at_sender | _counted(tx, Side.RECIPIENT, _at_recipient(), tables.referrals, is_late)


Rule = tuple[sa.ColumnElement[bool], Stage]


def _counted(
    tx: Tx, side: Side, rules: Sequence[Rule], among: sa.FromClause, is_late: sa.ColumnElement[bool]
) -> dict[tuple[Side, Stage], StageCount]:
    """Counts the open referrals of one side. Each is at the stage of the first rule that holds; the last rule always
    does."""
    stages = sorted({stage for _, stage in rules})
    *before, (_, otherwise) = [(condition, 2 * stages.index(stage)) for condition, stage in rules]
    place = sa.case(*before, else_=otherwise) + sa.case((is_late, 1), else_=0)
    judged = sa.select(place.label("place")).select_from(among).where(_R.side == side, tables.IS_OPEN)
    each = judged.limit(-1).subquery()  # with a limit SQLite judges each referral once, not once for each sum
    sums = [
        sa.func.coalesce(sa.func.sum(each.c.place == number), 0, type_=sa.Integer) for number in range(2 * len(stages))
    ]
    found = tx.connection.execute(sa.select(*sums)).one()
    return {
        (side, stage): StageCount(found[2 * number] + found[2 * number + 1], found[2 * number + 1])
        for number, stage in enumerate(stages)
    }


def _first(table: sa.FromClause) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.min(table.c.number)).where(same_referral(table.c, _R)).scalar_subquery()


# Joins each referral with the outbox row of the event that started it, unless the recipient has acknowledged it
# already. SQLite must not read the outbox rows, which are large: `number + 0` makes it use the index, which has all
# columns that are needed.
_SAME = same_referral(_O, _R)
_DELIVERY = sa.and_(_R.acknowledged_at.is_(None), _SAME, _O.number + 0 == _first(tables.outbox.alias("sent")))
_SENT = tables.referrals.outerjoin(tables.outbox, _DELIVERY)

_ANSWERED_OR_SEEN: tuple[Rule, ...] = (
    (_R.answered_at.is_not(None), Stage.IN_SERVICE),
    (sa.or_(_R.status != Status.REQUESTED, _R.acknowledged_at.is_not(None)), Stage.NOT_ANSWERED),
)


def _at_sender(handed_over_before: Mapping[str, datetime], believed: Collection[str]) -> tuple[Rule, ...]:
    moments = {code: sa.bindparam(None, moment, type_=tables.Moment()) for code, moment in handed_over_before.items()}
    never = sa.literal(None, tables.Moment())
    handed_over = _O.receipt_issued_at < sa.case(moments, value=_R.peer, else_=never) if moments else sa.false()
    undelivered = sa.and_(_R.acknowledged_at.is_(None), _O.state != OutboxState.STORED)
    return (
        (sa.and_(undelivered, _O.state.in_(FINAL)), Stage.UNDELIVERED),
        (_R.peer.not_in(sorted(believed)), Stage.OTHER_SIDE_LEFT),
        (sa.and_(undelivered, _O.state == OutboxState.HELD), Stage.HELD),
        (sa.and_(undelivered, _O.state == OutboxState.WAITING_FOR_KEY), Stage.WAITING_FOR_KEY),
        (undelivered, Stage.NOT_STORED),
        *_ANSWERED_OR_SEEN,
        (handed_over, Stage.NOT_SEEN),
        (sa.true(), Stage.NOT_HANDED_OVER),
    )


def _at_recipient() -> tuple[Rule, ...]:
    """The rules at the recipient. The events of a referral are handed over in order, so any hand-over means that the
    first event was handed over."""
    nothing_waits = sa.not_(sa.exists().where(same_referral(_H, _R), _H.done_at.is_(None)))
    came = sa.select(_E.number).join(tables.handovers, _H.number == _E.number).where(_H.done_at.is_not(None))
    any_done = came.where(same_referral(_E, _R)).correlate(tables.referrals).exists()
    return (
        *_ANSWERED_OR_SEEN,
        (sa.or_(nothing_waits, any_done), Stage.NOT_SEEN),
        (sa.true(), Stage.NOT_HANDED_OVER),
    )
