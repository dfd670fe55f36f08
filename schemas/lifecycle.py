"""Who may do what to a referral. The recipient is the one arbiter: a referral's status is the fold of the recipient's
events, in order, and of nothing else. The sender asks, the recipient's service or people answer, so that two sides
cannot end in different states.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Status(StrEnum):
    """FHIR Task statuses that a referral goes through."""

    REQUESTED = "requested"
    RECEIVED = "received"  # seen by staff: a person, not the service
    ACCEPTED = "accepted"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    REJECTED = "rejected"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"


class Side(StrEnum):
    SENDER = "sender"
    RECIPIENT = "recipient"


class ErasureKind(StrEnum):
    """What an ErasureEvent says."""

    REQUESTED = "requested"  # erase your side
    ERASED = "erased"  # our service has, by itself
    CONFIRMED = "confirmed"  # our own system has acknowledged


class ErasureReason(StrEnum):
    """Why a referral is erased. In clear: whoever erases must be believed without opening anything."""

    WITHDRAWN = "withdrawn"
    ENTERED_IN_ERROR = "entered-in-error"
    RETENTION = "retention"


S = Status
OPEN = frozenset({S.REQUESTED, S.RECEIVED, S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD})
ENDED = frozenset(Status) - OPEN
ANSWERED = ENDED | {S.ACCEPTED}  # what meets respond_by
PAST_ANSWER = ANSWERED | {S.IN_PROGRESS, S.ON_HOLD}  # what can only be said after an answer

Need = Literal["outcome", "outcome_reason", "text", "business_status"]

APPOINTED = "appointment-scheduled"
NOTES = frozenset({APPOINTED, "no-show", "appointment-cancelled", "waitlisted", "contact-attempted"})
NOT_PROVIDED = "not-provided"  # the one outcome that needs a reason
CANCELLATION_REQUESTED = "cancellation-requested"


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the life cycle. `to` is None where the status stays as it is. `business_status` is what the sealed
    part then says; `after_cancel_request` limits it to referrals whose sender has asked for cancellation."""

    verb: str
    by: Side
    source: frozenset[Status]
    to: Status | None
    needs: tuple[Need, ...] = ()
    business_status: str | None = None
    after_cancel_request: bool = False
    help: str = ""


_R, _S = Side.RECIPIENT, Side.SENDER

MOVES: tuple[Move, ...] = (
    Move("see", _R, frozenset({S.REQUESTED}), S.RECEIVED, help="A person has seen it."),
    Move("accept", _R, frozenset({S.REQUESTED, S.RECEIVED}), S.ACCEPTED, help="We take it on."),
    Move(
        "reject",
        _R,
        frozenset({S.REQUESTED, S.RECEIVED, S.ACCEPTED}),
        S.REJECTED,
        ("outcome_reason",),
        help="We do not take it on, and say why.",
    ),
    Move("start", _R, frozenset({S.ACCEPTED}), S.IN_PROGRESS, help="The service has begun."),
    Move("hold", _R, frozenset({S.IN_PROGRESS}), S.ON_HOLD, ("text",), help="The service rests, and why."),
    Move("resume", _R, frozenset({S.ON_HOLD}), S.IN_PROGRESS, help="The service goes on."),
    Move(
        "complete",
        _R,
        frozenset({S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD}),
        S.COMPLETED,
        ("outcome",),
        help="The service has ended, with its outcome.",
    ),
    Move(
        "fail",
        _R,
        frozenset({S.IN_PROGRESS, S.ON_HOLD}),
        S.FAILED,
        ("outcome_reason",),
        help="The service could not be given, and why.",
    ),
    Move("note", _R, OPEN, None, ("business_status",), help="An appointment, a no-show, a waiting list, an attempt."),
    Move("ask", _R, OPEN, None, ("text",), "information-requested", help="Ask the sender for information."),
    Move("answer", _S, OPEN, None, ("text",), "information-provided", help="Answer the recipient's question."),
    Move("cancel", _S, OPEN, None, (), CANCELLATION_REQUESTED, help="Ask the recipient to cancel."),
    Move(
        "confirm-cancel",
        _R,
        OPEN,
        S.CANCELLED,
        after_cancel_request=True,
        help="Cancel, as the sender has asked.",
    ),
    Move(
        "refuse-cancel",
        _R,
        OPEN,
        None,
        ("text",),
        "cancellation-refused",
        after_cancel_request=True,
        help="Go on in spite of the sender's request, and say why.",
    ),
)

MOVE_BY_VERB = {move.verb: move for move in MOVES}

STATUS_STEPS: dict[Status, frozenset[Status]] = {
    source: frozenset(
        {move.to for move in MOVES if source in move.source and move.to is not None and not move.after_cancel_request}
        | {S.CANCELLED, S.ENTERED_IN_ERROR}
    )
    for source in OPEN
}
"""Where an open referral's status may go in one step, as the other side judges it: status to status, and cancelled or
entered-in-error from any open one, never what went before."""


@dataclass(frozen=True, slots=True)
class Illegal:
    """Why a move is not allowed; `now` is the status it met, None when it is the wrong side that tries."""

    verb: str
    now: Status | None
    why: Literal["wrong_side", "wrong_status", "no_cancel_request"]


def judge(move: Move, side: Side, status: Status, cancel_requested: bool) -> Status | Illegal:
    """The status after the move, at the mover's own side, or why not."""
    if side is not move.by:
        return Illegal(move.verb, None, "wrong_side")
    if status not in move.source:
        return Illegal(move.verb, status, "wrong_status")
    if move.after_cancel_request and not cancel_requested:
        return Illegal(move.verb, status, "no_cancel_request")
    return move.to or status


def may_follow(before: Status, after: Status) -> bool:
    """Whether the sender's service takes this step of the recipient's: the same status again, or one legal step."""
    return after == before or after in STATUS_STEPS.get(before, frozenset())


def fold(steps: Iterable[Status]) -> Status:
    """The status of a referral from the recipient's statuses in order; illegal steps change nothing."""
    status = Status.REQUESTED
    for step in steps:
        if may_follow(status, step):
            status = step
    return status


def erased_as(status: Status | None, reason: ErasureReason) -> Status:
    """The final status of an erased referral, as its recipient gives it: an end stays what it was."""
    if status in ENDED:
        return status
    return S.ENTERED_IN_ERROR if reason is ErasureReason.ENTERED_IN_ERROR else S.CANCELLED


def cancels_by_itself(status: Status) -> bool:
    """Whether the recipient's service answers a cancellation request at once, since no person has taken it on."""
    return status in (S.REQUESTED, S.RECEIVED)
