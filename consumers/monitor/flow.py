"""One referral as an observer knows it: facts gathered from authentic records, in whatever order they come. Pure.

An answer may be read before its referral, because they are in different topics. So no function here needs an order, and
a flow may begin with an answer.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.code_lists import known
from schemas.events import NOWHERE, ErasureEvent, Place, ReferralEvent, SealedEvent, StatusEvent
from schemas.lifecycle import ENDED, Status
from schemas.outcomes import FINAL_OUTCOMES, Code, Outcome

Word = StatusEvent | ErasureEvent


class FlowKey(NamedTuple):
    """Identifies a flow. The recipient is part of the key, so that a third agency that writes about another's referral
    id makes a flow of its own, and does not change that of the two parties."""

    sender: str
    referral_id: UUID
    recipient: str


class Flow(NamedTuple):
    """One referral. Times are those at which the monitor heard it, except where a comment names another clock. A named
    tuple, because every event makes a changed copy, which costs a fifth of one of a dataclass.

    A recipient whose ledger was restored continues under a higher incarnation with what that ledger still holds. So its
    events and receipts of the highest incarnation tell the state of a referral; those of lower ones are history."""

    number: int
    key: FlowKey
    agreed: bool  # whether the register has an agreement for it
    priority: str | None = None  # None while the referral itself was not read
    acknowledge_by: datetime | None = None  # the sender's clock
    respond_by: datetime | None = None
    started_at: datetime | None = None
    status: Status = Status.REQUESTED
    status_place: Place = NOWHERE  # of the recipient's event that set the status
    spoken_in: int = 0  # highest incarnation of the recipient's events about it
    acted_in: int = 0  # the same, without events that a restored service wrote automatically
    stored_at: datetime | None = None  # the recipient's clock, as is its `handed_over_before`
    refused: str | None = None  # the code by which the recipient refused the referral itself
    receipt_incarnation: int = 0  # of the recipient's final receipt that counts; 0: none yet
    acknowledged_at: datetime | None = None  # by the first event that a person wrote, even if a restore lost it
    ended_at: datetime | None = None
    last_at: datetime | None = None  # when the newest event was written, by its writer's clock, not after it was heard
    key_id: str | None = None  # signing key of the recipient's events and receipts of the highest incarnation

    @property
    def undelivered(self) -> bool:
        """Whether the recipient has refused the referral itself, and has written no event about it since, under that
        incarnation or a higher one."""
        return self.refused is not None and self.spoken_in < self.receipt_incarnation

    @property
    def open(self) -> bool:
        """Whether the recipient must still act. An undelivered referral waits for its sender only, and is not open."""
        return self.agreed and self.status not in ENDED and not self.undelivered


def started(flow: Flow, event: ReferralEvent, at: datetime, agreed: bool) -> Flow:
    """The flow after its ReferralEvent. A second one under the same id changes nothing."""
    if flow.started_at is not None:
        return flow
    return flow._replace(
        agreed=agreed,
        priority=event.priority if known("priority", event.priority) else "",
        acknowledge_by=event.acknowledge_by,
        respond_by=event.respond_by,
        started_at=at,
        last_at=_later(flow.last_at, min(event.occurred_at, at)),
    )


def spoken(flow: Flow, event: Word, at: datetime) -> Flow:
    """The flow after an event of the recipient, which also proves that it has stored the referral."""
    status = Status(event.status) if event.status is not None and known("status", event.status) else None
    changed = flow if status is None else _with_status(flow, status, event.place, at)
    acts = not is_automatic(event)
    storage_told = flow.receipt_incarnation > 0
    return changed._replace(
        spoken_in=max(flow.spoken_in, event.incarnation),
        acted_in=max(flow.acted_in, event.incarnation) if acts else flow.acted_in,
        stored_at=flow.stored_at if storage_told else _earlier(flow.stored_at, event.occurred_at),
        acknowledged_at=_earlier(flow.acknowledged_at, at) if acts else flow.acknowledged_at,
        last_at=_later(flow.last_at, min(event.occurred_at, at)),
    )


def nudged(flow: Flow, event: Word, at: datetime) -> Flow:
    """The flow after a later event of the sender, which changes `last_at` only."""
    return flow._replace(last_at=_later(flow.last_at, min(event.occurred_at, at)))


def receipted(flow: Flow, outcome: str, code: str | None, incarnation: int, issued_at: datetime) -> Flow:
    """The flow after a receipt of the recipient for the ReferralEvent. The final receipt of the highest incarnation
    counts, and within one incarnation the first."""
    if outcome not in FINAL_OUTCOMES or incarnation <= flow.receipt_incarnation:
        return flow
    if outcome == Outcome.REFUSED:
        why = code if code in Code.__members__ else ""
        return flow._replace(refused=why, receipt_incarnation=incarnation)
    return flow._replace(stored_at=issued_at, refused=None, receipt_incarnation=incarnation)


def signed(flow: Flow, incarnation: int, key_id: str) -> Flow:
    """Notes the key that signed an event or receipt of `incarnation` which the flow already includes."""
    highest = max(flow.spoken_in, flow.receipt_incarnation)
    return flow if incarnation < highest else flow._replace(key_id=key_id)


def is_automatic(event: Word) -> bool:
    """Whether a restored service wrote the event automatically, so that it meets no deadline: the first event of an
    incarnation above 1 always is such a one."""
    return isinstance(event, SealedEvent) and event.follows_incarnation < event.incarnation and event.incarnation > 1


def _with_status(flow: Flow, status: Status, place: Place, at: datetime) -> Flow:
    """The flow with this status, if its place is higher than that of the present one. Within one incarnation the first
    status that ends the referral stays, since an end is final."""
    if _rank(flow.status, flow.status_place) > _rank(status, place):
        return flow
    ended_at = (flow.ended_at or at) if status in ENDED else None
    return flow._replace(status=status, status_place=place, ended_at=ended_at)


def _rank(status: Status, place: Place) -> tuple[int, bool, int]:
    ended = status in ENDED
    return place.incarnation, ended, -place.sequence if ended else place.sequence


def _earlier(known_one: datetime | None, other: datetime) -> datetime:
    return other if known_one is None else min(known_one, other)


def _later(known_one: datetime | None, other: datetime) -> datetime:
    return other if known_one is None else max(known_one, other)
