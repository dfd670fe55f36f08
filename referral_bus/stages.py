"""Where a referral is: the stages that are told apart everywhere, who must act next, and until when. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.sending import FINAL, State
from schemas.deadlines import DEFAULT_LIMITS, Limits
from schemas.lifecycle import Status
from schemas.outcomes import CODES, Code


class Stage(StrEnum):
    """stored (by the recipient's service) > handed over (to its system) > seen by staff > answered."""

    WAITING_FOR_KEY = "waiting for a key"
    NOT_STORED = "not stored yet"
    HELD = "held by the recipient"
    UNDELIVERED = "undelivered"
    NOT_HANDED_OVER = "stored, not handed over"
    NOT_SEEN = "handed over, not seen"
    NOT_ANSWERED = "seen, not answered"
    IN_SERVICE = "accepted"
    ENDED = "ended"

    @property
    def slug(self) -> str:
        """For metrics: one word."""
        return self.name.lower()


Actor = Literal["nobody", "sender's service", "recipient's service", "recipient's staff", "sender's staff", "operators"]


@dataclass(frozen=True, slots=True)
class Standing:
    """`due` is None where no deadline runs; `asked` tells what else waits for a person; `code` why it does not go on by
    itself: what was refused, held, or could not be handed over."""

    stage: Stage
    actor: Actor
    due: datetime | None
    asked: Literal["cancellation", "question"] | None
    code: Code | None = None

    def overdue(self, now: datetime) -> bool:
        return self.due is not None and self.due < now


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a referral has come, as far as this side knows. `delivery` is that of the event which started a referral
    of ours, None at the recipient; `code` why it was refused or is held; `blocked` that an event of it is a dead
    letter here."""

    delivery: State | None
    handed_over: bool
    code: Code | None = None
    blocked: bool = False


def standing(referral: Referral, progress: Progress, limits: Limits = DEFAULT_LIMITS) -> Standing:
    """`standings` counts by the same rules in SQL."""
    if not referral.open:
        return Standing(Stage.ENDED, "nobody", None, None)
    due = min(_deadlines(referral, limits))
    if referral.acknowledged_at is None and progress.delivery not in (None, State.STORED):
        return Standing(*_undelivered(progress), due, None, progress.code if progress.delivery in _CODED else None)
    stage, actor = _delivered(referral, progress)
    code = Code.HANDOVER_EXHAUSTED if progress.blocked else None
    if referral.cancel_requested_at is not None:
        return Standing(stage, "recipient's staff", due, "cancellation", code)
    if referral.question_asked_at is not None:
        return Standing(stage, "sender's staff", due, "question", code)
    return Standing(stage, actor, due, None, code)


_CODED = (State.HELD, State.REFUSED)  # the code of any other state is of an earlier one


def _deadlines(referral: Referral, limits: Limits) -> Iterator[datetime]:
    """The first word, then the answer, then a sign of life; and what was asked besides."""
    if referral.answered_at is not None:
        yield referral.changed_at + limits.idle
    elif referral.acknowledged_at is not None:
        yield referral.respond_by
    else:
        yield referral.acknowledge_by
    for asked_at in (referral.cancel_requested_at, referral.question_asked_at):
        if asked_at is not None:
            yield asked_at + limits.unanswered


def _undelivered(progress: Progress) -> tuple[Stage, Actor]:
    code, delivery = progress.code, progress.delivery
    if delivery in FINAL:
        operators = code is not None and CODES[code].who_acts == "operators"
        return Stage.UNDELIVERED, "operators" if operators else "sender's staff"
    if delivery is State.HELD:
        by_itself = code is not None and CODES[code].who_acts == "by itself"
        return Stage.HELD, "recipient's service" if by_itself else "recipient's staff"
    if delivery is State.WAITING_FOR_KEY:
        return Stage.WAITING_FOR_KEY, "recipient's service"
    return Stage.NOT_STORED, "sender's service" if delivery is State.NEW else "recipient's service"


def _delivered(referral: Referral, progress: Progress) -> tuple[Stage, Actor]:
    if referral.answered_at is not None:
        return Stage.IN_SERVICE, "recipient's staff"
    if referral.status is not Status.REQUESTED or referral.acknowledged_at is not None:
        return Stage.NOT_ANSWERED, "recipient's staff"
    if progress.handed_over:
        return Stage.NOT_SEEN, "recipient's staff"
    return Stage.NOT_HANDED_OVER, "recipient's staff" if progress.blocked else "recipient's service"
