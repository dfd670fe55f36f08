import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_bus.federation.register import parse_register
from referral_bus.federation.register_models import SigningKey
from referral_bus.federation.yaml_strict import dump_yaml
from referral_bus.wire.envelope import STEWARD
from referral_bus.wire.record import Directory
from referral_bus.wire.signing import key_id_of
from tests.kit.register_builders import (
    END,
    FEDERATION,
    NOW,
    SERVICES,
    START,
    agency,
    document,
    private_key,
    public_hex,
    register_of,
)

BEGINNING, ENDING = datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def test_a_register_knows_its_federation_version_and_the_hash_of_its_exact_bytes() -> None:
    data = dump_yaml(document()) + b"# a comment counts too\n"
    register = parse_register(data, SERVICES)
    assert (register.federation, register.version) == (FEDERATION, 1)
    assert register.sha256 == hashlib.sha256(data).hexdigest()


def test_a_register_expires_at_its_moment_and_not_before() -> None:
    register = register_of(document())
    assert not register.expired(ENDING - MOMENT)
    assert register.expired(ENDING)


def test_an_agency_is_found_by_its_code_or_not_at_all() -> None:
    register = register_of(document())
    clinic = register.agency("clinic")
    assert clinic is not None
    assert clinic.services == ("health",)
    assert register.agency("nobody") is None


@pytest.mark.parametrize(("seed", "owner"), [(1, "clinic"), (2, "school"), (3, "school"), (101, STEWARD)])
def test_a_signing_key_leads_to_its_owner(seed: int, owner: str) -> None:
    directory: Directory = register_of(document())
    raw = private_key(seed).public_key().public_bytes_raw()
    found = directory.signing_key(key_id_of(raw))
    assert found is not None
    assert (found[0], found[1].raw, found[1].usable(NOW)) == (owner, raw, True)


def test_a_key_that_nobody_has_leads_nowhere() -> None:
    assert register_of(document()).signing_key(key_id_of(b"\x09" * 32)) is None


def test_a_key_is_usable_from_its_beginning_until_just_before_its_end() -> None:
    key = SigningKey.model_validate(
        {"public_key": public_hex(1), "valid_from": START, "valid_until": END, "proof": "00" * 64}
    )
    assert [key.usable(t) for t in (BEGINNING - MOMENT, BEGINNING, ENDING - MOMENT, ENDING)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_revoked_key_is_not_usable_from_that_moment_on() -> None:
    values = document()
    values["agencies"][0]["signing_keys"][0]["revoked_at"] = "2030-06-01T00:00:00Z"
    key = register_of(values).content.agencies[0].signing_keys[0]
    assert key.usable(NOW - MOMENT)
    assert not key.usable(NOW)


@settings(deadline=None)
@given(
    st.sampled_from(["clinic", "school", "starter", "observer", "nobody"]),
    st.sampled_from(["clinic", "school", "starter", "observer", "nobody"]),
)
def test_referrals_may_be_started_along_listed_agreements_and_along_no_other_way(sender: str, recipient: str) -> None:
    listed = {("clinic", "school"), ("school", "clinic"), ("starter", "clinic")}
    assert register_of(document()).agreed(sender, recipient, NOW) == ((sender, recipient) in listed)


def test_an_agreement_ends_at_its_moment_and_its_parties_stay_parties() -> None:
    values = document()
    values["agreements"][2]["until"] = "2030-06-01T00:00:00Z"
    register = register_of(values)
    assert register.agreed("starter", "clinic", NOW - MOMENT)
    assert not register.agreed("starter", "clinic", NOW)
    assert register.parties("starter") == {"clinic"}
    assert register.parties("clinic") == {"school", "starter"}
    assert register.parties("observer") == frozenset()


@pytest.mark.parametrize("who", [0, 2])
def test_an_agency_that_left_starts_and_is_sent_no_new_referrals(who: int) -> None:
    values = document()
    values["agencies"][who]["member_until"] = "2030-06-01T00:00:00Z"
    register = register_of(values)
    assert register.agreed("starter", "clinic", NOW - MOMENT)
    assert not register.agreed("starter", "clinic", NOW)
    assert register.inbox("starter") is not None  # answers about its referrals still reach it


@pytest.mark.parametrize("who", [0, 2])
def test_an_agency_that_has_not_joined_yet_starts_and_is_sent_no_referrals(who: int) -> None:
    values = document()
    values["agencies"][who]["member_from"] = "2030-06-01T00:00:00Z"
    register = register_of(values)
    assert not register.agreed("starter", "clinic", NOW - MOMENT)
    assert register.agreed("starter", "clinic", NOW)


def test_topics_are_named_by_prefix_and_agency() -> None:
    register = register_of(document())
    assert register.inbox("clinic") == "test.inbox.clinic.v1"
    assert register.announcement("clinic") == "test.announcement.clinic.v1"
    assert register.notices == "test.notices.v1"
    assert register.register_topic == "test.register.v1"


def test_one_that_only_starts_referrals_has_an_inbox_and_a_pure_observer_has_none() -> None:
    register = register_of(document())
    assert register.inbox("starter") == "test.inbox.starter.v1"
    for code in ("observer", "nobody"):
        assert (register.inbox(code), register.announcement(code)) == (None, None)


@pytest.mark.parametrize("what", ["receives_referrals", "starts_referrals"])
def test_an_agency_has_its_inbox_before_its_first_agreement(what: str) -> None:
    values = document()
    values["agencies"].append(agency("newcomer", **{what: True}))
    assert register_of(values).inbox("newcomer") == "test.inbox.newcomer.v1"


def test_an_agency_that_became_an_observer_keeps_the_inbox_of_its_old_agreements() -> None:
    values = document()
    values["agreements"].append({"from": "observer", "to": "clinic", "until": START})
    assert register_of(values).inbox("observer") == "test.inbox.observer.v1"
