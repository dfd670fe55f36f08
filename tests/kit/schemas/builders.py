"""Synthetic input for tests: a body and a request with every field filled, as parsed JSON, and ways to spoil them."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.problems import Problem, problems

PERSON = {
    "subject_ref": "00000000-0000-4000-8000-000000000001",
    "name": "Test-Oʻgʻiloy Namunaviy",
    "case_code": "TEST-0001",
    "date_of_birth": "1990-01-01",
    "age_estimate": None,
    "sex": "female",
    "languages": ["uz", "ru"],
    "specific_need": "Synthetic need.",
    "identifiers": [{"scheme": "id-card", "value": "TEST 0000000"}],
}
CAREGIVER = {
    "name": "Test-Buvi Namunaviy",
    "relationship": "grandmother",
    "care_status": "accompanied",
    "caregiver_informed": False,
    "why_not": "Synthetic reason.",
    "legal_guardian": True,
}
SAFE_CONTACT = {
    "method": "phone-call",
    "value": "+998 00 000-00-00",
    "hours": "Test hours",
    "who_may_answer": "Nobody else",
    "may_leave_message": False,
    "may_name_agency": False,
    "do_not_contact": "Nobody at\nthe test number",
}
REQUEST = {
    "service_types": ["mhpss", "health"],
    "need": "Synthetic need.",
    "replaces": "00000000-0000-4000-8000-000000000002",
    "already_provided": "Synthetic help.",
    "other_referrals": "None.",
    "accompaniment": "The grandmother.",
    "interpreter": "kaa",
    "worker_sex_preference": "female",
}
CONSENT = {
    "kind": "best-interests",
    "recipient": "public-health",
    "given_by": "agency",
    "method": "decision",
    "attested_by": "Test-Xodim Namunaviy",
    "attested_at": "2026-01-15T10:30:00+05:00",
    "expires_at": "2099-12-31T23:59:59+05:00",
    "purposes": ["provide-service", "follow-up"],
    "data_categories": ["identity", "contact"],
    "share_back_allowed": True,
    "onward_sharing": False,
    "withheld": ["livelihood", "education"],
    "basis": "childs-best-interests",
    "evidence_hash": "0" * 64,
    "best_interests_reason": "Synthetic reason.",
    "best_interests_approver": "Test-Rahbar Namunaviy",
}
REFERRER_CONTACT = {"name": "Test-Xodim", "function": "Tester", "phone": "+998 00", "email": "test@agency.invalid"}
FOLLOW_UP = {"via": "bus", "information_agreed": "Whether the person came."}


def a_body() -> dict[str, Any]:
    """A ReferralBody with every field filled but age_estimate, which date_of_birth rules out."""
    parts = {
        "person": PERSON,
        "caregiver": CAREGIVER,
        "safe_contact": SAFE_CONTACT,
        "request": REQUEST,
        "consent": CONSENT,
        "referrer_contact": REFERRER_CONTACT,
        "follow_up": FOLLOW_UP,
    }
    return copy.deepcopy(parts)


def a_status_body() -> dict[str, Any]:
    """A StatusBody with every field filled."""
    return {
        "business_status": "appointment-scheduled",
        "outcome": "provided",
        "outcome_reason": "other",
        "appointment": {"time": "2030-01-31T10:00:00+05:00", "place": "Test place"},
        "text": "Synthetic text.",
        "suggested_agency": "public-health",
    }


def a_request() -> dict[str, Any]:
    """A ReferralRequest with every field filled."""
    return {
        "recipient": "public-health",
        "priority": "urgent",
        "acknowledge_by": "2030-01-31T10:00:00+05:00",
        "respond_by": "2030-02-28T10:00:00+05:00",
        "idempotency_key": "test-key-0001",
        "local_ref": "TEST-LOCAL-0001",
        "body": a_body(),
    }


def changed(data: Any, path: str, value: Any) -> Any:
    """A copy in which the field or item at this path, such as `request.service_types[1]`, is the value."""
    result = copy.deepcopy(data)
    *way, last = _steps(path)
    _follow(result, way)[last] = value
    return result


def without(data: Any, path: str) -> Any:
    """A copy in which the field at this path is not there."""
    result = copy.deepcopy(data)
    *way, last = _steps(path)
    del _follow(result, way)[last]
    return result


def field_paths(data: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The path of every field, those of the records inside too."""
    for name, value in data.items():
        yield f"{prefix}{name}"
        for place, inner in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(inner, dict):
                yield from field_paths(inner, f"{prefix}{name}." if place is None else f"{prefix}{name}[{place}].")


def read(model: type[BaseModel], data: Any) -> Any:
    """The model, from the data as JSON text."""
    return model.model_validate_json(json.dumps(data, ensure_ascii=False))


def refusal(model: type[BaseModel], data: Any) -> tuple[Problem, ...]:
    """The problems that reading this JSON meets; empty when it is taken."""
    try:
        read(model, data)
    except ValidationError as error:
        return problems(error)
    return ()


def _steps(path: str) -> list[str | int]:
    return [int(index) if index else name for index, name in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)]


def _follow(data: Any, way: list[str | int]) -> Any:
    for step in way:
        data = data[step]
    return data
