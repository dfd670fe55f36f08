"""Each case changes one thing in a valid register and names the one place that is then wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import parse_register, read_register
from referral_bus.federation.register_rules import problems
from referral_bus.federation.yaml_strict import dump_yaml
from tests.kit.register_builders import (
    END,
    FEDERATION,
    SERVICES,
    START,
    agency,
    document,
    listed_key,
    public_hex,
    register_of,
)

Values = dict[str, Any]


def wrong_places(values: Values) -> list[str]:
    return [problem.path for problem in problems(read_register(dump_yaml(values)).content, SERVICES, template=False)]


def test_the_valid_register_has_nothing_wrong() -> None:
    assert wrong_places(document()) == []


def expires_with_its_issue(values: Values) -> str:
    values["expires_at"] = values["issued_at"]
    return "expires_at"


def membership_of_no_length(values: Values) -> str:
    values["agencies"][3]["member_until"] = START
    return "agencies[3].member_until"


def key_of_no_length(values: Values) -> str:
    values["agencies"][0]["signing_keys"][0]["valid_until"] = START
    return "agencies[0].signing_keys[0].valid_until"


def more_copies_in_step_than_there_are(values: Values) -> str:
    values["cluster"].update(replication=2, min_insync=3)
    return "cluster.min_insync"


def same_code_twice(values: Values) -> str:
    values["agencies"].append(agency("observer"))
    return "agencies[4].code"


def unknown_successor(values: Values) -> str:
    values["agencies"][0]["succeeded_by"] = "nobody"
    return "agencies[0].succeeded_by"


def its_own_successor(values: Values) -> str:
    values["agencies"][0]["succeeded_by"] = "clinic"
    return "agencies[0].succeeded_by"


def unknown_service(values: Values) -> str:
    values["agencies"][1]["services"] = ["education", "divination"]
    return "agencies[1].services[1]"


def service_twice(values: Values) -> str:
    values["agencies"][1]["services"] = ["education", "education"]
    return "agencies[1].services[1]"


def service_of_one_that_receives_nothing(values: Values) -> str:
    values["agencies"][3]["services"] = ["health"]
    return "agencies[3].services"


def agreement_from_nobody(values: Values) -> str:
    values["agreements"].append({"from": "nobody", "to": "clinic", "until": END})
    return "agreements[3].from"


def agreement_with_nobody(values: Values) -> str:
    values["agreements"].append({"from": "clinic", "to": "nobody", "until": END})
    return "agreements[3].to"


def agreement_from_an_observer(values: Values) -> str:
    values["agreements"].append({"from": "observer", "to": "clinic", "until": END})
    return "agreements[3].from"


def agreement_with_one_that_receives_nothing(values: Values) -> str:
    values["agreements"].append({"from": "clinic", "to": "starter", "until": END})
    return "agreements[3].to"


def agreement_with_itself(values: Values) -> str:
    values["agreements"].append({"from": "clinic", "to": "clinic", "until": END})
    return "agreements[3].to"


def agreement_twice(values: Values) -> str:
    values["agreements"].append({"from": "clinic", "to": "school", "until": "2030-12-01T00:00:00Z"})
    return "agreements[3]"


def key_of_two_agencies(values: Values) -> str:
    values["agencies"][3]["signing_keys"] = [listed_key("observer", 1)]
    return "agencies[3].signing_keys[0].public_key"


def key_listed_twice(values: Values) -> str:
    values["agencies"][1]["signing_keys"].append(listed_key("school", 2))
    return "agencies[1].signing_keys[2].public_key"


def stewards_key_for_an_agency(values: Values) -> str:
    values["agencies"][3]["signing_keys"] = [listed_key("observer", 101)]
    return "agencies[3].signing_keys[0].public_key"


def proof_of_another_agency(values: Values) -> str:
    values["agencies"][3]["signing_keys"] = [listed_key("clinic", 9)]
    return "agencies[3].signing_keys[0].proof"


def proof_for_another_federation(values: Values) -> str:
    values["federation"] = FEDERATION + "-two"
    values["agencies"] = values["agencies"][:1]
    values["agreements"] = []
    return "agencies[0].signing_keys[0].proof"


def proof_by_another_key(values: Values) -> str:
    values["agencies"][0]["signing_keys"][0]["proof"] = listed_key("clinic", 9)["proof"]
    return "agencies[0].signing_keys[0].proof"


def weak_agency_key(values: Values) -> str:
    values["agencies"][0]["signing_keys"][0]["public_key"] = "01" + "00" * 31
    return "agencies[0].signing_keys[0].public_key"


def weak_steward_key(values: Values) -> str:
    values["stewards"]["keys"][0]["public_key"] = "01" + "00" * 31
    return "stewards.keys[0].public_key"


def one_key_for_two_stewards(values: Values) -> str:
    values["stewards"]["keys"][2]["public_key"] = public_hex(101)
    return "stewards.keys[2].public_key"


def two_keys_for_one_steward(values: Values) -> str:
    values["stewards"]["keys"][2]["name"] = "steward 101"
    return "stewards.keys[2].name"


def more_signatures_than_stewards(values: Values) -> str:
    values["stewards"]["threshold"] = 4
    return "stewards.threshold"


@pytest.mark.parametrize(
    "break_one_thing",
    [
        expires_with_its_issue,
        membership_of_no_length,
        key_of_no_length,
        more_copies_in_step_than_there_are,
        same_code_twice,
        unknown_successor,
        its_own_successor,
        unknown_service,
        service_twice,
        service_of_one_that_receives_nothing,
        agreement_from_nobody,
        agreement_with_nobody,
        agreement_from_an_observer,
        agreement_with_one_that_receives_nothing,
        agreement_with_itself,
        agreement_twice,
        key_of_two_agencies,
        key_listed_twice,
        stewards_key_for_an_agency,
        proof_of_another_agency,
        proof_for_another_federation,
        proof_by_another_key,
        weak_agency_key,
        weak_steward_key,
        one_key_for_two_stewards,
        two_keys_for_one_steward,
        more_signatures_than_stewards,
    ],
)
def test_one_wrong_thing_is_named_by_its_place_and_refuses_the_register(
    break_one_thing: Callable[[Values], str],
) -> None:
    values = document()
    path = break_one_thing(values)
    assert wrong_places(values) == [path]
    with pytest.raises(Refused) as caught:
        register_of(values)
    assert (caught.value.reason, caught.value.path) == (Reason.REGISTER_INVALID, path)
    assert "\n" not in str(caught.value)


def test_a_ring_of_successors_is_refused_at_each_of_its_agencies() -> None:
    values = document()
    values["agencies"][0]["succeeded_by"] = "school"
    values["agencies"][1]["succeeded_by"] = "clinic"
    values["agencies"][3]["succeeded_by"] = "clinic"  # leads into the ring, but is not on it
    assert wrong_places(values) == ["agencies[0].succeeded_by", "agencies[1].succeeded_by"]


def test_an_ended_agreement_may_stay_listed_when_its_agencies_take_no_part_any_more() -> None:
    values = document()
    values["agreements"].append({"from": "observer", "to": "starter", "until": START})
    assert wrong_places(values) == []


def test_a_template_needs_no_stewards_and_a_register_does() -> None:
    values = document()
    values["stewards"]["keys"] = []
    assert parse_register(dump_yaml(values), SERVICES, template=True).version == 1
    with pytest.raises(Refused) as caught:
        register_of(values)
    assert caught.value.path == "stewards.threshold"


def test_no_refusal_repeats_what_stands_in_the_file() -> None:
    values = document()
    values["agencies"][0]["services"] = ["secret-service"]
    values["agencies"][1]["succeeded_by"] = "secret-agency"
    values["agreements"].append({"from": "secret-agency", "to": "secret-agency", "until": END})
    values["agencies"][3]["signing_keys"] = [{**listed_key("secret", 9), "public_key": public_hex(8)}]
    content = read_register(dump_yaml(values)).content
    lines = [str(problem.refused()) for problem in problems(content, SERVICES, template=False)]
    assert len(lines) == 6
    assert not [line for line in lines if "secret" in line or public_hex(8) in line]
