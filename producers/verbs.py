"""The verbs: what a person, or an agency's own system, says about a referral. Each is checked here before it is
written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from producers.plausibility import implausible_word
from producers.refusals import refused, unknown_code_refusals
from referral_bus.errors import Reason, Refused, refused_together
from referral_bus.federation.register import Register
from referral_bus.ledger import idempotency, referrals, repeated_requests
from referral_bus.ledger.idempotency import about
from referral_bus.ledger.own_events import Writing, write_word
from referral_bus.ledger.queries import undelivered
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.resolve import the_referral
from referral_bus.ledger.store import Ledger, Tx
from schemas.code_lists import form_of, list_at
from schemas.lifecycle import MOVE_BY_VERB, MOVES, NOT_PROVIDED, NOTES, Illegal, Move, Side, Status, judge
from schemas.personal import StatusBody
from schemas.problems import problems
from schemas.text import tidy_all

SAID_SEVERAL_TIMES = frozenset({"note"})
"""Verbs whose repetition in the very same words is intended: two attempts to reach a person are two notes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The client that asks, `caller`, and its idempotency key if it gives one. Without a key the very same words count
    as a second try for ten minutes, unless `meant` is true, or the verb is one of `SAID_SEVERAL_TIMES`."""

    caller: str = "local"
    key: str | None = None
    meant: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A referral as it is after a verb. `again` is true where the call was a second try, so nothing new was written."""

    referral: Referral
    again: bool = False


def move(
    ledger: Ledger,
    verb: str,
    referral_id: str,
    detail: Mapping[str, Any],
    writing: Writing,
    local_ref: str | None = None,
    *,
    register: Register,
) -> Referral:
    """Says `verb` about a referral, durably, and returns the referral as it is after it. `referral_id` may be shortened
    to its first characters if they are unambiguous, and may name the sender too, as in `family-women/3f2a91`. `detail`:
    fields of a `StatusBody`. Raises `Refused`: unknown id, illegal move, missing, wrong or implausible detail; then
    nothing is written."""
    return move_once(ledger, verb, referral_id, detail, writing, local_ref, register=register).referral


def move_once(
    ledger: Ledger,
    verb: str,
    referral_id: str,
    detail: Mapping[str, Any],
    writing: Writing,
    local_ref: str | None = None,
    asked: Asked | None = None,
    *,
    register: Register,
) -> Moved:
    """As `move`; with `asked`, a second try of the same words writes nothing."""
    wanted = MOVE_BY_VERB[verb]
    with ledger.write() as tx:
        referral = the_referral(tx, referral_id)
        words = _words(verb, referral, detail, local_ref)
        if asked is not None and _said_before(tx, asked, words, referral, writing.now):
            return Moved(referral, again=True)
        status = _legal(tx, wanted, referral)
        if referral.side is Side.SENDER:
            _refuse_if_left(register, referral.peer, writing.now, verb)
        body = _body(wanted, tidy_all(detail), consent_over=referral.consent_expires_at <= writing.now)
        if implausible := list(implausible_word(body, register, writing.now)):
            raise refused_together(implausible)
        changed = write_word(tx, referral, status, body, writing)
        if local_ref is not None:
            referrals.set_local_ref(tx, referral.key, local_ref)
        if asked is not None:
            _remember(tx, asked, verb, words, referral, writing.now)
    return Moved(changed)


def _words(verb: str, referral: Referral, detail: Mapping[str, Any], local_ref: str | None) -> bytes:
    said = {name: value for name, value in detail.items() if value is not None}
    return json.dumps([verb, about(referral.key), said, local_ref], default=str, sort_keys=True).encode()


def _said_before(tx: Tx, asked: Asked, words: bytes, referral: Referral, now: datetime) -> bool:
    """Whether these words are a second try: they were said under the same key, or, without a key, within the last ten
    minutes, and neither side has said anything about the referral since. So in hold, resume, hold the third is no
    second try of the first. *Since* is judged by the order in the ledger, as the other side's clock may be behind."""
    if asked.key is not None:
        return idempotency.recall(tx, asked.caller, asked.key, words, "idempotency_key") is not None
    earlier = {} if asked.meant else repeated_requests.recall(tx, asked.caller, words, now)
    return any(each.number == repeated_requests.newest_event(tx, referral.key) for each in earlier.values())


def _remember(tx: Tx, asked: Asked, verb: str, words: bytes, referral: Referral, now: datetime) -> None:
    if asked.key is not None:
        idempotency.remember(tx, asked.caller, asked.key, words, about(referral.key), now)
    elif verb not in SAID_SEVERAL_TIMES:
        repeated_requests.remember(tx, asked.caller, words, {0: referral.key}, now)


def _legal(tx: Tx, wanted: Move, referral: Referral) -> Status:
    result = judge(wanted, referral.side, referral.status, referral.cancel_requested_at is not None)
    if isinstance(result, Illegal):
        advice = {
            "wrong_side": f"only the {wanted.by} of a referral can {wanted.verb} it",
            "wrong_status": f"a referral that is {referral.status} allows no {wanted.verb}{_allowed(referral)}",
            "no_cancel_request": "its sender has not asked for cancellation",
        }
        raise Refused(Reason.TRANSITION_REFUSED, advice[result.why], wanted.verb)
    if referral.side is Side.SENDER and undelivered(tx, referral.key):
        raise Refused(Reason.TRANSITION_REFUSED, "the recipient has refused this referral; see `why`", wanted.verb)
    return result


def _allowed(referral: Referral) -> str:
    """The end of an error: the verbs that our side may say now."""
    asked = referral.cancel_requested_at is not None
    verbs = [each.verb for each in MOVES if not isinstance(judge(each, referral.side, referral.status, asked), Illegal)]
    return f"; it allows {', '.join(verbs)}" if verbs else "; it has ended, and only withdraw is left"


def _refuse_if_left(register: Register, recipient: str, now: datetime, verb: str) -> None:
    """Raises `Refused` where the recipient has left the register: nothing can be delivered to it, and nothing that it
    says counts."""
    if recipient not in register.believed(now):
        advice = f"its recipient has left the register and cannot get this; {anew(register, recipient)}"
        raise Refused(Reason.TRANSITION_REFUSED, advice, verb)


def anew(register: Register, recipient: str) -> str:
    """The advice for a referral whose recipient has left the register."""
    agency = register.agency(recipient)
    successor = None if agency is None else agency.succeeded_by
    return f"refer anew{f' to {successor}' if successor else ''}, then withdraw this one"


def _body(wanted: Move, detail: Mapping[str, Any], *, consent_over: bool) -> StatusBody:
    if consent_over:  # no new sealed content; the recipient's status still travels
        if wanted.to is None or any(value is not None for value in detail.values()):
            advice = "the consent for this referral has expired; only the recipient may still say a bare new status"
            raise Refused(Reason.CONSENT_INVALID, advice, wanted.verb)
        return StatusBody()
    said = {name: value for name, value in detail.items() if value is not None}
    _check_needs(wanted, said)
    if wanted.business_status is not None:
        said["business_status"] = wanted.business_status
    try:
        body = StatusBody.model_validate(said)
    except ValidationError as error:
        raise _wrong(error) from None
    if unknown := unknown_code_refusals(body):
        raise refused_together(unknown)
    return body


def _check_needs(wanted: Move, said: Mapping[str, Any]) -> None:
    for need in wanted.needs:
        if need not in said:
            accepted = f"; accepted: one of {', '.join(sorted(NOTES))}" if wanted.verb == "note" else _accepted(need)
            raise Refused(Reason.FIELD_MISSING, f"{wanted.verb} needs this field{accepted}", need)
    if said.get("outcome") == NOT_PROVIDED and "outcome_reason" not in said:
        advice = f"what was {NOT_PROVIDED} needs its reason{_accepted('outcome_reason')}"
        raise Refused(Reason.FIELD_MISSING, advice, "outcome_reason")
    if wanted.verb != "note" and "business_status" in said:
        raise Refused(Reason.FIELD_UNKNOWN, "only a note takes this field", "business_status")
    if wanted.verb == "note" and said["business_status"] not in NOTES:
        raise Refused(Reason.CODE_UNKNOWN, f"a note takes one of: {', '.join(sorted(NOTES))}", "business_status")


def _accepted(field: str) -> str:
    list_name = list_at(StatusBody, field)
    return f"; accepted: {form_of(list_name)}" if list_name else ""


def _wrong(error: ValidationError) -> Refused:
    """The refusal of a body that does not have its form: one mistake for each field, with the form that is accepted."""
    return refused_together(
        [
            Refused(Reason.VALUE_REFUSED, each.advice, each.path)
            for each in (refused(problem, StatusBody) for problem in problems(error))
        ]
    )
