"""Synthetic people, obviously so, referrals about them, and the agencies that most tests are about."""

import json
from typing import Any

from schemas.referral_request import ReferralRequest

SENDER, RECIPIENT, THIRD = "family-women", "public-health", "mahalla"  # each may refer to each
PLANTED_NAME = "Namuna-Oʻgʻiloy Sinovova"
PLANTED_NEED = "PLANTED-NEED-7731 does not sleep since the made-up move"


def request(recipient: str, **changes: object) -> ReferralRequest:
    """A referral request to `recipient`; `service_types`, `need`, `name` and any field of the request may be set."""
    document = request_document(recipient)
    body = document["body"]
    for name in ("service_types", "need"):
        if name in changes:
            body["request"][name] = changes.pop(name)
    if "name" in changes:
        body["person"]["name"] = changes.pop("name")
    document |= changes
    return ReferralRequest.model_validate_json(json.dumps(document))


def request_document(recipient: str) -> dict[str, Any]:
    """The same as a plain document, to be broken by tests."""
    return {
        "recipient": recipient,
        "priority": "urgent",
        "body": {
            "person": {"subject_ref": "7b1f3c52-3f0e-4d43-9a52-0d3f6c0a1b01", "name": PLANTED_NAME},
            "safe_contact": {"method": "phone-call", "may_leave_message": False, "may_name_agency": False},
            "request": {"service_types": ["mhpss"], "need": PLANTED_NEED},
            "consent": {
                "kind": "consent",
                "recipient": recipient,
                "given_by": "person",
                "method": "written",
                "attested_by": "Test caseworker",
                "attested_at": "2026-11-20T10:00:00+05:00",
                "expires_at": "2099-12-31T00:00:00+05:00",
                "purposes": ["provide-service"],
            },
        },
    }
