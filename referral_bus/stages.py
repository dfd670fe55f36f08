"""The stage of a referral, who must act next, and by when. Pure functions."""

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
    """How far a referral has come: stored by the recipient's service, handed over to the recipient's own system, seen
    by its staff, answered, ended. The command line, JSON output, metrics and the monitor use these codes."""

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
    """Who must act next. The sender's and the recipient's operators run their services; `OPERATORS` run the bus."""

    NONE = "none"
    SENDER_SERVICE = "sender-service"
    RECIPIENT_SERVICE = "recipient-service"
    RECIPIENT_STAFF = "recipient-staff"
    SENDER_STAFF = "sender-staff"
    SENDER_OPERATORS = "sender-operators"
    RECIPIENT_OPERATORS = "recipient-operators"
    OPERATORS = "operators"


class Awaited(StrEnum):
    """The event that must come by a deadline."""

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
    """The state of the service at the agency that asks. While it is not at work, the agency's ledger lacks what others
    have sent since."""

    WORKS = "works"
    STOPPED = "stopped"
    CUT_OFF = "cut-off"  # it runs, but does not reach Kafka or its own inbox


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a referral is, and who must act. `due` is the deadline, None where none runs, and `due_for` the event that
    must come by then. `asked` is a request that waits for an answer of the staff. `code` says why the referral was
    refused, is held, or could not be handed over. `send_failure` says why Kafka does not take an event of ours about
    it. `other_left` tells that the other side has left the register."""

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
    """What this side knows of a referral's delivery. `delivery` is the outbox state of the event that started it, None
    at the recipient; `code` why that event was refused or is held; `in_kafka` whether Kafka has it. `handed_over` tells
    whether the recipient's service has handed it over, `gave_up` that the recipient has announced failed hand-overs,
    `blocked` that an event of the referral is a dead letter here. `send_failure` says why Kafka does not take an event
    of ours about the referral. `other_left` tells that the other side has left the register."""

    delivery: OutboxState | None
    handed_over: bool
    code: Code | None = None
    blocked: bool = False
    in_kafka: bool = True
    send_failure: SendFailure | None = None
    gave_up: bool = False
    other_left: bool = False


def standing(referral: Referral, progress: Progress, limits: Limits = DEFAULT_LIMITS) -> Standing:
    """Where the referral stands. `stage_queries` has the same rules in SQL: change both together."""
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
    """The standing as the agency on `side` must see it while its own service is stopped or cut off. Nothing comes in or
    leaves then, so the operators of that service, or of the bus, must act first, unless it is the turn of the agency's
    own staff."""
    if service is OwnService.WORKS or standing.actor in (Actor.NONE, STAFF[side]):
        return standing
    return replace(standing, actor=RUN_BY[side] if service is OwnService.STOPPED else Actor.OPERATORS)


_CODED = (OutboxState.HELD, OutboxState.REFUSED)  # in any other state the row's code is left from an earlier one


def _deadlines(referral: Referral, limits: Limits) -> Iterator[tuple[datetime, Awaited]]:
    """The deadlines that run: for the recipient's first event, then for its answer, then for a further event; and for
    the answer to a cancellation request or a question."""
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
