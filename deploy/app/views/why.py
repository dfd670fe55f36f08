"""The sentence of `why`: where a referral is, who must act, and how long is left."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from deploy.app.agency_client import Case
from deploy.app.output import local_time
from producers.verbs import anew
from referral_bus.broker.protocols import SendFailure
from referral_bus.broker.send_failures import SEND_FAILURES, said_of
from referral_bus.federation.register import Register
from referral_bus.silence import Presence
from referral_bus.stages import Actor, Awaited, OwnService, Stage, Standing
from schemas.lifecycle import Side
from schemas.outcomes import Code

_WHERE = {
    Stage.WAITING_FOR_KEY: "waits here until {recipient} has announced a key to seal to",
    Stage.NOT_STORED: "is on its way: {recipient}'s service has not said yet that it is stored",
    Stage.HELD: "is held by {recipient}'s service ({code}) and is taken in once that is mended",
    Stage.UNDELIVERED: "was refused by {recipient}'s service ({code})",
    Stage.OTHER_SIDE_LEFT: "went to {recipient}, which has left the register, so that nothing it says counts; {anew}",
    Stage.NOT_HANDED_OVER: "is stored by {recipient}'s service, not yet handed over to its system",
    Stage.NOT_SEEN: "has reached {recipient}; its staff have not said that they have seen it",
    Stage.NOT_ANSWERED: "has been seen at {recipient}, and is not answered yet",
    Stage.IN_SERVICE: "is {status} at {recipient}",
    Stage.ENDED: "has ended: {status}",
}
_NEVER = "cannot be delivered any more: consent has expired, or {recipient} has left or erased it"
STOPPED = "our own service is not running, so nothing leaves or comes in; start it with `referral-bus agency run`"
CUT_OFF = "our own service does not reach Kafka or its inbox there, so nothing leaves or comes in"
_BLOCKED = "; its hand-over here has failed for good ({code}), retry or discard the dead letter"
_BLOCKED_THERE = "; hand-overs there have failed for good, and the staff must look at the dead letters"
_NEVER_LEFT = "cannot be delivered any more, because {recipient} has left the register; {anew}"
_SENDER_LEFT = "{sender} has left the register, so that it hears nothing of this any more"
_ASKED = {
    "cancellation": ": the sender asks to cancel it, confirm or refuse",
    "question": ": a question waits for an answer",
    None: "",
}
_AWAITED = {
    Awaited.FIRST_WORD: "the first word",
    Awaited.ANSWER: "the answer",
    Awaited.NEXT_WORD: "the next word",
    Awaited.CANCELLATION: "the word on the cancellation",
    Awaited.QUESTION: "the answer to the question",
}


def why(case: Case, register: Register, us: str, now: datetime, zone: str) -> str:
    """The sentence about `case` at `now`. `us`: our agency's code. `zone`: time zone of the times in it."""
    referral, standing = case.referral, case.standing
    recipient = us if referral.side is Side.RECIPIENT else referral.peer
    sender = referral.key.sender
    where = _where(standing, referral.side)
    what_to_do = anew(register, recipient)
    said = where.format(recipient=recipient, status=referral.status, code=standing.code, anew=what_to_do)
    sentence = f"Referral {str(referral.key.referral_id)[:8]} from {sender} {said}"
    known = "".join(f"; {trouble}" for trouble in troubles(case))
    return f"{sentence}{known}{_act(case, sender, recipient, us, register, zone)}{_left(standing, now, zone)}."


def _where(standing: Standing, side: Side) -> str:
    if standing.stage is Stage.UNDELIVERED and standing.code is None:
        return _NEVER_LEFT if standing.other_left else _NEVER
    if standing.code is Code.HANDOVER_EXHAUSTED:
        return _WHERE[standing.stage] + (_BLOCKED if side is Side.RECIPIENT else _BLOCKED_THERE)
    return _WHERE[standing.stage]


def troubles(case: Case) -> Iterator[str]:
    """What keeps events about a referral from leaving or coming in, as phrases."""
    if case.standing.stage is not Stage.ENDED or case.standing.send_failure is not None:
        yield from hindrances(case.own_service, case.standing.send_failure, case.referral.peer)
    if case.standing.other_left and case.referral.side is Side.RECIPIENT:
        yield _SENDER_LEFT.format(sender=case.referral.peer)


def hindrances(service: OwnService, failure: SendFailure | None, peer: str) -> Iterator[str]:
    """What keeps events from leaving to `peer` or coming in: the state of our own service, and the failure to send."""
    if service is not OwnService.WORKS:
        yield STOPPED if service is OwnService.STOPPED else CUT_OFF
    if failure is not None:
        said, advice = said_of(failure, peer), SEND_FAILURES[failure].advice
        yield f"what we say of it cannot be sent: {said}; the operators of the bus: {advice}"


def _act(case: Case, sender: str, recipient: str, us: str, register: Register, zone: str) -> str:
    """The end of the sentence: who must act, the contact to call there, and since when that agency is silent."""
    standing = case.standing
    who: dict[Actor, str] = {
        Actor.NONE: "",
        Actor.SENDER_SERVICE: f"the service of {sender}, by itself",
        Actor.RECIPIENT_SERVICE: f"the service of {recipient}, by itself once it runs",
        Actor.RECIPIENT_STAFF: _people("staff", recipient, us),
        Actor.SENDER_STAFF: _people("staff", sender, us),
        Actor.SENDER_OPERATORS: _people("operators", sender, us),
        Actor.RECIPIENT_OPERATORS: _people("operators", recipient, us),
        Actor.OPERATORS: "the operators of the bus",
    }
    if standing.actor == Actor.NONE:
        return "; nothing is left to do"
    act = f"; next must act {who[standing.actor]}{_ASKED[standing.asked]}"
    agency = recipient if standing.actor.startswith("recipient") else sender
    if agency == us or standing.actor == Actor.OPERATORS:
        return act
    return f"{act}{_contact(register, agency)}{_silence(case.other, zone)}"


def _people(who: str, agency: str, us: str) -> str:
    return f"our {who}" if agency == us else f"the {who} of {agency}"


def _silence(other: Presence | None, zone: str) -> str:
    if other is None or not other.silent:
        return ""
    since = f"since {local_time(other.heard_at, zone)}" if other.heard_at else "yet"
    return f"; nothing was heard of {other.agency.code} {since}"


def _contact(register: Register, code: str) -> str:
    agency = register.agency(code)
    if agency is None or not agency.contacts:
        return ""
    contact = agency.contacts[0]
    return f" ({contact.function}, {contact.mailbox}, {contact.hours})"


def _left(standing: Standing, now: datetime, zone: str) -> str:
    if standing.due is None or standing.due_for is None:
        return ""
    awaited, shown = _AWAITED[standing.due_for], local_time(standing.due, zone)
    if standing.overdue(now):
        return f"; {awaited} is overdue by {_span(now - standing.due)}, since {shown}"
    return f"; {_span(standing.due - now)} left for {awaited}, until {shown}"


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "less than a second"
