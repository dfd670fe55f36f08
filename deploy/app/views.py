"""Cases and received events as documents for --json and as lines for people."""

from datetime import datetime
from typing import Any

from deploy.app.desk import Case, Stood
from deploy.app.output import local_time
from deploy.app.sealed_view import status_words
from referral_bus.ledger.handing_over import Received
from referral_bus.ledger.looking import Step
from referral_bus.ledger.referrals import Referral
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
        "other_left": case.standing.other_left,
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


def _erasure(received: Received) -> str | None:
    return None if received.kind is None else f"erasure {received.kind} ({received.reason})"


def _says(status: object, body: ReferralBody | StatusBody | None, zone: str) -> str:
    """A referral in few words, since `show` has all of it; a later word whole."""
    if isinstance(body, ReferralBody):
        return f"referral: {', '.join(body.request.service_types)}"
    said = [] if status is None else [str(status)]
    said += [status_words(body, zone)] if isinstance(body, StatusBody) else []
    return ", ".join(filter(None, said)) or "(nothing more)"
