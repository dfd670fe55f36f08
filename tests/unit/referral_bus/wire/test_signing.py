"""Who signed what: a signature fits one federation, key, topic, Kafka key and value, and nothing else."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from referral_bus.federation.weak_keys import weak_key
from referral_bus.wire.signing import key_id_of, lp, sign, signature_input, verify
from tests.kit import independent
from tests.kit.vector_federation import public_of

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_of(KEY)
KEY_ID = "56475aa75463474c0285df5dbf2bcab7"
TEXT = st.text(max_size=20)
INPUTS = st.tuples(TEXT, TEXT, TEXT, st.binary(max_size=20), st.binary(max_size=40))
ORDER = 2**252 + 27742317777372353535851937790883648493


def test_a_key_id_is_half_a_hash_in_lower_case_hex() -> None:
    assert key_id_of(PUBLIC) == KEY_ID == hashlib.sha256(PUBLIC).hexdigest()[:32]


def test_the_signed_bytes_are_these() -> None:
    assert signature_input("fed", "ab", "t", b"key", b"value").hex() == (
        "00000014" + b"referral-bus/sign/v1".hex() + "00000003666564" + "000000026162" + "0000000174"
        "000000036b6579" + "0000000576616c7565"
    )


@given(INPUTS, INPUTS)
def test_no_two_inputs_are_the_same_bytes(
    one: tuple[str, str, str, bytes, bytes], other: tuple[str, str, str, bytes, bytes]
) -> None:
    assert (signature_input(*one) == signature_input(*other)) == (one == other)


@given(st.binary(max_size=300))
def test_a_length_stands_before_the_content_big_endian(content: bytes) -> None:
    assert lp(content) == len(content).to_bytes(4, "big") + content == independent.length_prefixed(content)


@given(INPUTS, st.integers(0, 4), st.data())
def test_each_part_of_the_input_is_signed(
    given_parts: tuple[str, str, str, bytes, bytes], place: int, data: st.DataObject
) -> None:
    parts = list(given_parts)
    signature = sign(KEY, signature_input(*given_parts))
    assert verify(PUBLIC, signature, signature_input(*given_parts))
    kind = st.binary(max_size=20) if isinstance(parts[place], bytes) else TEXT
    parts[place] = data.draw(kind.filter(lambda part: part != given_parts[place]))
    assert not verify(PUBLIC, signature, signature_input(*parts))  # type: ignore[arg-type]


@given(st.binary(max_size=100))
def test_pynacl_takes_our_signature_and_we_take_its(message: bytes) -> None:
    assert VerifyKey(PUBLIC).verify(message, sign(KEY, message)) == message
    assert verify(PUBLIC, SigningKey(bytes(range(32))).sign(message).signature, message)


@given(st.binary(max_size=100), st.integers(0, 511))
def test_no_bit_of_a_signature_can_be_another(message: bytes, bit: int) -> None:
    signature = int.from_bytes(sign(KEY, message), "little") ^ (1 << bit)
    assert not verify(PUBLIC, signature.to_bytes(64, "little"), message)


def test_a_signature_has_one_spelling() -> None:
    signature = sign(KEY, b"message")
    unreduced = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(PUBLIC, signature[:32] + unreduced.to_bytes(32, "little"), b"message")


@pytest.mark.parametrize("public_key", [b"", PUBLIC[:31], PUBLIC + b"\0", b"\xff" * 32, b"\x02" + bytes(31)])
@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65)])
def test_what_is_no_key_or_no_signature_verifies_nothing(public_key: bytes, signature: bytes) -> None:
    assert not verify(public_key, signature, b"message")


def test_a_low_order_key_would_sign_everything_and_is_refused_before_it_is_listed() -> None:
    identity = b"\x01" + bytes(31)
    nothing = identity + bytes(32)
    assert verify(identity, nothing, b"one message")
    assert verify(identity, nothing, b"another message")
    assert weak_key(identity)
