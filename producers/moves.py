"""The verbs: what a person, or an agency's own system, says about a referral. Judged here before it is sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import Register
from referral_bus.ledger import referrals
from referral_bus.ledger.looking import undelivered
from referral_bus.ledger.naming import the_referral
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.ledger.writing import Writing, write_word
from schemas.code_lists import unknown_codes
from schemas.lifecycle import MOVE_BY_VERB, NOTES, Illegal, Move, Side, Status, judge
from schemas.personal import StatusBody
from schemas.problems import problems


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
    """Says `verb` about a referral, durably, and returns it as it is then. `referral_id` may be shortened to what is
    unambiguous, and may name its sender too, as in `family-women/3f2a91`. Raises `Refused`: unknown id, illegal move,
    missing or wrong detail; then nothing is written."""
    wanted = MOVE_BY_VERB[verb]
    with ledger.write() as tx:
        referral = the_referral(tx, referral_id)
        status = _legal(tx, wanted, referral)
        if referral.side is Side.SENDER:
            _refuse_if_left(register, referral.peer, writing.now, verb)
        body = _body(wanted, detail, consent_over=referral.consent_expires_at <= writing.now)
        changed = write_word(tx, referral, status, body, writing)
        if local_ref is not None:
            referrals.set_local_ref(tx, referral.key, local_ref)
    return changed


def _legal(tx: Tx, wanted: Move, referral: Referral) -> Status:
    result = judge(wanted, referral.side, referral.status, referral.cancel_requested_at is not None)
    if isinstance(result, Illegal):
        advice = {
            "wrong_side": f"only the {wanted.by} of a referral can {wanted.verb} it",
            "wrong_status": f"a referral that is {referral.status} allows no {wanted.verb}",
            "no_cancel_request": "its sender has not asked for cancellation",
        }
        raise Refused(Reason.TRANSITION_REFUSED, advice[result.why], wanted.verb)
    if referral.side is Side.SENDER and undelivered(tx, referral.key):
        raise Refused(Reason.TRANSITION_REFUSED, "the recipient has refused this referral; see `why`", wanted.verb)
    return result


def _refuse_if_left(register: Register, recipient: str, now: datetime, verb: str) -> None:
    """Nothing reaches an agency that has left the register, and nothing that it says counts."""
    if recipient not in register.believed(now):
        advice = f"its recipient has left the register, so this reaches no one; {anew(register, recipient)}"
        raise Refused(Reason.TRANSITION_REFUSED, advice, verb)


def anew(register: Register, recipient: str) -> str:
    """What is left to do about a referral to an agency that has left."""
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
    for need in wanted.needs:
        if need not in said:
            raise Refused(Reason.FIELD_MISSING, f"{wanted.verb} needs it", need)
    if wanted.verb != "note" and "business_status" in said:
        raise Refused(Reason.FIELD_UNKNOWN, "only a note takes it", "business_status")
    if wanted.verb == "note" and said["business_status"] not in NOTES:
        raise Refused(Reason.CODE_UNKNOWN, f"a note takes one of: {', '.join(sorted(NOTES))}", "business_status")
    if wanted.business_status is not None:
        said["business_status"] = wanted.business_status
    try:
        body = StatusBody.model_validate(said)
    except ValidationError as error:
        problem = problems(error)[0]
        raise Refused(Reason.VALUE_REFUSED, "this value is not of the form it must have", problem.path) from None
    for path in unknown_codes(body):
        raise Refused(Reason.CODE_UNKNOWN, "use a code of the list; see `referral-bus codes`", path)
    return body
