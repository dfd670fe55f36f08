"""Cases and received events as documents for --json and as lines for people."""

from typing import Any

from deploy.app.agency_client import Case
from referral_bus.ledger.queries import Step
from referral_bus.ledger.referrals import Referral


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


def case_document(case: Case) -> dict[str, Any]:
    return referral_document(case.referral) | {
        "stage": case.standing.stage,
        "actor": case.standing.actor,
        "due": case.standing.due,
        "due_for": case.standing.due_for,
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
