"""Cases and received events as documents for --json and as lines for people."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from deploy.app.desk import Case, Stood
from deploy.app.explain import troubles
from deploy.app.output import local_time
from referral_bus.ledger.handing_over import Received
from referral_bus.ledger.looking import Step
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.sending import State
from schemas.lifecycle import Side
from schemas.personal import ReferralBody, StatusBody


def referral_document(referral: Referral) -> dict[str, Any]:
    return {
        "id": referral.key.referral_id,
        "sender": referral.key.sender,
        "side": referral.side,
        "peer": referral.peer,
        "status": referral.status,
        "priority": referral.priority,
        "acknowledge_by": referral.acknowledge_by,
        "respond_by": referral.respond_by,
        "created_at": referral.created_at,
        "changed_at": referral.changed_at,
    }


def stood_document(stood: Stood, now: datetime) -> dict[str, Any]:
    standing = stood.standing
    return referral_document(stood.referral) | {
        "stage": standing.stage,
        "actor": standing.actor,
        "due": standing.due,
        "overdue": standing.overdue(now),
    }


def stood_line(stood: Stood, now: datetime, zone: str) -> str:
    referral, standing = stood.referral, stood.standing
    way = f"{referral.key.sender} → us" if referral.side is Side.RECIPIENT else f"us → {referral.peer}"
    due = f"  due {local_time(standing.due, zone)}" if standing.due else ""
    late = "  OVERDUE" if standing.overdue(now) else ""
    return f"{str(referral.key.referral_id)[:8]}  {way:<28}  {referral.status:<11}  {standing.stage}{due}{late}"


def case_document(case: Case) -> dict[str, Any]:
    return referral_document(case.referral) | {
        "stage": case.standing.stage,
        "actor": case.standing.actor,
        "due": case.standing.due,
        "send_failure": case.standing.send_failure,
        "own_service": case.own_service,
        "local_ref": case.local_ref,
        "history": [_step_document(step) for step in case.steps],
    }


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "event_id": step.event_id,
        "way": step.way,
        "record": step.record,
        "place": list(step.place),
        "status": step.status,
        "occurred_at": step.occurred_at,
        "recorded_at": step.recorded_at,
        "outcome": step.outcome,
        "code": step.code,
        "state": step.state,
        "receipted_at": step.receipted_at,
        "handed_over_at": step.handed_over_at,
        "body": step.body,
    }


def received_document(received: Received) -> dict[str, Any]:
    return {
        "cursor": received.cursor,
        "event_id": received.event_id,
        "referral_id": received.referral.referral_id,
        "sender": received.referral.sender,
        "from": received.peer,
        "record": received.record,
        "status": received.status,
        "kind": received.kind,
        "reason": received.reason,
        "occurred_at": received.occurred_at,
        "stored_at": received.recorded_at,
        "body": received.body,
    }


def received_line(received: Received, zone: str) -> str:
    time = local_time(received.recorded_at, zone)
    says = _erasure(received) or _says(received.status, received.body, zone)
    return f"{received.cursor:>6}  {time}  {str(received.referral.referral_id)[:8]}  {received.peer}: {says}"


def case_lines(case: Case, zone: str) -> Iterator[str]:
    """The referral, what it is about, and its history, drawn one event a line."""
    referral = case.referral
    way = f"{referral.key.sender} → {'us' if referral.side is Side.RECIPIENT else referral.peer}"
    yield f"Referral {referral.key.referral_id}  {way}"
    yield f"  {referral.status}, {referral.priority}, {case.standing.stage}"
    yield from (f"  {trouble}" for trouble in troubles(case))
    first, answer = (local_time(due, zone) for due in (referral.acknowledge_by, referral.respond_by))
    yield f"  first word by {first}, answer by {answer}"
    if case.local_ref:
        yield f"  our case number: {case.local_ref}"
    for step in case.steps:
        if isinstance(step.body, ReferralBody):
            yield from _body_lines(step.body)
    yield ""
    for step in case.steps:
        yield _step_line(step, zone)


def _body_lines(body: ReferralBody) -> Iterator[str]:
    yield f"  services: {', '.join(body.request.service_types)}"
    yield f"  need: {' / '.join(body.request.need.splitlines())}"
    who = body.person.name or body.person.case_code
    if who:
        yield f"  person: {who}"
    contact = body.safe_contact
    yield (
        f"  safe contact: {contact.method}{f' {contact.value}' if contact.value else ''}"
        f"{f', {contact.hours}' if contact.hours else ''}"
        f"; message {'allowed' if contact.may_leave_message else 'NOT allowed'}"
        f"; naming the agency {'allowed' if contact.may_name_agency else 'NOT allowed'}"
    )


def _step_line(step: Step, zone: str) -> str:
    arrow = "├─▶" if step.way == "sent" else "├─◀"
    told = step.state if step.way == "sent" else ("handed over" if step.handed_over_at else "not handed over")
    if step.code:  # what came in and was refused has no state of its own
        told = f"{told if step.way == 'sent' else State.REFUSED}, {step.code}"
    return f"  {arrow} {local_time(step.recorded_at, zone)}  {_says(step.status, step.body, zone):<40}  {told}"


def _erasure(received: Received) -> str | None:
    return None if received.kind is None else f"erasure {received.kind} ({received.reason})"


def _says(status: object, body: ReferralBody | StatusBody | None, zone: str) -> str:
    if isinstance(body, ReferralBody):
        return f"referral: {', '.join(body.request.service_types)}"
    said = [] if status is None else [str(status)]
    if isinstance(body, StatusBody):
        said += [word for word in (body.business_status, body.outcome, body.outcome_reason) if word is not None]
        if body.appointment is not None:
            said.append(f"appointment {local_time(body.appointment.time, zone)}")
        if body.suggested_agency is not None:
            said.append(f"suggests {body.suggested_agency}")
        if body.text is not None:
            said.append(f"“{' / '.join(body.text.splitlines())}”")
    return ", ".join(said) or "(nothing more)"
