"""Synthetic bodies for the test vectors: from empty to one that needs the largest padding."""

import json
from typing import Any

from referral_bus.wire.avro_codec import encode
from schemas.personal import ReferralBody, StatusBody
from tests.kit.vector_federation import HERE, fixed_id

_CYRILLIC = "Ўзбекча матн, ўйлаб чиқарилган. "


def referral_body(**changes: dict[str, Any]) -> ReferralBody:
    """The least that a referral says; each keyword adds fields to one part of it."""
    document: dict[str, Any] = {
        "person": {"subject_ref": str(fixed_id("subject"))},
        "safe_contact": {"method": "through-referrer", "may_leave_message": False, "may_name_agency": False},
        "request": {"service_types": ["health"], "need": "Synthetic need."},
        "consent": {
            "kind": "consent",
            "recipient": HERE,
            "given_by": "person",
            "method": "written",
            "attested_by": "Test-Xodim Namunaviy",
            "attested_at": "2026-11-20T10:30:00+05:00",
            "expires_at": "2098-12-31T23:59:59.999+05:00",
            "purposes": ["provide-service"],
        },
    }
    for part, fields in changes.items():
        document[part] = document.get(part, {}) | fields
    return ReferralBody.model_validate_json(json.dumps(document))


def full_body() -> ReferralBody:
    """Every field that can stand beside the others, in the letters that agencies use."""
    return referral_body(
        person={
            "name": "Test-Oʻgʻiloy Намунавий-Қизи 🌸",
            "case_code": "TEST-0001",
            "date_of_birth": "1969-12-31",
            "sex": "female",
            "languages": ["uz", "ru", "kaa"],
            "specific_need": "Synthetic need.\n" + filled(_CYRILLIC, 300),
            "identifiers": [{"scheme": "id-card", "value": "TEST 0000000"}, {"scheme": "pinfl", "value": "0" * 14}],
        },
        caregiver={
            "name": "Test-Buvi Namunaviy",
            "relationship": "grandmother",
            "care_status": "accompanied",
            "caregiver_informed": False,
            "why_not": "Synthetic reason.",
            "legal_guardian": True,
        },
        safe_contact={
            "value": "+998 00 000-00-00",
            "hours": "Test hours",
            "who_may_answer": "Nobody else",
            "may_leave_message": True,
            "do_not_contact": "Nobody at the test number",
        },
        request={
            "service_types": ["health", "mhpss"],
            "replaces": str(fixed_id("replaced referral")),
            "already_provided": "Synthetic help.",
            "other_referrals": "None.",
            "accompaniment": "The grandmother.",
            "interpreter": "kaa",
            "worker_sex_preference": "female",
        },
        consent={
            "kind": "best-interests",
            "given_by": "agency",
            "method": "decision",
            "purposes": ["provide-service", "follow-up"],
            "data_categories": ["identity", "contact"],
            "share_back_allowed": True,
            "onward_sharing": True,
            "withheld": ["livelihood", "education"],
            "basis": "childs-best-interests",
            "evidence_hash": "0123456789abcdef" * 4,
            "best_interests_reason": "Synthetic reason.",
            "best_interests_approver": "Test-Rahbar Namunaviy",
        },
        referrer_contact={"name": "Test-Xodim", "function": "Tester", "phone": "+998 00", "email": "test@example.org"},
        follow_up={"via": "bus", "information_agreed": "Whether the person came."},
    )


def long_body(parts: int) -> ReferralBody:
    """One that needs 4 KiB with one long text, 8 KiB with four, and 16 KiB with all nine."""
    texts: list[tuple[str, str, int, dict[str, Any]]] = [
        ("request", "need", 1500, {}),
        ("request", "already_provided", 500, {}),
        ("request", "other_referrals", 500, {}),
        ("person", "specific_need", 500, {}),
        ("follow_up", "information_agreed", 500, {}),
        ("safe_contact", "do_not_contact", 200, {}),
        ("request", "accompaniment", 300, {}),
        ("caregiver", "why_not", 300, {"caregiver_informed": False}),
        ("consent", "best_interests_reason", 600, {"kind": "best-interests", "best_interests_approver": "Test-Rahbar"}),
    ]
    changes: dict[str, dict[str, Any]] = {}
    for part, field, length, beside in texts[:parts]:
        changes.setdefault(part, {}).update({field: filled(_CYRILLIC, length), **beside})
    return referral_body(**changes)


def status_body_of(size: int) -> StatusBody:
    """One whose single-object bytes are exactly so many."""
    empty = len(encode(StatusBody(text="x" * 100))) - 100
    return StatusBody(text=filled("Synthetic text. ", size - empty))


def filled(text: str, length: int) -> str:
    return (text * (length // len(text) + 1))[:length]
