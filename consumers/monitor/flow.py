"""One referral as an observer knows it: facts gathered from authentic records, in whatever order they come. Pure.

An answer may be read before its referral, because they stand in different topics; so nothing here needs an order, and
a referral of which only answers were read yet is known as far as they tell.
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
    """With the recipient: whoever else speaks about somebody's referral speaks about one of his own invention."""

    sender: str
    referral_id: UUID
    recipient: str


class Flow(NamedTuple):
    """Times are those at which the monitor heard it, unless they are said to be another's. A tuple, because a changed
    copy of one costs a fifth of that of a dataclass, and every event makes one.

    A recipient whose ledger was restored goes on under a higher incarnation with what it still knows. So its events and
    receipts of the highest incarnation say where a referral is; what was said under a lower one is history."""

    number: int
    key: FlowKey
    agreed: bool  # whether an agreement stands behind it
    priority: str | None = None  # None while the referral itself was not read
    acknowledge_by: datetime | None = None  # the sender's clock
    respond_by: datetime | None = None
    started_at: datetime | None = None
    status: Status = Status.REQUESTED
    status_place: Place = NOWHERE  # of the recipient's event that said it
    spoken_in: int = 0  # the highest incarnation in which the recipient has said anything
    acted_in: int = 0  # the same, of words of people; what a restored service says by itself is none
    stored_at: datetime | None = None  # the recipient's clock, as its hand-overs are
    refused: str | None = None  # by which code the recipient refused the referral itself
    receipt_incarnation: int = 0
    acknowledged_at: datetime | None = None  # the first time, whatever was lost since
    ended_at: datetime | None = None
    last_at: datetime | None = None  # of the newest word, when it was written
    key_id: str | None = None  # the recipient's signing key of what it said under its highest incarnation

    @property
    def undelivered(self) -> bool:
        """Whether the recipient has refused the referral itself, and has not spoken about it under that incarnation."""
        return self.refused is not None and self.spoken_in < self.receipt_incarnation

    @property
    def open(self) -> bool:
        """Whether it waits for the recipient. An undelivered one waits for its sender alone."""
        return self.agreed and self.status not in ENDED and not self.undelivered


def started(flow: Flow, event: ReferralEvent, at: datetime, agreed: bool) -> Flow:
    """With the referral itself, which comes once: a second one under the same id changes nothing."""
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
    """With a word of the recipient, which is also proof that it has stored the referral."""
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
    """With a word of the sender, which changes nothing but that there is some news."""
    return flow._replace(last_at=_later(flow.last_at, min(event.occurred_at, at)))


def receipted(flow: Flow, outcome: str, code: str | None, incarnation: int, issued_at: datetime) -> Flow:
    """With its recipient's final word on whether it is stored: that of the highest incarnation, and within one the
    first."""
    if outcome not in FINAL_OUTCOMES or incarnation <= flow.receipt_incarnation:
        return flow
    if outcome == Outcome.REFUSED:
        why = code if code in Code.__members__ else ""
        return flow._replace(refused=why, receipt_incarnation=incarnation)
    return flow._replace(stored_at=issued_at, refused=None, receipt_incarnation=incarnation)


def signed(flow: Flow, incarnation: int, key_id: str) -> Flow:
    """With the recipient's word under this incarnation already in it: notes the key that signed it."""
    highest = max(flow.spoken_in, flow.receipt_incarnation)
    return flow if incarnation < highest else flow._replace(key_id=key_id)


def is_automatic(event: Word) -> bool:
    """The first event of an incarnation above 1 is written by a restored service by itself, and meets no deadline."""
    return isinstance(event, SealedEvent) and event.follows_incarnation < event.incarnation and event.incarnation > 1


def _with_status(flow: Flow, status: Status, place: Place, at: datetime) -> Flow:
    """The highest place wins; but within an incarnation the first end stands, since an end is final."""
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
