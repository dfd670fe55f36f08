"""The example register against the table of agencies that the agencies' workshop agreed on."""

import pytest

from deploy.demo.federation import example_template
from referral_bus.federation.register import read_register

CONTENT = read_register(example_template()).content

# code, kind, what it may receive (None: never a referral), to whom it may start referrals
TABLE: tuple[tuple[str, str, str | None, str], ...] = (
    ("family-women", "government", "women-gbv livelihoods cash-material legal-aid mhpss", "all"),
    ("mahalla", "government", "cash-material social-mediation", "all"),
    ("public-health", "government", "health mhpss disability-rehabilitation", "all"),
    ("public-education", "government", "education", "child-protection mhpss"),
    ("preschool-education", "government", "early-childhood", "child-protection mhpss"),
    ("justice", "government", "civil-documents legal-aid", "livelihoods cash-material social-mediation"),
    ("law-university", "academic", "legal-aid", "livelihoods cash-material social-mediation"),
    ("child-adaptation", "government", "child-protection alternative-care family-tracing", "health education"),
    ("istiqboli-avlod", "ngo", "women-gbv safe-shelter", "all"),
    ("barqaror-hayot", "ngo", "mhpss social-mediation", "all"),
    ("intilish", "ngo", "social-mediation", "mhpss"),
    ("ombudsman", "oversight", "complaint", ""),
    ("human-rights-centre", "oversight", "complaint", ""),
    ("islamic-academy", "academic", "", ""),
    ("internal-affairs", "government", None, ""),
    ("prosecutor", "government", None, ""),
    ("prosecutor-academy", "academic", None, ""),
    ("internal-affairs-academy", "academic", None, ""),
    ("strategic-studies", "academic", None, ""),
    ("unicef", "un", None, ""),
    ("unodc", "un", None, ""),
    ("un-women", "un", None, ""),
    ("unoct", "un", None, ""),
    ("cted", "un", None, ""),
)
CASE_AGENCIES = {code for code, _, services, _ in TABLE if services is not None}

# The agreements that follow from the last column, written out.
NARROW = {
    "public-education": {"child-adaptation", "family-women", "public-health", "barqaror-hayot"},
    "preschool-education": {"child-adaptation", "family-women", "public-health", "barqaror-hayot"},
    "justice": {"family-women", "mahalla", "barqaror-hayot", "intilish"},
    "law-university": {"family-women", "mahalla", "barqaror-hayot", "intilish"},
    "child-adaptation": {"public-health", "public-education"},
    "intilish": {"family-women", "public-health", "barqaror-hayot"},
}


def test_the_agencies_are_those_of_the_table_with_their_kinds_and_services() -> None:
    listed = [(a.code, a.kind, a.receives_referrals, a.services, a.starts_referrals) for a in CONTENT.agencies]
    assert listed == [
        (code, kind, services is not None, tuple((services or "").split()), to != "")
        for code, kind, services, to in TABLE
    ]


@pytest.mark.parametrize(("code", "to"), [(code, to) for code, _, _, to in TABLE])
def test_each_agency_may_start_referrals_to_those_of_its_row(code: str, to: str) -> None:
    wanted = {
        other
        for other, _, services, _ in TABLE
        if services is not None and (to == "all" or set(services.split()) & set(to.split()))
    }
    listed = {agreement.recipient for agreement in CONTENT.agreements if agreement.sender == code}
    assert listed == wanted - {code}
    assert listed == NARROW.get(code, CASE_AGENCIES - {code} if to == "all" else set())


def test_there_are_24_agencies_14_case_agencies_and_86_agreements() -> None:
    assert (len(CONTENT.agencies), len(CASE_AGENCIES), len(CONTENT.agreements)) == (24, 14, 86)


def test_observers_are_in_no_agreement() -> None:
    parties = {code for agreement in CONTENT.agreements for code in (agreement.sender, agreement.recipient)}
    assert parties == CASE_AGENCIES


def test_the_example_holds_no_key() -> None:
    assert CONTENT.stewards.keys == ()
    assert not [agency.code for agency in CONTENT.agencies if agency.signing_keys]


def test_every_contact_is_a_function_with_a_made_up_mailbox() -> None:
    for agency in CONTENT.agencies:
        assert [contact.mailbox.partition("@")[2] for contact in agency.contacts] == [f"{agency.code}.example"]


def test_every_kind_of_connection_occurs_among_the_case_agencies_and_no_ngo_is_always_there() -> None:
    assert {a.connection for a in CONTENT.agencies if a.receives_referrals} == {"always", "office-hours", "occasional"}
    assert "always" not in {a.connection for a in CONTENT.agencies if a.kind == "ngo"}
