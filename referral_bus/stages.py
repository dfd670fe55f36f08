"""Where a referral is: the stages that are told apart everywhere, who must act next, and until when. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.sending import FINAL, State
from schemas.deadlines import DEFAULT_LIMITS, Limits
from schemas.lifecycle import Status


class Stage(StrEnum):
    """stored (by the recipient's service) > handed over (to its system) > seen by staff > answered."""

    WAITING_FOR_KEY = "waiting for a key"
    NOT_STORED = "not stored yet"
    UNDELIVERED = "undelivered"
    NOT_HANDED_OVER = "stored, not handed over"
    NOT_SEEN = "handed over, not seen"
    NOT_ANSWERED = "seen, not answered"
    IN_SERVICE = "accepted"
    ENDED = "ended"


Actor = Literal["nobody", "sender's service", "recipient's service", "recipient's staff", "sender's staff"]


@dataclass(frozen=True, slots=True)
class Standing:
    """`due` is None where no deadline runs; `asked` tells what else waits for a person."""

    stage: Stage
    actor: Actor
    due: datetime | None
    asked: Literal["cancellation", "question"] | None

    def overdue(self, now: datetime) -> bool:
        return self.due is not None and self.due < now


def standing(
    referral: Referral, delivery: State | None, handed_over: bool, limits: Limits = DEFAULT_LIMITS
) -> Standing:
    """`delivery` is how far the event that started a referral of ours has come, None at the recipient; `handed_over`
    whether the recipient's system has it, as far as this side knows."""
    if not referral.open:
        return Standing(Stage.ENDED, "nobody", None, None)
    if referral.acknowledged_at is None and delivery not in (None, State.STORED):
        return _undelivered(referral, delivery)
    stage, actor, due = _delivered(referral, handed_over)
    if referral.cancel_requested_at is not None:
        due = _earliest(due, referral.cancel_requested_at + limits.unanswered)
        return Standing(stage, "recipient's staff", due, "cancellation")
    if referral.question_asked_at is not None:
        due = _earliest(due, referral.question_asked_at + limits.unanswered)
        return Standing(stage, "sender's staff", due, "question")
    return Standing(stage, actor, due or referral.changed_at + limits.idle, None)


def _earliest(due: datetime | None, other: datetime) -> datetime:
    return other if due is None else min(due, other)


def _undelivered(referral: Referral, delivery: State | None) -> Standing:
    if delivery in FINAL:
        return Standing(Stage.UNDELIVERED, "sender's staff", referral.acknowledge_by, None)
    stage = Stage.WAITING_FOR_KEY if delivery is State.WAITING_FOR_KEY else Stage.NOT_STORED
    actor: Actor = "sender's service" if delivery is State.NEW else "recipient's service"
    return Standing(stage, actor, referral.acknowledge_by, None)


def _delivered(referral: Referral, handed_over: bool) -> tuple[Stage, Actor, datetime | None]:
    if referral.answered_at is not None:
        return Stage.IN_SERVICE, "recipient's staff", None
    if referral.status is not Status.REQUESTED or referral.acknowledged_at is not None:
        return Stage.NOT_ANSWERED, "recipient's staff", referral.respond_by
    if handed_over:
        return Stage.NOT_SEEN, "recipient's staff", referral.acknowledge_by
    return Stage.NOT_HANDED_OVER, "recipient's service", referral.acknowledge_by
