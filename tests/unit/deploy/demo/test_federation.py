from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.demo.federation import (
    GeneratedFederation,
    Terms,
    agency_key,
    example_template,
    generate_federation,
    make_federation,
)
from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import Register, parse_register, read_register
from referral_bus.federation.trust import first_pin, parse_signatures, signed_by
from referral_bus.wire.signing import key_id_of
from schemas.code_lists import load_code_list

NOW = datetime(2030, 1, 1, 12, 30, 15, 999_999, tzinfo=UTC)
SERVICES = frozenset(entry.code for entry in load_code_list("service_types").codes)
TERMS = Terms("test-federation", "test", NOW)


def accepted(made: GeneratedFederation, now: datetime = NOW) -> Register:
    return first_pin(made.files.register, parse_signatures(made.files.signatures), now, SERVICES)[0]


@pytest.fixture(scope="module")
def whole() -> GeneratedFederation:
    return generate_federation(example_template(), TERMS)


def test_a_generated_federation_is_one_that_an_agency_can_join(whole: GeneratedFederation) -> None:
    register = accepted(whole)
    assert (register.federation, register.version) == ("test-federation", 1)
    assert register.inbox("mahalla") == "test.inbox.mahalla.v1"
    assert len(register.content.agencies) == 24
    assert len(register.content.agreements) == 86


def test_every_case_agency_signs_with_its_own_key_from_a_day_before_until_the_end(whole: GeneratedFederation) -> None:
    register = accepted(whole)
    assert len(whole.agency_keys) == 14
    for code, private in whole.agency_keys.items():
        found = register.signing_key(key_id_of(private.public_key().public_bytes_raw()))
        assert found is not None
        assert found[0] == code
        assert found[1].usable(NOW - timedelta(hours=23))
        assert not found[1].usable(NOW + timedelta(days=365))


def test_agreements_are_in_force_at_once_and_end_with_the_register(whole: GeneratedFederation) -> None:
    register = accepted(whole)
    end = register.content.expires_at
    assert register.agreed("mahalla", "justice", NOW)
    assert not register.agreed("mahalla", "justice", end)
    assert register.expired(end)


def test_just_as_many_stewards_sign_as_it_takes(whole: GeneratedFederation) -> None:
    signatures = parse_signatures(whole.files.signatures)
    names = signed_by(whole.files.register, signatures, accepted(whole).content.stewards)
    assert names == {"steward 1", "steward 2"}
    assert len(whole.steward_keys) == 3


def test_a_small_federation_keeps_the_agreements_among_its_agencies() -> None:
    terms = Terms("test-federation", "test", NOW, only=("mahalla", "justice", "unicef"))
    content = accepted(generate_federation(example_template(), terms)).content
    assert {agency.code for agency in content.agencies} == {"mahalla", "justice", "unicef"}
    assert {(a.sender, a.recipient) for a in content.agreements} == {("mahalla", "justice"), ("justice", "mahalla")}


def test_a_small_federation_forgets_successors_that_are_not_in_it() -> None:
    template = example_template().replace(b"    kind: oversight\n", b"    kind: oversight\n    succeeded_by: justice\n")
    with_justice = Terms("test-federation", "test", NOW, only=("ombudsman", "justice", "mahalla"))
    without = Terms("test-federation", "test", NOW, only=("ombudsman", "mahalla"))
    successors = [
        {agency.code: agency.succeeded_by for agency in accepted(generate_federation(template, terms)).content.agencies}
        for terms in (with_justice, without)
    ]
    assert [found["ombudsman"] for found in successors] == ["justice", None]


def test_the_federations_own_terms_are_in_its_register() -> None:
    terms = Terms("own-federation", "own", NOW, 3, 7, timedelta(days=2), replication=3, min_insync=2, only=("mahalla",))
    content = accepted(generate_federation(example_template(), terms, steward_count=5)).content
    assert (content.federation, content.version, content.expires_at - content.issued_at) == (
        "own-federation",
        7,
        timedelta(days=2),
    )
    assert (content.stewards.threshold, len(content.stewards.keys)) == (3, 5)
    assert (content.cluster.topic_prefix, content.cluster.replication, content.cluster.min_insync) == ("own", 3, 2)
    assert content.cluster.inbox_retention_days == 14


def test_an_agency_without_a_key_is_listed_and_cannot_sign() -> None:
    stewards = {f"steward {i}": Ed25519PrivateKey.generate() for i in range(2)}
    terms = Terms("test-federation", "test", NOW, only=("mahalla", "justice"))
    keys = {"mahalla": agency_key("test-federation", "mahalla", Ed25519PrivateKey.generate())}
    content = read_register(make_federation(example_template(), keys, stewards, terms).register).content
    assert {agency.code: len(agency.signing_keys) for agency in content.agencies} == {"mahalla": 1, "justice": 0}


def test_a_proof_for_another_federation_makes_no_register() -> None:
    stewards = {f"steward {i}": Ed25519PrivateKey.generate() for i in range(2)}
    terms = Terms("test-federation", "test", NOW, only=("mahalla",))
    keys = {"mahalla": agency_key("other-federation", "mahalla", Ed25519PrivateKey.generate())}
    with pytest.raises(Refused) as caught:
        parse_register(make_federation(example_template(), keys, stewards, terms).register, SERVICES)
    assert caught.value.path == "agencies[0].signing_keys[0].proof"


def test_the_template_itself_is_no_register_to_work_with() -> None:
    assert parse_register(example_template(), SERVICES, template=True).version == 1
    with pytest.raises(Refused) as caught:
        parse_register(example_template(), SERVICES)
    assert caught.value.reason is Reason.REGISTER_INVALID
