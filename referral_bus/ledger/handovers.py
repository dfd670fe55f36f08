"""Hand-overs of events to the agency's own system: which events are due, in order, and what the system has taken.

due ──> handed over                        the system took it, or passed its cursor
 │ └──> waits, pauses growing ──> due      the system failed: an attempt is used up
 │ └──> waits ──> due                      the system did not answer: no attempt is used up
 └────> given up, a dead letter            every attempt is used up; its referral waits for the agency's staff
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from referral_bus.backoff import Backoff
from referral_bus.ledger import dead_letters, tables
from referral_bus.ledger.at_rest import body_of
from referral_bus.ledger.erasures import acknowledged
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.referral_key_columns import key_of, same_referral
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import decode
from schemas.events import ErasureEvent, ReferralKey
from schemas.lifecycle import ErasureKind, ErasureReason, Side, Status
from schemas.outcomes import Outcome
from schemas.personal import ReferralBody, StatusBody

LONGEST_PAUSE = timedelta(hours=1)
LONGEST_REST = timedelta(minutes=5)  # of a system that did not answer
_H, _E, _R, _T = tables.handovers.c, tables.events.c, tables.referrals.c, tables.tombstones.c


@dataclass(frozen=True, slots=True)
class Received:
    """An event as the agency's own system gets it. `cursor` grows in the order in which events were stored; by
    `event_id` the system recognises a repeated hand-over. `status` is the status in the event, None from the sender.
    `occurred_at` is by the writer's clock, `recorded_at` by ours. `kind` and `reason` are an ErasureEvent's: a system
    that takes one confirms that it has erased, too."""

    cursor: int
    event_id: UUID
    referral: ReferralKey
    side: Side  # ours
    peer: str
    record: str
    status: Status | None
    occurred_at: datetime
    recorded_at: datetime
    body: ReferralBody | StatusBody | None
    kind: ErasureKind | None = None
    reason: ErasureReason | None = None

    def __repr__(self) -> str:
        return f"Received(cursor={self.cursor}, record={self.record!r})"


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a failing event is tried, and the pause after its first failure; each further pause is twice as long,
    up to `LONGEST_PAUSE`."""

    attempts: int
    first_pause: timedelta

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_pause <= timedelta(0):
            raise ValueError("attempts must be at least 1, and first_pause above 0")

    @property
    def backoff(self) -> Backoff:
        return Backoff(self.first_pause, LONGEST_PAUSE)


def due(
    tx: Tx, now: datetime, busy: Collection[ReferralKey], most: int, retries: Retries | None = None
) -> list[Received]:
    """Up to `most` events to hand over now: of each referral, without those in `busy`, the oldest event not handed
    over, if it is due; a later one waits for it. The one that is due for longest comes first, so that failing events do
    not delay others. With `retries`, and if none is due, those that a clock ahead has put off."""
    found = _due(tx, _H.next_attempt_at <= now, busy, most)
    return found or ([] if retries is None else _due(tx, _put_off(now, retries), busy, most))


def _put_off(now: datetime, retries: Retries) -> sa.ColumnElement[bool]:
    """Whether an event is due later than any retry pause allows: its time was written while the clock was ahead."""
    pauses = [(tried, max(pause, LONGEST_REST)) for tried, pause in retries.backoff.pauses().items()]
    longer = (sa.and_(_H.attempts <= tried, _H.next_attempt_at > now + pause) for tried, pause in pauses)
    return sa.and_(_H.next_attempt_at > now + LONGEST_REST, sa.or_(_H.next_attempt_at > now + LONGEST_PAUSE, *longer))


def _due(tx: Tx, when: sa.ColumnElement[bool], busy: Collection[ReferralKey], most: int) -> list[Received]:
    earlier = tables.handovers.alias("earlier")
    behind = sa.exists().where(
        same_referral(earlier.c, _H),
        earlier.c.number < _H.number,
        earlier.c.done_at.is_(None),
    )
    query = _received().where(_H.done_at.is_(None), when, sa.not_(behind)).order_by(_H.next_attempt_at, _H.number)
    rows = tx.connection.execute(query.limit(most + len(busy)))
    found = [_from_row(tx, row) for row in rows]
    return [received for received in found if received.referral not in busy][:most]


def after_cursor(tx: Tx, cursor: int, most: int) -> list[Received]:
    """Up to `most` events that were stored after `cursor`, in the order in which they were stored."""
    rows = tx.connection.execute(_received().where(_H.number > cursor).order_by(_H.number).limit(most))
    return [_from_row(tx, row) for row in rows]


def count_after(tx: Tx, cursor: int) -> int:
    """How many events came in after `cursor`."""
    query = sa.select(sa.func.count()).select_from(tables.handovers).where(_H.number > cursor)
    return int(tx.connection.execute(query).scalar_one())


def count_waiting(tx: Tx, cursor: int) -> int:
    """How many events up to `cursor` are not handed over yet."""
    query = sa.select(sa.func.count()).select_from(tables.handovers).where(_H.number <= cursor, _H.done_at.is_(None))
    return int(tx.connection.execute(query).scalar_one())


def handed_over(tx: Tx, numbers: Sequence[int], writing: Writing) -> None:
    """Notes that the agency's own system has taken these events. For an ErasureEvent that asks for it this confirms the
    erasure; one by which a recipient's retention only tells its last status asks for none."""
    _over(tx, _H.number.in_(numbers), writing)


def newest(tx: Tx) -> int:
    """The cursor of the newest event that came in; 0 for none."""
    return int(tx.connection.execute(sa.select(sa.func.coalesce(sa.func.max(_H.number), 0))).scalar_one())


def highest_cursor(tx: Tx) -> int:
    """The highest cursor that this ledger, or a lost one before it, can have given to the agency's own system."""
    query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"
    return int(tx.connection.exec_driver_sql(query).scalar_one())


def acknowledged_up_to(tx: Tx, cursor: int, writing: Writing) -> None:
    """Notes that the agency's own system has taken all events up to `cursor`, since it asks for those after it."""
    _over(tx, _H.number <= cursor, writing)


def _over(tx: Tx, which: sa.ColumnElement[bool], writing: Writing) -> None:
    waiting = sa.select(_H.number).where(which, _H.done_at.is_(None))
    erasures = sa.select(_H.referral_sender, _H.referral_id).join(tables.events, _E.number == _H.number)
    told_to_erase = sa.or_(_E.reason != ErasureReason.RETENTION, _E.kind != ErasureKind.REQUESTED, _E.status.is_(None))
    erasures = erasures.where(_H.number.in_(waiting), _E.record == ErasureEvent.record, told_to_erase)
    erasures = erasures.order_by(_H.number)
    erased = [ReferralKey(row.referral_sender, row.referral_id) for row in tx.connection.execute(erasures)]
    dead_letters.exhausted_no_more(tx, waiting)
    done = sa.update(tables.handovers).where(which, _H.done_at.is_(None)).values(done_at=writing.now)
    tx.connection.execute(done)
    acknowledged(tx, erased, writing)


def failed(tx: Tx, number: int, retries: Retries, now: datetime) -> bool:
    """Notes that the agency's own system has not taken an event, which uses up an attempt. Returns whether that was the
    last one: then the event is a dead letter, and its referral waits; other referrals go on."""
    here = (_H.number == number, _H.done_at.is_(None))
    before: int | None = tx.connection.execute(sa.select(_H.attempts).where(*here)).scalar_one_or_none()
    if before is None:  # meanwhile its cursor was passed, or its referral erased
        return False
    attempts = before + 1
    given_up = attempts >= retries.attempts
    values = {"attempts": attempts, "next_attempt_at": None if given_up else now + retries.backoff.pause(attempts)}
    tx.connection.execute(sa.update(tables.handovers).where(*here).values(values))
    if given_up:
        dead_letters.exhausted(tx, number, now)
    return given_up


def not_there(tx: Tx, numbers: Sequence[int], again_at: datetime) -> None:
    """Puts off these events until `again_at`: the agency's own system did not answer, so no attempt is used up."""
    here = (_H.number.in_(numbers), _H.done_at.is_(None))
    tx.connection.execute(sa.update(tables.handovers).where(*here).values(next_attempt_at=again_at))


def retry(tx: Tx, number: int, now: datetime) -> None:
    """Makes an event that was given up due at once, with all its attempts."""
    here = (_H.number == number, _H.done_at.is_(None))
    tx.connection.execute(sa.update(tables.handovers).where(*here).values(attempts=0, next_attempt_at=now))
    dead_letters.exhausted_no_more(tx, sa.select(sa.literal(number)))


def blocked(tx: Tx) -> int:
    """How many referrals wait for an event on which the agency's own system has failed at least once."""
    failing = sa.select(sa.func.count()).select_from(tables.handovers).where(_H.done_at.is_(None), _H.attempts > 0)
    return int(tx.connection.execute(failing).scalar_one())


def given_up(tx: Tx) -> int:
    """How many events wait for the agency's staff, because its own system failed at every attempt."""
    waiting = sa.select(sa.func.count()).select_from(tables.handovers).where(_H.done_at.is_(None))
    return int(tx.connection.execute(waiting.where(_H.next_attempt_at.is_(None))).scalar_one())


def oldest_waiting(tx: Tx) -> datetime | None:
    """When the oldest event that is not handed over was stored; None where none waits."""
    waiting = sa.select(sa.func.min(_H.number)).where(_H.done_at.is_(None)).scalar_subquery()
    moment: datetime | None = tx.connection.execute(
        sa.select(_E.recorded_at).where(_E.number == waiting)
    ).scalar_one_or_none()
    return moment


def _received() -> sa.Select[tuple[object, ...]]:
    """The query for `Received`. An erased referral has no row any more: its side and peer come from the tombstone."""
    same = same_referral(_R, _H)
    erased = same_referral(_T, _H)
    side = sa.func.coalesce(_R.side, _T.side).label("side")
    peer = sa.func.coalesce(_R.peer, _T.peer).label("peer")
    return (
        sa.select(tables.events, side, peer, _R.body_key)
        .join(tables.handovers, _H.number == _E.number)
        .outerjoin(tables.referrals, same)
        .outerjoin(tables.tombstones, erased)
        .where(_E.outcome == Outcome.STORED)
    )


def _from_row(tx: Tx, row: sa.Row[tuple[object, ...]]) -> Received:
    held = row._mapping
    key = key_of(held)
    return Received(
        cursor=held["number"],
        event_id=held["event_id"],
        referral=key,
        side=Side(held["side"]),
        peer=held["peer"],
        record=held["record"],
        status=None if held["status"] is None else Status(held["status"]),
        occurred_at=held["occurred_at"],
        recorded_at=held["recorded_at"],
        body=read_body(tx, held["body_key"], key, body_of(held["writer"], held["event_id"]), held["body"]),
        kind=None if held["kind"] is None else ErasureKind(held["kind"]),
        reason=None if held["reason"] is None else ErasureReason(held["reason"]),
    )


def read_body(
    tx: Tx, body_key: bytes | None, key: ReferralKey, of: str, encrypted: bytes | None
) -> ReferralBody | StatusBody | None:
    """The decrypted body; None if it was erased or never kept. `body_key` is wrapped, `of` is as for
    `AtRest.encrypt`."""
    if body_key is None or encrypted is None:
        return None
    body = decode(tx.at_rest.decrypt(body_key, key, of, encrypted))
    return body if isinstance(body, ReferralBody | StatusBody) else None
