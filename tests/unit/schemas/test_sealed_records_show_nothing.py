"""A name that reaches us stays inside: no way of showing a model, an error or a problem lets it out."""

import io
import json
import pprint
import traceback
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.pretty import pretty_repr

from schemas.personal import Caregiver, Consent, Person, ReferralBody
from schemas.problems import problems
from schemas.referral_request import ReferralRequest, parse_requests
from tests.kit.schemas.builders import a_body, a_request, changed, field_paths, read

PLANTED = "Planted-Oʻgʻiloy"
PATHS = sorted(field_paths(a_request()))


def planted_body() -> ReferralBody:
    body: ReferralBody = read(ReferralBody, changed(a_body(), "person.name", PLANTED))
    return body


def test_no_way_of_printing_a_model_shows_a_value() -> None:
    body = planted_body()
    screen = io.StringIO()
    Console(file=screen, width=200).print(body, [body.person])
    shown = [repr(body), str(body), f"{body.person}", pprint.pformat([body]), pretty_repr(body), screen.getvalue()]
    assert [text for text in shown if PLANTED in text or "female" in text] == []
    assert repr(body) == str(body) == "ReferralBody"


def test_a_request_shows_nothing_either() -> None:
    request = read(ReferralRequest, changed(a_request(), "local_ref", PLANTED))
    assert (repr(request), str(request)) == ("ReferralRequest", "ReferralRequest")
    assert pretty_repr(request) == "ReferralRequest()"


def test_a_model_cannot_be_changed_and_says_so_without_the_value() -> None:
    person = planted_body().person
    with pytest.raises(AttributeError) as refused:
        person.name = PLANTED  # type: ignore[misc]
    assert PLANTED not in str(refused.value)


@pytest.mark.parametrize("wrong", [PLANTED + "\u0000", [PLANTED], {"name": [PLANTED]}, PLANTED * 500])
@pytest.mark.parametrize("path", PATHS)
def test_a_refused_value_is_in_no_message(path: str, wrong: Any) -> None:
    assert_silent(ReferralRequest, changed(a_request(), path, wrong))


@pytest.mark.parametrize("path", ["", *(path for path in PATHS if path.count(".") == 1 and path.startswith("body."))])
def test_the_name_of_an_unknown_field_is_in_no_problem(path: str) -> None:
    """pydantic's own report names it, which is why only `problems` may be shown."""
    spoilt = changed(a_request(), f"{path}.{PLANTED}".removeprefix("."), PLANTED)
    with pytest.raises(ValidationError) as refused:
        read(ReferralRequest, spoilt)
    assert PLANTED not in repr(problems(refused.value))


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Person, {"age_estimate": 30, "date_of_birth": "1990-01-01", "name": PLANTED}),
        (Caregiver, {"why_not": PLANTED}),
        (Consent, {"best_interests_reason": PLANTED, "kind": "consent"}),
    ],
)
def test_a_broken_rule_quotes_nothing(model: type[BaseModel], data: dict[str, Any]) -> None:
    whole = {Person: a_body()["person"], Caregiver: {}, Consent: a_body()["consent"]}[model]
    assert_silent(model, {**whole, **data})


def test_text_that_is_no_json_is_not_quoted() -> None:
    with pytest.raises(ValidationError) as refused:
        ReferralRequest.model_validate_json("{" + PLANTED)
    assert PLANTED not in everything_shown(refused.value)


def test_a_list_of_requests_is_as_silent() -> None:
    with pytest.raises(ValidationError) as refused:
        parse_requests(json.dumps([changed(a_request(), "body.person.name", [PLANTED])]))
    assert PLANTED not in everything_shown(refused.value)


def assert_silent(model: type[BaseModel], data: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate_json(json.dumps(data))
    assert PLANTED not in everything_shown(refused.value)


def everything_shown(error: ValidationError) -> str:
    """What logs and screens can get to see: the error, its traceback, and what we make of it."""
    return "\n".join([str(error), repr(error), *traceback.format_exception(error), repr(problems(error))])
