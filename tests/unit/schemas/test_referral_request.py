"""The file that starts a referral, and the examples of it."""

import json
from importlib import resources
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.code_lists import unknown_codes
from schemas.problems import Problem, ProblemKind, problems
from schemas.referral_request import MOST_REQUESTS, ReferralRequest, parse_requests
from tests.kit.schemas.builders import a_request, changed, read, refusal, without

EXAMPLES = sorted(file.name for file in (resources.files("schemas") / "examples").iterdir())


def example(name: str) -> str:
    return (resources.files("schemas") / "examples" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["recipient", "priority", "body"])
def test_a_request_names_recipient_priority_and_body(path: str) -> None:
    assert refusal(ReferralRequest, without(a_request(), path)) == (Problem(path, "missing"),)


@pytest.mark.parametrize("path", ["acknowledge_by", "respond_by", "idempotency_key", "local_ref"])
def test_the_rest_may_be_left_out(path: str) -> None:
    assert refusal(ReferralRequest, without(a_request(), path)) == ()


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        ("recipient", "Public Health", "bad_value"),
        ("priority", "Urgent", "bad_value"),
        ("acknowledge_by", "2030-01-31T10:00:00", "naive_time"),
        ("respond_by", "2030-01-31T09:59:59+05:00", "bad_value"),
        ("idempotency_key", "with space", "bad_value"),
        ("idempotency_key", "x" * 129, "bad_value"),
        ("local_ref", "two\nlines", "bad_value"),
        ("local_ref", "x" * 121, "too_long"),
    ],
)
def test_a_wrong_value_is_refused_at_its_place(path: str, value: object, kind: ProblemKind) -> None:
    assert refusal(ReferralRequest, changed(a_request(), path, value)) == (Problem(path, kind),)


def test_an_unknown_field_is_refused() -> None:
    assert refusal(ReferralRequest, {**a_request(), "extra": 1}) == (Problem("", "unknown_field"),)


def test_both_deadlines_may_be_the_same() -> None:
    assert refusal(ReferralRequest, {**a_request(), "respond_by": a_request()["acknowledge_by"]}) == ()


def test_a_file_holds_one_request_or_a_list() -> None:
    one = read(ReferralRequest, a_request())
    assert parse_requests(json.dumps(a_request())) == (one,)
    assert parse_requests("\n " + json.dumps([a_request(), a_request()])) == (one, one)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([a_request(), changed(a_request(), "body.person.name", 1)], Problem("[1].body.person.name", "wrong_type")),
        ([], Problem("", "bad_value")),
        ([a_request()] * (MOST_REQUESTS + 1), Problem("", "too_long")),
        ("text", Problem("", "wrong_type")),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_in_the_list(data: Any, problem: Problem) -> None:
    with pytest.raises(ValidationError) as refused:
        parse_requests(json.dumps(data))
    assert problems(refused.value) == (problem,)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_taken_and_consented_for_its_recipient(name: str) -> None:
    for request in parse_requests(example(name)):
        assert unknown_codes(request) == ()
        assert request.body.consent.recipient == request.recipient
        assert request.body.consent.expires_at.year == 2099


@pytest.mark.parametrize("name", EXAMPLES)
def test_people_in_examples_are_obviously_synthetic(name: str) -> None:
    for request in parse_requests(example(name)):
        body = request.body
        people = [body.person.name, body.person.case_code, body.caregiver and body.caregiver.name]
        people += [body.consent.attested_by, body.consent.best_interests_approver]
        assert [each for each in people if each and not each.startswith(("Test-", "TEST-", "Тест-"))] == []
        phones = [body.safe_contact.value, body.referrer_contact and body.referrer_contact.phone]
        assert [each for each in phones if each and not each.startswith("+998 00 000-00-")] == []


def test_the_examples_show_what_a_newcomer_looks_for() -> None:
    requests = [request for name in EXAMPLES for request in parse_requests(example(name))]
    assert {request.body.consent.kind for request in requests} == {"consent", "assent-with-caregiver", "best-interests"}
    guardians = [r.body.caregiver for r in requests if r.body.caregiver and r.body.caregiver.legal_guardian]
    assert [(each.relationship, each.caregiver_informed) for each in guardians] == [("grandmother", True)]
    assert [len(parse_requests(example(name))) for name in EXAMPLES if "list" in name] == [3]
    assert set(json.loads(example("referral-minimal.json"))["body"]) == {"person", "safe_contact", "request", "consent"}
