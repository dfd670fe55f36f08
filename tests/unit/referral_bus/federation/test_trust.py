"""Stewards 101, 102 and 103 are pinned, and two of them have to sign. 201 to 203 come after them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_bus.errors import Reason, Refused
from referral_bus.federation.pin import Pin
from referral_bus.federation.register import Register
from referral_bus.federation.trust import (
    accept,
    first_pin,
    parse_signatures,
    render_signatures,
    sign_register,
    signing_input,
    trusted,
)
from referral_bus.federation.yaml_strict import dump_yaml
from schemas.events import StewardSignature
from tests.kit.register_builders import (
    FEDERATION,
    NOW,
    SERVICES,
    document,
    private_key,
    public_hex,
    register_of,
)

AFTER_THE_END = datetime(2031, 6, 1, tzinfo=UTC)
OLD, NEW = (101, 102, 103), (201, 202, 203)
STEWARDS = register_of(document()).content.stewards


def version(number: int, **fields: Any) -> bytes:
    return dump_yaml({**document(), "version": number, **fields})


def stewards(*seeds: int, threshold: int = 2) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "keys": [{"name": f"steward {seed}", "public_key": public_hex(seed)} for seed in seeds],
    }


def signed(data: bytes, *seeds: int) -> tuple[StewardSignature, ...]:
    return tuple(sign_register(data, private_key(seed)) for seed in seeds)


def pinned(data: bytes) -> Pin:
    return first_pin(data, signed(data, *OLD), NOW, SERVICES)[1]


def refusal_of(pin: Pin, data: bytes, *seeds: int, now: datetime = NOW) -> Reason:
    with pytest.raises(Refused) as caught:
        accept(pin, data, signed(data, *seeds), now, SERVICES)
    return caught.value.reason


def test_a_steward_signs_exactly_the_tagged_bytes() -> None:
    data = b"x" * 258
    assert signing_input(data) == b"\x00\x00\x00\x18referral-bus/register/v1" + b"\x00\x00\x01\x02" + data


@settings(deadline=None)
@given(st.lists(st.sampled_from([101, 102, 103, 201, 1]), max_size=6))
def test_a_register_is_trusted_when_enough_different_stewards_signed_it(seeds: list[int]) -> None:
    data = version(1)
    if len(set(seeds) & set(OLD)) >= 2:
        assert trusted(data, signed(data, *seeds), STEWARDS, SERVICES).version == 1
    else:
        with pytest.raises(Refused) as caught:
            trusted(data, signed(data, *seeds), STEWARDS, SERVICES)
        assert caught.value.reason is Reason.REGISTER_UNSIGNED


@settings(deadline=None)
@given(st.integers(0, len(version(1)) - 1), st.integers(1, 255))
def test_no_byte_of_a_signed_register_can_be_changed(place: int, by: int) -> None:
    data = version(1)
    changed = bytearray(data)
    changed[place] ^= by
    with pytest.raises(Refused) as caught:
        trusted(bytes(changed), signed(data, *OLD), STEWARDS, SERVICES)
    assert caught.value.reason is Reason.REGISTER_UNSIGNED


def test_a_stewards_signature_over_the_bytes_alone_does_not_count() -> None:
    data = version(1)
    untagged = tuple(
        given.model_copy(update={"signature": private_key(seed).sign(data)})
        for seed, given in zip(OLD, signed(data, *OLD), strict=True)
    )
    with pytest.raises(Refused):
        trusted(data, untagged, STEWARDS, SERVICES)


def test_a_signature_under_another_stewards_key_id_does_not_count() -> None:
    data = version(1)
    first, second = signed(data, 101, 102)
    borrowed = second.model_copy(update={"signature": first.signature})
    with pytest.raises(Refused):
        trusted(data, (first, borrowed), STEWARDS, SERVICES)


def test_an_expired_register_is_still_trusted_and_says_that_it_expired() -> None:
    data = version(1)
    register, pin = accept(pinned(data), data, signed(data, 101, 102), AFTER_THE_END, SERVICES)
    assert register.expired(AFTER_THE_END)
    assert pin == pinned(data)


def test_joining_pins_the_stewards_the_version_and_the_hash() -> None:
    data = version(3)
    register, pin = first_pin(data, signed(data, 101, 102), NOW, SERVICES)
    assert pin == Pin(federation=FEDERATION, version=3, sha256=register.sha256, stewards=STEWARDS)


def test_nobody_joins_by_an_under_signed_or_expired_register() -> None:
    data = version(1)
    with pytest.raises(Refused) as under_signed:
        first_pin(data, signed(data, 101), NOW, SERVICES)
    with pytest.raises(Refused) as expired:
        first_pin(data, signed(data, *OLD), AFTER_THE_END, SERVICES)
    assert under_signed.value.reason is Reason.REGISTER_UNSIGNED
    assert expired.value.reason is Reason.REGISTER_EXPIRED


def test_a_newer_version_takes_the_place_of_the_pinned_one() -> None:
    newer = version(5)
    register, pin = accept(pinned(version(2)), newer, signed(newer, 102, 103), NOW, SERVICES)
    assert (register.version, pin.version, pin.sha256) == (5, 5, register.sha256)


def test_an_older_version_is_refused() -> None:
    assert refusal_of(pinned(version(2)), version(1), *OLD) is Reason.REGISTER_OLDER


def test_the_same_version_with_other_bytes_is_refused_however_well_signed() -> None:
    assert refusal_of(pinned(version(2)), version(2) + b"# another\n", *OLD) is Reason.REGISTER_CHANGED


def test_a_newer_version_signed_by_too_few_is_refused() -> None:
    assert refusal_of(pinned(version(2)), version(3), 101) is Reason.REGISTER_UNSIGNED


def test_a_newer_version_that_has_expired_already_is_refused() -> None:
    assert refusal_of(pinned(version(2)), version(3), *OLD, now=AFTER_THE_END) is Reason.REGISTER_EXPIRED


def test_another_federations_register_is_refused_though_the_same_stewards_signed_it() -> None:
    other = version(3, federation="other-federation", agencies=[], agreements=[])
    assert refusal_of(pinned(version(2)), other, *OLD) is Reason.REGISTER_INVALID


def test_a_signed_register_that_is_not_valid_is_refused() -> None:
    assert refusal_of(pinned(version(2)), version(3, expires_at="soon"), *OLD) is Reason.REGISTER_INVALID


def test_nothing_is_parsed_before_enough_stewards_signed_it() -> None:
    assert refusal_of(pinned(version(2)), b"[[[[ not YAML", 101) is Reason.REGISTER_UNSIGNED


@pytest.mark.parametrize(
    ("seeds", "taken"),
    [
        ((101, 102, 201, 202), True),
        ((101, 102, 103), False),  # enough of the old, none of the new
        ((101, 102, 103, 201), False),  # enough of the old, too few of the new
        ((201, 202, 203), False),  # enough of the new, none of the old
        ((101, 201, 202, 203), False),  # too few of the old, enough of the new
    ],
)
def test_stewards_change_by_enough_of_the_old_and_enough_of_the_new(seeds: tuple[int, ...], taken: bool) -> None:
    pin, data = pinned(version(2)), version(3, stewards=stewards(*NEW))
    if not taken:
        assert refusal_of(pin, data, *seeds) is Reason.REGISTER_UNSIGNED
        return
    _, changed = accept(pin, data, signed(data, *seeds), NOW, SERVICES)
    assert {key.name for key in changed.stewards.keys} == {"steward 201", "steward 202", "steward 203"}


def test_a_higher_threshold_counts_at_once() -> None:
    data = version(3, stewards=stewards(*OLD, threshold=3))
    assert refusal_of(pinned(version(2)), data, 101, 102) is Reason.REGISTER_UNSIGNED


def test_one_steward_in_both_sets_counts_for_each() -> None:
    data = version(3, stewards=stewards(102, 103, 201))
    register, _ = accept(pinned(version(2)), data, signed(data, 102, 103), NOW, SERVICES)
    assert register.version == 3


def test_after_a_change_the_old_stewards_sign_in_vain() -> None:
    middle, last = version(3, stewards=stewards(*NEW)), version(4)
    _, pin = accept(pinned(version(2)), middle, signed(middle, *OLD, *NEW), NOW, SERVICES)
    assert refusal_of(pin, last, *OLD) is Reason.REGISTER_UNSIGNED


@settings(deadline=None)
@given(st.permutations([1, 2, 3, 4]))
def test_whatever_order_versions_arrive_in_the_pinned_version_never_falls(order: list[int]) -> None:
    pin = pinned(version(order[0]))
    register: Register | None = None
    for number in order[1:]:
        data, before = version(number), pin.version
        if number > before:
            register, pin = accept(pin, data, signed(data, *OLD), NOW, SERVICES)
        else:
            assert refusal_of(pin, data, *OLD) is Reason.REGISTER_OLDER
        assert pin.version == max(before, number)
    assert register is None or register.sha256 == pin.sha256


def test_a_signatures_file_reads_back() -> None:
    given = signed(version(1), *OLD)
    assert parse_signatures(render_signatures(given)) == given


@pytest.mark.parametrize(
    "data",
    [
        b"signatures: secret\n",
        b"secret: []\n",
        b"signatures: [{key_id: secret, signature: 00}]\n",
        b"signatures: [{key_id: " + b"a" * 32 + b", signature: secret}]\n",
    ],
)
def test_a_signatures_file_of_another_form_is_refused_without_its_words(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_signatures(data)
    assert caught.value.reason is Reason.REGISTER_UNSIGNED
    assert "secret" not in str(caught.value)


def test_a_signatures_file_is_small() -> None:
    with pytest.raises(Refused, match="over 65536 bytes"):
        parse_signatures(b"#" * 65537)
