"""What is sealed opens once: for its key, in its event, framed as it must be."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from referral_bus.wire.avro_codec import encode
from referral_bus.wire.sealing import (
    PADDED_SIZES,
    BodyTooLarge,
    OpenFailed,
    SealableEvent,
    binding,
    pad,
    seal,
    unpad,
    unseal,
)
from schemas.events import ReferralEvent, StatusEvent
from schemas.sealing_keys import SealingKey, epoch_start
from tests.kit import independent
from tests.kit.strategies import CLEAR_RECORDS, SEALABLE_EVENTS
from tests.kit.vector_events import referral_event
from tests.kit.vector_federation import hpke, public_of

KEY = X25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = public_of(KEY)
LARGEST_BODY = 16 * 1024 - 4
BODIES = st.binary(max_size=3000) | st.integers(0, LARGEST_BODY).map(lambda size: b"\x01" * size)
CLEAR_FIELDS = [
    (model, name) for model in (ReferralEvent, StatusEvent) for name in model.model_fields if name != "sealed"
]
LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
    bytes(31) + b"\x80",
    (2**256 - 1 - 19).to_bytes(32, "little"),
]
"""All points whose order divides 8, in the spellings that RFC 7748 reads, two of them with the ignored bit set."""


def opens(event: SealableEvent, key: X25519PrivateKey = KEY) -> bool:
    try:
        unseal(event, key)
    except OpenFailed:
        return False
    return True


# padding


@given(BODIES)
def test_a_body_comes_out_of_its_padding(body: bytes) -> None:
    assert unpad(pad(body)) == body


@given(BODIES)
def test_padding_is_the_smallest_of_five_sizes_that_fits(body: bytes) -> None:
    size = len(pad(body))
    assert size in PADDED_SIZES == (1024, 2048, 4096, 8192, 16384)
    assert all(smaller < len(body) + 4 for smaller in PADDED_SIZES if smaller < size)
    assert pad(body) == independent.padded(body)


@pytest.mark.parametrize("size", PADDED_SIZES)
def test_a_body_that_fits_exactly_is_not_padded_further(size: int) -> None:
    assert len(pad(bytes(size - 4))) == size


def test_a_body_over_16_kib_is_refused_by_its_writer() -> None:
    assert len(pad(bytes(LARGEST_BODY))) == 16384
    with pytest.raises(BodyTooLarge):
        pad(bytes(LARGEST_BODY + 1))


@given(BODIES, st.data())
def test_there_is_one_way_to_pad(body: bytes, data: st.DataObject) -> None:
    """Changed anywhere it is refused, or is the padding of another body."""
    plaintext = bytearray(pad(body))
    plaintext[data.draw(st.integers(0, len(plaintext) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = unpad(bytes(plaintext))
    except OpenFailed:
        return
    assert pad(found) == plaintext


@given(st.binary(max_size=2100))
def test_other_bytes_are_not_padding(plaintext: bytes) -> None:
    with pytest.raises(OpenFailed):
        unpad(b"\xff" + plaintext)


@pytest.mark.parametrize("plaintext", [b"", bytes(3), bytes(1023), bytes(1025), bytes(32768), pad(b"x") + bytes(1024)])
def test_other_sizes_are_not_padding(plaintext: bytes) -> None:
    with pytest.raises(OpenFailed):
        unpad(plaintext)


# sealing


@settings(max_examples=30)
@given(SEALABLE_EVENTS, BODIES)
def test_what_is_sealed_opens_again(event: SealableEvent, body: bytes) -> None:
    assert unseal(seal(event, body, PUBLIC), KEY) == body


@settings(max_examples=30)
@given(SEALABLE_EVENTS, BODIES)
def test_pyhpke_opens_what_we_seal(event: SealableEvent, body: bytes) -> None:
    sealed = seal(event, body, PUBLIC)
    info = independent.seal_info(encode(sealed), sealed.sealed)
    assert independent.open_sealed(b"\x07" * 32, info, sealed.sealed) == independent.padded(body)


@settings(max_examples=30)
@given(SEALABLE_EVENTS, BODIES)
def test_we_open_what_pyhpke_seals(event: SealableEvent, body: bytes) -> None:
    info = independent.seal_info(encode(event), event.sealed)
    sealed = event.model_copy(update={"sealed": hpke(independent.padded(body), info, PUBLIC, "unit")})
    assert unseal(sealed, KEY) == body


@settings(max_examples=30)
@given(SEALABLE_EVENTS)
def test_the_seal_is_bound_to_every_byte_before_it(event: SealableEvent) -> None:
    assert binding(event) == independent.seal_info(encode(event), event.sealed)


@settings(max_examples=30)
@given(SEALABLE_EVENTS)
def test_sealing_changes_only_the_sealed_part_and_never_gives_the_same_bytes(event: SealableEvent) -> None:
    one, other = seal(event, b"body", PUBLIC), seal(event, b"body", PUBLIC)
    assert one.sealed != other.sealed
    assert len(one.sealed) == 32 + 1024 + 16
    assert one.model_copy(update={"sealed": b""}) == event.model_copy(update={"sealed": b""})


@pytest.mark.parametrize(("model", "field"), CLEAR_FIELDS, ids=lambda each: getattr(each, "__name__", each))
@settings(max_examples=12)
@given(data=st.data())
def test_a_clear_field_changed_after_sealing_closes_it(
    model: type[SealableEvent], field: str, data: st.DataObject
) -> None:
    events = CLEAR_RECORDS[model.__name__]
    event, other = data.draw(events), data.draw(events)
    sealed = seal(event, b"body", PUBLIC)
    changed = sealed.model_copy(update={field: getattr(other, field)})
    assert opens(changed) == (getattr(event, field) == getattr(other, field))


@given(SEALABLE_EVENTS, st.data())
def test_no_bit_of_the_sealed_part_can_be_another(event: SealableEvent, data: st.DataObject) -> None:
    """But the first of the encapsulated key's last byte, which X25519 ignores: HPKE binds it all the same."""
    sealed = bytearray(seal(event, b"body", PUBLIC).sealed)
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1) | st.just(31 * 8 + 7))
    sealed[bit // 8] ^= 1 << bit % 8
    assert not opens(event.model_copy(update={"sealed": bytes(sealed)}))


@settings(max_examples=30)
@given(SEALABLE_EVENTS, st.binary(max_size=1200))
def test_any_other_bytes_do_not_open(event: SealableEvent, content: bytes) -> None:
    assert not opens(event.model_copy(update={"sealed": content}))


@settings(max_examples=30)
@given(SEALABLE_EVENTS)
def test_nobody_else_opens_it(event: SealableEvent) -> None:
    assert not opens(seal(event, b"body", PUBLIC), X25519PrivateKey.from_private_bytes(b"\x08" * 32))


# keys without a secret


@pytest.mark.parametrize("point", LOW_ORDER, ids=bytes.hex)
def test_an_encapsulated_key_of_low_order_does_not_open(point: bytes) -> None:
    event = referral_event("unit")
    sealed = seal(event, b"body", PUBLIC).sealed
    assert not opens(event.model_copy(update={"sealed": point + sealed[32:]}))


@pytest.mark.parametrize("point", LOW_ORDER, ids=bytes.hex)
def test_nobody_can_announce_a_key_of_low_order(point: bytes) -> None:
    """The relay seals to announced keys only, and HPKE stops with an error at one of these."""
    with pytest.raises(ValidationError):
        SealingKey(epoch=1, public_key=point, valid_from=epoch_start(1), valid_until=epoch_start(2))


def test_other_keys_can_be_announced() -> None:
    for raw in (PUBLIC, b"\x02" + bytes(31), b"\xff" * 31 + b"\x7e"):
        assert (
            SealingKey(epoch=1, public_key=raw, valid_from=epoch_start(1), valid_until=epoch_start(2)).public_key == raw
        )
