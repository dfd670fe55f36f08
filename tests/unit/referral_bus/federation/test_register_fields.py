import copy
from typing import Any

import pytest

from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import read_register, render_register
from referral_bus.federation.yaml_strict import dump_yaml
from tests.kit.register_builders import document, register_of


def changed(place: tuple[str | int, ...], value: Any) -> bytes:
    """The valid register with one value put in; a value of `...` takes the field away."""
    values: Any = copy.deepcopy(document())
    inner = values
    for step in place[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return dump_yaml(values)


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        (("federation",), ..., "federation"),
        (("federation",), "Secret!", "federation"),
        (("version",), 0, "version"),
        (("version",), "1", "version"),
        (("version",), True, "version"),
        (("issued_at",), "2030-01-01", "issued_at"),
        (("issued_at",), "2030-01-01T00:00:00", "issued_at"),
        (("issued_at",), "2030-01-01T05:00:00+05:00", "issued_at"),
        (("issued_at",), "2030-02-31T00:00:00Z", "issued_at"),
        (("issued_at",), "2030-01-01T00:00:00Z\n", "issued_at"),
        (("issued_at",), 20300101, "issued_at"),
        (("stewards", "threshold"), 0, "stewards.threshold"),
        (("stewards", "keys", 0, "public_key"), "AB" * 32, "stewards.keys[0].public_key"),
        (("stewards", "keys", 0, "name"), "secret\u202etext", "stewards.keys[0].name"),
        (("cluster", "topic_prefix"), "secret.prefix", "cluster.topic_prefix"),
        (("cluster", "replication"), 0, "cluster.replication"),
        (("cluster", "inbox_retention_days"), 91, "cluster.inbox_retention_days"),
        (("agencies", 3, "code"), "ab", "agencies[3].code"),
        (("agencies", 3, "code"), "a" * 41, "agencies[3].code"),
        (("agencies", 3, "code"), "Secret", "agencies[3].code"),
        (("agencies", 3, "code"), "secret--x", "agencies[3].code"),
        (("agencies", 3, "code"), "secret\n", "agencies[3].code"),
        (("agencies", 3, "name"), "", "agencies[3].name"),
        (("agencies", 3, "name"), "two\nsecret lines", "agencies[3].name"),
        (("agencies", 3, "name"), "\x1b[31msecret", "agencies[3].name"),
        (("agencies", 3, "kind"), "secret", "agencies[3].kind"),
        (("agencies", 3, "connection"), "secret", "agencies[3].connection"),
        (("agencies", 3, "receives_referrals"), "yes", "agencies[3].receives_referrals"),
        (("agencies", 3, "contacts", 0, "mailbox"), "secret", "agencies[3].contacts[0].mailbox"),
        (("agencies", 3, "services"), "secret", "agencies[3].services"),
        (("agencies", 3), None, "agencies[3]"),
        (("agencies", 0, "signing_keys", 0, "public_key"), "ab" * 31, "agencies[0].signing_keys[0].public_key"),
        (("agencies", 0, "signing_keys", 0, "proof"), ..., "agencies[0].signing_keys[0].proof"),
        (("agreements", 1, "to"), ..., "agreements[1].to"),
        (("agreements", 1, "until"), None, "agreements[1].until"),
    ],
)
def test_a_value_of_the_wrong_form_is_named_by_its_place_and_never_repeated(
    place: tuple[str | int, ...], value: Any, path: str
) -> None:
    with pytest.raises(Refused) as caught:
        read_register(changed(place, value))
    assert (caught.value.reason, caught.value.path) == (Reason.REGISTER_INVALID, path)
    assert "secret" not in str(caught.value).lower()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "path"),
    [(("secret",), None), (("agencies", 3, "secret"), "agencies[3]"), (("agreements", 0, "sender"), "agreements[0]")],
)
def test_an_unknown_field_is_refused_at_its_parent_since_its_name_is_input_too(
    place: tuple[str | int, ...], path: str | None
) -> None:
    with pytest.raises(Refused, match="not known to this version") as caught:
        read_register(changed(place, "secret"))
    assert caught.value.path == path
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("data", [b"[]", b"text", b"null", b"7"])
def test_a_file_that_is_no_register_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_register(data)
    assert caught.value.path is None


def test_what_is_rendered_reads_back_as_the_same_register() -> None:
    values = document()
    values["agencies"][0]["name"] = "Oʻzbekiston klinikasi"
    values["agencies"][0]["signing_keys"][0]["revoked_at"] = "2030-03-01T00:00:00Z"
    values["agencies"][3]["succeeded_by"] = "clinic"
    content = register_of(values).content
    assert read_register(render_register(content)).content == content


def test_nothing_in_a_register_can_be_changed() -> None:
    content = register_of(document()).content
    with pytest.raises(ValueError, match="frozen"):
        content.agencies[0].starts_referrals = False  # type: ignore[misc]
