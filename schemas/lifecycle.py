"""Which side may do what to a referral. Only the recipient's events change its status: the status is the fold of those
events in their order. The sender asks, and the recipient's service or staff answer, so that the two sides cannot end
in different states.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Status(StrEnum):
    """FHIR Task statuses that a referral goes through."""

    REQUESTED = "requested"
    RECEIVED = "received"  # a member of staff has seen it; the service alone does not set this
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

    REQUESTED = "requested"  # the writer asks the addressee to erase, too
    ERASED = "erased"  # the writer's service has erased in its ledger
    CONFIRMED = "confirmed"  # the writer's own system has acknowledged the erasure


class ErasureReason(StrEnum):
    """Why a referral is erased. It travels in clear, so that a service can act on an erasure whose referral it cannot
    open."""

    WITHDRAWN = "withdrawn"
    ENTERED_IN_ERROR = "entered-in-error"
    RETENTION = "retention"


S = Status
OPEN = frozenset({S.REQUESTED, S.RECEIVED, S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD})
ENDED = frozenset(Status) - OPEN
ANSWERED = ENDED | {S.ACCEPTED}  # these meet respond_by
PAST_ANSWER = ANSWERED | {S.IN_PROGRESS, S.ON_HOLD}  # a referral with one of these has been answered

Need = Literal["outcome", "outcome_reason", "text", "business_status"]

APPOINTED = "appointment-scheduled"
NOTES = frozenset({APPOINTED, "no-show", "appointment-cancelled", "waitlisted", "contact-attempted"})
NOT_PROVIDED = "not-provided"  # the one outcome that needs a reason
CANCELLATION_REQUESTED = "cancellation-requested"


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the life cycle: the side `by` may do `verb` to a referral whose status is in `source`. `to` is None
    where the status stays as it is. `needs` names the fields of the sealed part that the verb has to fill,
    `business_status` is the value that it puts there. With `after_cancel_request` the sender must have asked for
    cancellation before."""

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
    Move("see", _R, frozenset({S.REQUESTED}), S.RECEIVED, help="Record that a member of staff has seen it."),
    Move("accept", _R, frozenset({S.REQUESTED, S.RECEIVED}), S.ACCEPTED, help="Take it on."),
    Move(
        "reject",
        _R,
        frozenset({S.REQUESTED, S.RECEIVED, S.ACCEPTED}),
        S.REJECTED,
        ("outcome_reason",),
        help="Do not take it on, and say why.",
    ),
    Move("start", _R, frozenset({S.ACCEPTED}), S.IN_PROGRESS, help="Record that the service has begun."),
    Move("hold", _R, frozenset({S.IN_PROGRESS}), S.ON_HOLD, ("text",), help="Pause the service, and say why."),
    Move("resume", _R, frozenset({S.ON_HOLD}), S.IN_PROGRESS, help="Go on with a paused service."),
    Move(
        "complete",
        _R,
        frozenset({S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD}),
        S.COMPLETED,
        ("outcome",),
        help="Record that the service has ended, with its outcome.",
    ),
    Move(
        "fail",
        _R,
        frozenset({S.IN_PROGRESS, S.ON_HOLD}),
        S.FAILED,
        ("outcome_reason",),
        help="Record that the service could not be given, and say why.",
    ),
    Move(
        "note",
        _R,
        OPEN,
        None,
        ("business_status",),
        help="Record an appointment, a no-show, a waiting list or an attempt to make contact.",
    ),
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
"""The statuses that one event of the recipient may give an open referral, by its present status, as the sender's
service judges it. That service does not know of cancellation requests under way: so every open status may become
cancelled or entered-in-error."""


@dataclass(frozen=True, slots=True)
class Illegal:
    """Why a move is not allowed. `now` is the referral's present status; None for a move of the wrong side."""

    verb: str
    now: Status | None
    why: Literal["wrong_side", "wrong_status", "no_cancel_request"]


def judge(move: Move, side: Side, status: Status, cancel_requested: bool) -> Status | Illegal:
    """The referral's status after the move in the ledger of the side that makes it, or why the move is not allowed.
    `status` is the status before, `cancel_requested` whether the sender has asked for cancellation."""
    if side is not move.by:
        return Illegal(move.verb, None, "wrong_side")
    if status not in move.source:
        return Illegal(move.verb, status, "wrong_status")
    if move.after_cancel_request and not cancel_requested:
        return Illegal(move.verb, status, "no_cancel_request")
    return move.to or status


def may_follow(before: Status, after: Status) -> bool:
    """Whether the sender's service accepts an event of the recipient that changes the status from `before` to `after`:
    the same status again, or one step of `STATUS_STEPS`."""
    return after == before or after in STATUS_STEPS.get(before, frozenset())


def fold(steps: Iterable[Status]) -> Status:
    """The status of a referral after the statuses of the recipient's events, in their order; a step that `may_follow`
    does not allow changes nothing."""
    status = Status.REQUESTED
    for step in steps:
        if may_follow(status, step):
            status = step
    return status


def erased_as(status: Status | None, reason: ErasureReason) -> Status:
    """The final status that the recipient gives a referral when it is erased: an ended one keeps its status. `status`
    is None where the recipient does not know the referral."""
    if status in ENDED:
        return status
    return S.ENTERED_IN_ERROR if reason is ErasureReason.ENTERED_IN_ERROR else S.CANCELLED


def cancels_by_itself(status: Status) -> bool:
    """Whether the recipient's service answers a cancellation request at once, because its staff have not accepted the
    referral yet."""
    return status in (S.REQUESTED, S.RECEIVED)
