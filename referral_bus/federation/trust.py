"""Whose word a register is: detached signatures of its stewards over the exact bytes, and what may follow what.

    accept(pin, data, signatures, now)
      │ under-signed by the pinned stewards   REGISTER_UNSIGNED
      │ older than the pinned version         REGISTER_OLDER
      │ the pinned version, other bytes       REGISTER_CHANGED
      │ new, under-signed by its own stewards REGISTER_UNSIGNED
      │ new, and expired already              REGISTER_EXPIRED
      └ the register, and the pin from now on

Nothing of a file is parsed before its signatures are found good.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from referral_bus.errors import Reason, Refused
from referral_bus.federation.pin import Pin
from referral_bus.federation.register import Register, parse_register
from referral_bus.federation.register_models import KeyIdHex, RegisterModel, SignatureHex, Stewards
from referral_bus.federation.yaml_strict import dump_yaml, load_yaml
from referral_bus.wire.signing import key_id_of, lp, sign, verify
from schemas.events import StewardSignature

TAG = b"referral-bus/register/v1"
MAX_SIGNATURES_BYTES = 64 * 1024


def signing_input(data: bytes) -> bytes:
    """Exactly the bytes that a steward signs."""
    return lp(TAG) + lp(data)


def sign_register(data: bytes, private_key: Ed25519PrivateKey) -> StewardSignature:
    key_id = key_id_of(private_key.public_key().public_bytes_raw())
    return StewardSignature(key_id=key_id, signature=sign(private_key, signing_input(data)))


def signed_by(data: bytes, signatures: Sequence[StewardSignature], stewards: Stewards) -> frozenset[str]:
    """The names of the stewards whose signature is good. Two signatures of one steward count once."""
    keys = {key.key_id: key for key in stewards.keys}
    message = signing_input(data)
    return frozenset(
        keys[given.key_id].name
        for given in signatures
        if given.key_id in keys and verify(keys[given.key_id].raw, given.signature, message)
    )


def trusted(
    data: bytes, signatures: Sequence[StewardSignature], stewards: Stewards, known_services: Collection[str]
) -> Register:
    """The register, signed by enough of these stewards. It may have expired: `Register.expired` tells."""
    _refuse_under_signed(data, signatures, stewards)
    return parse_register(data, known_services)


def first_pin(
    data: bytes, signatures: Sequence[StewardSignature], now: datetime, known_services: Collection[str]
) -> tuple[Register, Pin]:
    """The first register of an agency, when nothing is pinned yet. A register names its own stewards, so an attacker
    can make one that passes: a person must have compared `sha256`, or the stewards' keys, with what the stewards say by
    another way."""
    register = parse_register(data, known_services)
    _refuse_under_signed(data, signatures, register.content.stewards)
    _refuse_expired(register, now)
    return register, _pin_of(register)


def accept(
    pin: Pin,
    data: bytes,
    signatures: Sequence[StewardSignature],
    now: datetime,
    known_services: Collection[str],
) -> tuple[Register, Pin]:
    """The pinned register again, even an expired one, or a newer one in its place. Everything else is an alarm.

    When the stewards change, enough of the old and enough of the new must have signed. An agency that was away takes
    the versions in between one after the other.
    """
    register = trusted(data, signatures, pin.stewards, known_services)
    if register.federation != pin.federation:
        raise Refused(
            Reason.REGISTER_INVALID, "this is another federation's register; join that one anew", "federation"
        )
    if register.version < pin.version:
        raise Refused(Reason.REGISTER_OLDER, "a newer version was accepted before; get the newest", "version")
    if register.version == pin.version:
        if register.sha256 != pin.sha256:
            advice = "the accepted version has other bytes; tell the stewards, one of the two files is not theirs"
            raise Refused(Reason.REGISTER_CHANGED, advice, "version")
        return register, pin
    _refuse_under_signed(data, signatures, register.content.stewards)
    _refuse_expired(register, now)
    return register, _pin_of(register)


def _pin_of(register: Register) -> Pin:
    return Pin(
        federation=register.federation,
        version=register.version,
        sha256=register.sha256,
        stewards=register.content.stewards,
    )


def _refuse_under_signed(data: bytes, signatures: Sequence[StewardSignature], stewards: Stewards) -> None:
    good = len(signed_by(data, signatures, stewards))
    if good < stewards.threshold:
        advice = (
            f"{good} of {stewards.threshold} stewards' signatures are good; get the others, or the file that was signed"
        )
        raise Refused(Reason.REGISTER_UNSIGNED, advice)


def _refuse_expired(register: Register, now: datetime) -> None:
    if register.expired(now):
        raise Refused(Reason.REGISTER_EXPIRED, "ask the stewards for a newer version, or set the clock", "expires_at")


class _Entry(RegisterModel):
    key_id: KeyIdHex
    signature: SignatureHex


class _SignaturesFile(RegisterModel):
    signatures: tuple[_Entry, ...]


def parse_signatures(data: bytes) -> tuple[StewardSignature, ...]:
    """The signatures in `register.signatures.yaml`. Raises `Refused` (REGISTER_UNSIGNED) for any other content, or
    REGISTER_INVALID for what is no YAML."""
    value = load_yaml(data, MAX_SIGNATURES_BYTES)
    try:
        file = _SignaturesFile.model_validate(value)
    except ValidationError:
        advice = "the signatures file is malformed; get it again"
        raise Refused(Reason.REGISTER_UNSIGNED, advice) from None
    return tuple(StewardSignature(key_id=e.key_id, signature=bytes.fromhex(e.signature)) for e in file.signatures)


def render_signatures(signatures: Sequence[StewardSignature]) -> bytes:
    entries = [{"key_id": given.key_id, "signature": given.signature.hex()} for given in signatures]
    return dump_yaml({"signatures": entries})
