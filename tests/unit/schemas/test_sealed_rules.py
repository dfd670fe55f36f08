"""What a sealed body refuses, and where it says so. In every case the named fault is the only one."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from schemas.personal import Consent, Identifier, Person, ReferralBody, StatusBody
from schemas.problems import Problem, ProblemKind, problems
from tests.kit.schemas.builders import (
    CONSENT,
    PERSON,
    a_body,
    a_status_body,
    changed,
    field_paths,
    read,
    refusal,
    without,
)

REQUIRED_FIELDS = {
    "": ["person", "safe_contact", "request", "consent"],
    "person.": ["subject_ref", "identifiers[0].scheme", "identifiers[0].value"],
    "safe_contact.": ["method", "may_leave_message", "may_name_agency"],
    "request.": ["service_types", "need"],
    "consent.": [
        *("kind", "recipient", "given_by", "method", "attested_by", "attested_at", "expires_at", "purposes"),
    ],
}
REQUIRED = [f"{record}{name}" for record, names in REQUIRED_FIELDS.items() for name in names]
RULED = ["caregiver.caregiver_informed", "caregiver.why_not"]  # required by a rule, as the body of the tests stands
RULED += ["consent.best_interests_reason", "consent.best_interests_approver"]
OPTIONAL = sorted(set(field_paths(a_body())) - set(REQUIRED) - set(RULED))
RECORDS = ["person", "person.identifiers[0]", "caregiver", "safe_contact", "request", "consent"]
RECORDS += ["referrer_contact", "follow_up"]

REFUSED: list[tuple[str, object, ProblemKind]] = [
    ("person.subject_ref", "not a uuid", "bad_value"),
    ("person.subject_ref", "00000000-0000-1000-8000-000000000001", "bad_value"),  # version 1 holds a time and a machine
    ("person.subject_ref", 1, "wrong_type"),
    ("person.name", "", "bad_value"),
    ("person.name", " \u00a0", "bad_value"),
    ("person.name", "two\nlines", "bad_value"),
    ("person.name", "x" * 201, "too_long"),
    ("person.date_of_birth", "1990-13-01", "bad_value"),
    ("person.date_of_birth", "1899-12-31", "bad_value"),
    ("person.date_of_birth", "1990-01-01T00:00:00Z", "bad_value"),
    ("person.date_of_birth", "0", "bad_value"),  # pydantic alone would read 1970-01-01
    ("person.date_of_birth", 7305, "wrong_type"),
    ("person.sex", "Female", "bad_value"),
    ("person.sex", "x" * 41, "too_long"),
    ("person.languages", "uz", "wrong_type"),
    ("person.languages", None, "wrong_type"),
    ("person.languages[1]", 1, "wrong_type"),
    ("person.languages", ["uz", "uz"], "bad_value"),
    ("person.languages", [f"l{number}" for number in range(31)], "too_long"),
    ("person.identifiers", [{"scheme": "s", "value": f"{number}"} for number in range(6)], "too_long"),
    ("person.identifiers[0].value", "x" * 61, "too_long"),
    ("caregiver.caregiver_informed", 0, "wrong_type"),
    ("safe_contact.may_leave_message", "false", "wrong_type"),
    ("request.service_types", [], "bad_value"),
    ("request.service_types[1]", "Mental health", "bad_value"),
    ("request.need", "x" * 1501, "too_long"),
    ("request.need", "bell \u0007", "bad_value"),
    ("request.need", "tab \t", "bad_value"),
    ("request.need", "C1 \u0085", "bad_value"),
    ("request.need", "override \u202e", "bad_value"),
    ("request.need", "isolate \u2066", "bad_value"),
    ("request.need", "separator \u2028", "bad_value"),
    ("request.replaces", "x", "bad_value"),
    ("consent.recipient", "ab", "bad_value"),
    ("consent.attested_at", "2026-01-15T10:30:00", "naive_time"),
    ("consent.attested_at", "1700000000", "bad_value"),  # pydantic alone would read a timestamp
    ("consent.attested_at", 1700000000, "wrong_type"),
    ("consent.expires_at", "2026-01-15T10:30:00+05:00", "bad_value"),
    ("consent.expires_at", "2026-01-15T05:29:59.999Z", "bad_value"),
    ("consent.purposes", [], "bad_value"),
    ("consent.evidence_hash", "0" * 63, "bad_value"),
    ("consent.best_interests_reason", None, "bad_value"),
    ("consent.best_interests_approver", None, "bad_value"),
    ("consent.withheld", ["identity"], "bad_value"),
    ("caregiver.why_not", None, "bad_value"),
    ("person.age_estimate", 36, "bad_value"),
]


@pytest.mark.parametrize(("path", "value", "kind"), REFUSED)
def test_a_wrong_value_is_refused_at_its_place(path: str, value: object, kind: ProblemKind) -> None:
    assert refusal(ReferralBody, changed(a_body(), path, value)) == (Problem(path, kind),)


@pytest.mark.parametrize("path", REQUIRED)
def test_a_missing_required_field_is_refused_by_its_path(path: str) -> None:
    assert refusal(ReferralBody, without(a_body(), path)) == (Problem(path, "missing"),)


@pytest.mark.parametrize("path", OPTIONAL)
def test_every_other_field_may_be_left_out(path: str) -> None:
    assert refusal(ReferralBody, without(a_body(), path)) == ()


def test_the_body_of_the_tests_has_every_field() -> None:
    body = read(ReferralBody, a_body())
    records = [body, *(getattr(body, name) for name in type(body).model_fields), *body.person.identifiers]
    assert [type(each).__name__ for each in records if each.model_fields_set != set(type(each).model_fields)] == []


@pytest.mark.parametrize("path", RECORDS)
def test_an_unknown_field_is_refused_at_its_parent_and_not_named(path: str) -> None:
    spoilt = changed(a_body(), f"{path}.planted_name", "x")
    assert refusal(ReferralBody, spoilt) == (Problem(path, "unknown_field"),)


def test_an_unknown_field_of_the_body_is_refused_as_of_the_whole() -> None:
    assert refusal(ReferralBody, {**a_body(), "planted_name": "x"}) == (Problem("", "unknown_field"),)


@pytest.mark.parametrize("value", [-1, 131, True, 36.0])
def test_an_estimated_age_is_a_whole_number_of_years(value: object) -> None:
    by_age = without(changed(a_body(), "person.age_estimate", 36), "person.date_of_birth")
    assert refusal(ReferralBody, by_age) == ()
    found = refusal(ReferralBody, changed(by_age, "person.age_estimate", value))
    assert [problem.path for problem in found] == ["person.age_estimate"]


@pytest.mark.parametrize("informed", [True, None])
def test_a_reason_for_not_telling_the_caregiver_needs_that_nobody_told_them(informed: bool | None) -> None:
    spoilt = changed(a_body(), "caregiver.caregiver_informed", informed)
    assert refusal(ReferralBody, spoilt) == (Problem("caregiver.why_not", "bad_value"),)
    assert refusal(ReferralBody, without(spoilt, "caregiver.why_not")) == ()


@pytest.mark.parametrize("kind", ["consent", "assent-with-caregiver"])
def test_only_best_interests_have_a_reason_and_an_approver(kind: str) -> None:
    spoilt = {**CONSENT, "kind": kind}
    both = (Problem("best_interests_reason", "bad_value"), Problem("best_interests_approver", "bad_value"))
    assert refusal(Consent, spoilt) == both
    half = without(spoilt, "best_interests_reason")
    assert refusal(Consent, half) == (Problem("best_interests_approver", "bad_value"),)
    assert refusal(Consent, without(half, "best_interests_approver")) == ()


def test_a_kind_of_consent_that_we_do_not_know_is_not_judged_here() -> None:
    assert refusal(Consent, {**CONSENT, "kind": "newer-kind"}) == ()


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        ("business_status", "No-Show", "bad_value"),
        ("appointment.time", "2030-01-31T10:00:00", "naive_time"),
        ("appointment.place", "", "bad_value"),
        ("text", "x" * 1501, "too_long"),
        ("suggested_agency", "Public Health", "bad_value"),
    ],
)
def test_a_wrong_value_in_a_status_body_is_refused_at_its_place(path: str, value: object, kind: ProblemKind) -> None:
    assert refusal(StatusBody, a_status_body()) == ()
    assert refusal(StatusBody, changed(a_status_body(), path, value)) == (Problem(path, kind),)


DECODED: dict[str, Any] = {"subject_ref": UUID(str(PERSON["subject_ref"])), "date_of_birth": date(1990, 1, 1)}


def test_what_fastavro_gives_is_taken() -> None:
    person = Person.model_validate({**DECODED, "languages": ["uz"], "identifiers": [{"scheme": "pinfl", "value": "0"}]})
    assert (person.languages, person.identifiers) == (("uz",), (Identifier(scheme="pinfl", value="0"),))


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("subject_ref", "00000000-0000-4000-8000-000000000001", "wrong_type"),
        ("date_of_birth", "1990-01-01", "wrong_type"),
        ("date_of_birth", datetime.fromisoformat("1990-01-01T00:00:00Z"), "wrong_type"),
        ("languages", "uz", "wrong_type"),
        ("name", b"x", "wrong_type"),
    ],
)
def test_outside_json_only_the_type_itself_is_taken(field: str, value: object, kind: ProblemKind) -> None:
    with pytest.raises(ValidationError) as refused:
        Person.model_validate({**DECODED, field: value})
    assert problems(refused.value) == (Problem(field, kind),)
