"""The code lists, and telling an unknown code from a refused value."""

import re
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from schemas.code_lists import CODE_LISTS, CODE_PATTERN, Coded, known, load_code_list, parse_code_list, unknown_codes
from schemas.lifecycle import CANCELLATION_REQUESTED, MOVES, NOTES, Status
from schemas.personal import ReferralBody, StatusBody
from schemas.referral_request import ReferralRequest
from tests.kit.schemas.builders import a_body, a_request, a_status_body, changed, read

OF_THE_DOMAIN = {
    "priority": "routine urgent stat",
    "status": "requested received accepted rejected in-progress on-hold completed failed cancelled entered-in-error",
    "business_status": "appointment-scheduled no-show appointment-cancelled waitlisted contact-attempted "
    "information-requested information-provided cancellation-requested cancellation-refused",
    "service_types": "health mhpss child-protection family-tracing alternative-care women-gbv safe-shelter legal-aid "
    "civil-documents education early-childhood livelihoods cash-material disability-rehabilitation social-mediation "
    "complaint",
    "outcome": "provided partly-provided not-provided enrolled waitlisted",
    "outcome_reason": "no-capacity not-eligible not-offered out-of-area duplicate insufficient-information "
    "client-declined client-not-reached consent-invalid safety other",
    "erasure_kind": "requested erased confirmed",
    "erasure_reason": "withdrawn entered-in-error retention",
    "care_status": "accompanied separated unaccompanied",
    "consent_kind": "consent assent-with-caregiver best-interests",
}


@pytest.mark.parametrize("name", OF_THE_DOMAIN)
def test_a_list_holds_exactly_the_agreed_codes(name: str) -> None:
    assert [entry.code for entry in load_code_list(name).codes] == OF_THE_DOMAIN[name].split()


@pytest.mark.parametrize("name", CODE_LISTS)
def test_every_list_loads_and_every_code_says_what_it_means(name: str) -> None:
    code_list = load_code_list(name)
    assert code_list.name == name
    assert [entry.code for entry in code_list.codes if not (entry.en and entry.meaning)] == []
    assert [entry.code for entry in code_list.codes if not re.match(CODE_PATTERN, entry.code)] == []


@pytest.mark.parametrize("name", ["priority", "status", "service_types"])
def test_what_many_people_read_is_named_in_three_languages(name: str) -> None:
    assert [entry.code for entry in load_code_list(name).codes if not (entry.ru and entry.uz)] == []


def test_the_life_cycle_speaks_only_codes_of_the_lists() -> None:
    said = {move.business_status for move in MOVES if move.business_status} | NOTES | {CANCELLATION_REQUESTED}
    assert [code for code in sorted(said) if not known("business_status", code)] == []
    assert {status.value for status in Status} == set(OF_THE_DOMAIN["status"].split())


def test_a_list_is_read_once() -> None:
    assert load_code_list("sex") is load_code_list("sex")


@pytest.mark.parametrize("name", ["", "../codes/sex", "missing"])
def test_a_list_that_is_not_named_is_an_error_of_ours(name: str) -> None:
    with pytest.raises(KeyError):
        load_code_list(name)


def test_a_code_is_known_on_its_own_list_only() -> None:
    assert known("priority", "stat")
    assert not known("priority", "Stat")
    assert not known("status", "stat")


@pytest.mark.parametrize(
    "text",
    [
        "list: x\nversion: 1\nsource: s\ncodes: [{code: no, en: E, meaning: M}]",  # YAML reads a boolean
        "list: x\nversion: 1\nsource: s\ncodes: [{code: Bad, en: E, meaning: M}]",
        "list: x\nversion: 0\nsource: s\ncodes: [{code: a, en: E, meaning: M}]",
        "list: x\nversion: 1\nsource: s\ncodes: []",
        "list: x\nversion: 1\nsource: s\ncodes: [{code: a, en: E, meaning: M, colour: red}]",
    ],
)
def test_a_list_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        parse_code_list(text)


CODED = """person.sex person.languages[1] person.identifiers[0].scheme caregiver.relationship caregiver.care_status
    safe_contact.method request.service_types[1] request.interpreter request.worker_sex_preference consent.given_by
    consent.method consent.purposes[0] consent.data_categories[1] consent.withheld[0] consent.basis follow_up.via"""


@pytest.mark.parametrize("path", CODED.split())
def test_an_unknown_code_is_told_by_its_path_and_is_no_refused_value(path: str) -> None:
    body = read(ReferralBody, changed(a_body(), path, "not-on-any-list"))
    assert unknown_codes(body) == (path,)


@pytest.mark.parametrize("field", ["business_status", "outcome", "outcome_reason"])
def test_an_unknown_code_in_a_status_body_is_told_too(field: str) -> None:
    assert unknown_codes(read(StatusBody, changed(a_status_body(), field, "not-on-any-list"))) == (field,)


def test_an_unknown_kind_of_consent_is_an_unknown_code() -> None:
    assert unknown_codes(read(ReferralBody, changed(a_body(), "consent.kind", "newer-kind"))) == ("consent.kind",)


def test_every_unknown_code_of_a_request_is_told() -> None:
    spoilt = changed(changed(a_request(), "priority", "newer"), "body.consent.purposes[1]", "newer")
    assert unknown_codes(read(ReferralRequest, spoilt)) == ("priority", "body.consent.purposes[1]")


def test_known_and_missing_codes_are_not_unknown() -> None:
    assert unknown_codes(read(ReferralBody, a_body())) == ()
    assert unknown_codes(StatusBody()) == ()


def test_the_mark_is_found_wherever_it_stands_in_an_annotation() -> None:
    class Marked(BaseModel):
        plain: Annotated[str, Coded("sex")]
        nullable: Annotated[str, Coded("sex")] | None
        outside: Annotated[str | None, Coded("sex")]
        items: tuple[Annotated[str, Coded("sex")], ...]

    marked = Marked(plain="a", nullable="b", outside="c", items=("female", "d"))
    assert unknown_codes(marked) == ("plain", "nullable", "outside", "items[1]")
