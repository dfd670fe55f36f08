"""A referral in which every field of the contract is set, about a synthetic person, and the page that `show` makes of
it: `python -m tests.kit.full_referral` prints what stands in docs/integrate.md."""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from deploy.app.agency_client import Case
from deploy.app.views.case_view import case_lines
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.queries import Step
from referral_bus.ledger.referrals import Referral
from referral_bus.stages import Actor, Stage, Standing
from schemas.events import Place, ReferralKey
from schemas.lifecycle import Side, Status
from schemas.personal import ReferralBody, StatusBody

WIDTH = 60
ZONE = "Asia/Tashkent"
PUBLISHED = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)

FULL: dict[str, Any] = {
    "person": {
        "subject_ref": "7b1f3c52-3f0e-4d43-9a52-0d3f6c0a1b01",
        "name": "Namuna-Oʻgʻiloy Sinovova",
        "case_code": "TEST-0042",
        "date_of_birth": "2014-02-03",
        "sex": "female",
        "languages": ["uz", "ru"],
        "specific_need": "Synthetic: uses a made-up hearing aid.",
        "identifiers": [{"scheme": "school-record", "value": "TEST-ID-17"}],
    },
    "caregiver": {
        "name": "Namuna-Xola Sinovova",
        "relationship": "aunt",
        "care_status": "separated",
        "caregiver_informed": False,
        "why_not": "Synthetic: she would be sent away.",
        "legal_guardian": False,
    },
    "safe_contact": {
        "method": "phone-call",
        "value": "+998 00 000 00 00",
        "hours": "Synthetic: 10 to 12, on school days",
        "who_may_answer": "Synthetic: only her teacher",
        "may_leave_message": False,
        "may_name_agency": False,
        "do_not_contact": "Synthetic: never at home.\nNever through the neighbours.",
    },
    "request": {
        "service_types": ["mhpss", "child-protection"],
        "need": "Synthetic: does not sleep since the made-up move.\nAsked for help herself.",
        "replaces": "7b1f3c52-3f0e-4d43-9a52-0d3f6c0a1b02",
        "already_provided": "Synthetic: two talks at school.",
        "other_referrals": "Synthetic: none.",
        "accompaniment": "Synthetic: her teacher comes with her.",
        "interpreter": "ru",
        "worker_sex_preference": "female",
    },
    "consent": {
        "kind": "best-interests",
        "recipient": "public-health",
        "given_by": "agency",
        "method": "decision",
        "attested_by": "Test-Xodim Namunaviy",
        "attested_at": "2026-11-20T10:00:00+05:00",
        "expires_at": "2099-12-31T00:00:00+05:00",
        "purposes": ["provide-service"],
        "data_categories": ["identity", "protection"],
        "share_back_allowed": False,
        "onward_sharing": False,
        "withheld": ["health"],
        "basis": "childs-best-interests",
        "evidence_hash": "0" * 60 + "7731",
        "best_interests_reason": "Synthetic: waiting would harm her.",
        "best_interests_approver": "Test-Rahbar Namunaviy",
    },
    "referrer_contact": {
        "name": "Test-Xodim Namunaviy",
        "function": "Synthetic case worker",
        "phone": "+998 00 000 00 01",
        "email": "case.worker@example.org",
    },
    "follow_up": {"via": "bus", "information_agreed": "Synthetic: whether she came."},
}
ESTIMATED: dict[str, Any] = FULL | {"person": {"subject_ref": FULL["person"]["subject_ref"], "age_estimate": 12}}
"""In place of the date of birth: a referral cannot have both."""

FULL_WORD: dict[str, Any] = {
    "business_status": "appointment-scheduled",
    "outcome": "partly-provided",
    "outcome_reason": "no-capacity",
    "appointment": {"time": "2099-11-24T10:00:00+05:00", "place": "Synthetic: Room 4"},
    "text": "Synthetic: we expect her and her teacher.",
    "suggested_agency": "mahalla",
}


def body(document: dict[str, Any]) -> ReferralBody:
    return ReferralBody.model_validate_json(json.dumps(document))


def word(document: dict[str, Any]) -> StatusBody:
    return StatusBody.model_validate_json(json.dumps(document))


def case(of: ReferralBody, said: StatusBody, side: Side = Side.RECIPIENT) -> Case:
    """The referral and a later word of its recipient, as its recipient has them, or its sender."""
    key = ReferralKey("family-women", UUID("3f2a91c4-0000-4000-8000-000000000042"))
    referral = Referral(
        key=key,
        side=side,
        peer="family-women" if side is Side.RECIPIENT else "public-health",
        status=Status.ACCEPTED,
        priority="urgent",
        acknowledge_by=PUBLISHED + timedelta(hours=24),
        respond_by=PUBLISHED + timedelta(hours=72),
        created_at=PUBLISHED,
        changed_at=PUBLISHED + timedelta(hours=2),
        consent_expires_at=of.consent.expires_at,
    )
    standing = Standing(Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, None, None)
    theirs, ours = _step(1, of, "received", None), _step(2, said, "sent", Status.ACCEPTED)
    return Case(referral, standing, None, "PH 4411", [theirs, ours])


def _step(number: int, of: ReferralBody | StatusBody, way: Any, status: Status | None) -> Step:
    at = PUBLISHED + timedelta(hours=number)
    return Step(
        number=number,
        event_id=UUID(int=number),
        way=way,
        record="ReferralEvent" if status is None else "StatusEvent",
        place=Place(1, 1),
        status=status,
        occurred_at=at,
        recorded_at=at,
        outcome="STORED",
        code=None,
        state=None if way == "received" else OutboxState.STORED,
        receipted_at=None,
        receipt_issued_at=None,
        handed_over_at=at if way == "received" else None,
        body=of,
    )


def page() -> str:
    """As in docs/integrate.md."""
    of = case(body(FULL), word({name: FULL_WORD[name] for name in ("business_status", "appointment", "text")}))
    return "".join(f"{line}\n" for line in case_lines(of, ZONE, WIDTH))


if __name__ == "__main__":
    sys.stdout.write(page())
