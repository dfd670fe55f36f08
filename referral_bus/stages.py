"""Where a referral is: the stages that are told apart everywhere, who must act next, and until when. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from referral_bus.broker.protocols import SendFailure
from referral_bus.ledger.outbox import FINAL, OutboxState
from referral_bus.ledger.referrals import Referral
from schemas.deadlines import DEFAULT_LIMITS, Limits
from schemas.lifecycle import Side, Status
from schemas.outcomes import CODES, Code


class Stage(StrEnum):
    """stored (by the recipient's service) > handed over (to its system) > seen by staff > answered. These codes stand
    in the command line, in JSON, in metrics and in the monitor."""

    WAITING_FOR_KEY = "waiting-for-key"
    NOT_STORED = "not-stored"
    HELD = "held"
    UNDELIVERED = "undelivered"
    OTHER_SIDE_LEFT = "other-side-left"
    NOT_HANDED_OVER = "not-handed-over"
    NOT_SEEN = "not-seen"
    NOT_ANSWERED = "not-answered"
    IN_SERVICE = "in-service"
    ENDED = "ended"


class Actor(StrEnum):
    """Who must act next. An agency's operators run its service; `operators` alone are those of the bus."""

    NONE = "none"
    SENDER_SERVICE = "sender-service"
    RECIPIENT_SERVICE = "recipient-service"
    RECIPIENT_STAFF = "recipient-staff"
    SENDER_STAFF = "sender-staff"
    SENDER_OPERATORS = "sender-operators"
    RECIPIENT_OPERATORS = "recipient-operators"
    OPERATORS = "operators"


class Awaited(StrEnum):
    """What a deadline is for."""

    FIRST_WORD = "first-word"
    ANSWER = "answer"
    NEXT_WORD = "next-word"
    CANCELLATION = "word-on-cancellation"
    QUESTION = "answer-to-question"


STAGES: Mapping[Stage, str] = {
    Stage.WAITING_FOR_KEY: "waits at the sender until the recipient has announced a key to seal to",
    Stage.NOT_STORED: "sent or about to be sent; the recipient's service has not said that it is stored",
    Stage.HELD: "kept by the recipient's service, which cannot take it in yet",
    Stage.UNDELIVERED: "the recipient does not have it, and no further attempt is made",
    Stage.OTHER_SIDE_LEFT: "the recipient has left the register: its words count no more, and nothing reaches it",
    Stage.NOT_HANDED_OVER: "stored by the recipient's service, not handed over to the recipient's own system",
    Stage.NOT_SEEN: "in the recipient's own system; the staff have not said that they have seen it",
    Stage.NOT_ANSWERED: "seen by the recipient's staff, not accepted or rejected yet",
    Stage.IN_SERVICE: "accepted, and not ended yet",
    Stage.ENDED: "rejected, cancelled, completed or failed",
}
ACTORS: Mapping[Actor, str] = {
    Actor.NONE: "nothing is left to do",
    Actor.SENDER_SERVICE: "the sender's service, by itself once it runs",
    Actor.RECIPIENT_SERVICE: "the recipient's service, by itself once it runs",
    Actor.RECIPIENT_STAFF: "people at the recipient",
    Actor.SENDER_STAFF: "people at the sender",
    Actor.SENDER_OPERATORS: "those who run the sender's service",
    Actor.RECIPIENT_OPERATORS: "those who run the recipient's service",
    Actor.OPERATORS: "the operators of the bus",
}
STAFF: Mapping[Side, Actor] = {Side.SENDER: Actor.SENDER_STAFF, Side.RECIPIENT: Actor.RECIPIENT_STAFF}
RUN_BY: Mapping[Side, Actor] = {Side.SENDER: Actor.SENDER_OPERATORS, Side.RECIPIENT: Actor.RECIPIENT_OPERATORS}


class OwnService(StrEnum):
    """How the service of the agency that looks does. What it has not heard, the agency cannot know."""

    WORKS = "works"
    STOPPED = "stopped"
    CUT_OFF = "cut-off"  # it runs, and does not reach Kafka or its own inbox


@dataclass(frozen=True, slots=True)
class Standing:
    """`due` is None where no deadline runs, and `due_for` says what must have come by then; `asked` tells what else
    waits for a person; `code` why it does not go on by itself: what was refused, held, or could not be handed over;
    `send_failure` why something of ours about it does not get into Kafka; `other_left` that the other side has left the
    register."""

    stage: Stage
    actor: Actor
    due: datetime | None
    asked: Literal["cancellation", "question"] | None
    code: Code | None = None
    send_failure: SendFailure | None = None
    other_left: bool = False
    due_for: Awaited | None = None

    def overdue(self, now: datetime) -> bool:
        return self.due is not None and self.due < now


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a referral has come, as far as this side knows. `delivery` is that of the event which started a referral
    of ours, None at the recipient; `code` why it was refused or is held; `blocked` that an event of it is a dead
    letter here; `in_kafka` whether Kafka has the event that started it, `send_failure` why something of ours about it
    does not get there; `gave_up` that the recipient has announced failed hand-overs;
    `other_left` that the other side has left the register."""

    delivery: OutboxState | None
    handed_over: bool
    code: Code | None = None
    blocked: bool = False
    in_kafka: bool = True
    send_failure: SendFailure | None = None
    gave_up: bool = False
    other_left: bool = False


def standing(referral: Referral, progress: Progress, limits: Limits = DEFAULT_LIMITS) -> Standing:
    """`stage_queries` counts by the same rules in SQL."""
    if not referral.open:
        return Standing(Stage.ENDED, Actor.NONE, None, None)
    due, due_for = min(_deadlines(referral, limits))
    return replace(_open(referral, progress, due), due_for=due_for)


def _open(referral: Referral, progress: Progress, due: datetime) -> Standing:
    left = progress.other_left
    undelivered = referral.acknowledged_at is None and progress.delivery not in (None, OutboxState.STORED)
    if left and referral.side is Side.SENDER and not (undelivered and progress.delivery in FINAL):
        return Standing(Stage.OTHER_SIDE_LEFT, Actor.SENDER_STAFF, due, None, other_left=True)
    if undelivered:
        code = progress.code if progress.delivery in _CODED else None
        return Standing(*_undelivered(progress), due, None, code, progress.send_failure, left)
    stage, actor = _delivered(referral, progress)
    failed = progress.blocked or (progress.gave_up and stage is Stage.NOT_HANDED_OVER)
    code, failure = Code.HANDOVER_EXHAUSTED if failed else None, progress.send_failure
    if referral.cancel_requested_at is not None:
        return Standing(stage, Actor.RECIPIENT_STAFF, due, "cancellation", code, failure, left)
    if referral.question_asked_at is not None and not left:
        return Standing(stage, Actor.SENDER_STAFF, due, "question", code, failure)
    return Standing(stage, actor, due, None, code, failure, left)


def seen_with(standing: Standing, side: Side, service: OwnService) -> Standing:
    """The same, where the service of the agency that looks, on this side, is stopped or cut off: then nothing comes in
    or leaves, and only what its own staff can do is still theirs."""
    if service is OwnService.WORKS or standing.actor in (Actor.NONE, STAFF[side]):
        return standing
    return replace(standing, actor=RUN_BY[side] if service is OwnService.STOPPED else Actor.OPERATORS)


_CODED = (OutboxState.HELD, OutboxState.REFUSED)  # the code of any other state is of an earlier one


def _deadlines(referral: Referral, limits: Limits) -> Iterator[tuple[datetime, Awaited]]:
    """The first word, then the answer, then a sign of life; and what was asked besides."""
    if referral.answered_at is not None:
        yield referral.changed_at + limits.idle, Awaited.NEXT_WORD
    elif referral.acknowledged_at is not None:
        yield referral.respond_by, Awaited.ANSWER
    else:
        yield referral.acknowledge_by, Awaited.FIRST_WORD
    if referral.cancel_requested_at is not None:
        yield referral.cancel_requested_at + limits.unanswered, Awaited.CANCELLATION
    if referral.question_asked_at is not None:
        yield referral.question_asked_at + limits.unanswered, Awaited.QUESTION


def _undelivered(progress: Progress) -> tuple[Stage, Actor]:
    code, delivery = progress.code, progress.delivery
    if delivery in FINAL:
        operators = code is not None and CODES[code].who_acts == "operators"
        return Stage.UNDELIVERED, Actor.OPERATORS if operators else Actor.SENDER_STAFF
    if delivery is OutboxState.HELD:
        by_itself = code is not None and CODES[code].who_acts == "by itself"
        return Stage.HELD, Actor.RECIPIENT_SERVICE if by_itself else Actor.RECIPIENT_STAFF
    if delivery is OutboxState.WAITING_FOR_KEY:
        return Stage.WAITING_FOR_KEY, Actor.RECIPIENT_SERVICE
    if progress.send_failure is not None:
        return Stage.NOT_STORED, Actor.OPERATORS
    waits_here = delivery is OutboxState.NEW or not progress.in_kafka
    return Stage.NOT_STORED, Actor.SENDER_SERVICE if waits_here else Actor.RECIPIENT_SERVICE


def _delivered(referral: Referral, progress: Progress) -> tuple[Stage, Actor]:
    if referral.answered_at is not None:
        return Stage.IN_SERVICE, Actor.RECIPIENT_STAFF
    if referral.status is not Status.REQUESTED or referral.acknowledged_at is not None:
        return Stage.NOT_ANSWERED, Actor.RECIPIENT_STAFF
    if progress.handed_over:
        return Stage.NOT_SEEN, Actor.RECIPIENT_STAFF
    failed = progress.blocked or progress.gave_up
    return Stage.NOT_HANDED_OVER, Actor.RECIPIENT_STAFF if failed else Actor.RECIPIENT_SERVICE
