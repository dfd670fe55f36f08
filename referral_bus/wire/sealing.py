"""Sealing: HPKE base mode with X25519, HKDF-SHA256 and AES-256-GCM. The sealed body is bound to every clear field."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from referral_bus.wire.avro_codec import encode
from schemas.events import ReferralEvent, StatusEvent

TAG = b"referral-bus/seal/v1\x00"
PADDED_SIZES = (1024, 2048, 4096, 8192, 16384)  # bytes; with five sizes the length tells little about the content
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

SealableEvent = ReferralEvent | StatusEvent


class BodyTooLarge(Exception):
    """The body does not fit in 16 KiB."""


class OpenFailed(Exception):
    """The sealed part cannot be decrypted, or its padding is wrong."""


def pad(body: bytes) -> bytes:
    """Length (4 bytes big-endian), body, zeros, in the smallest of `PADDED_SIZES` that fits. Raises `BodyTooLarge`."""
    framed = len(body).to_bytes(4, "big") + body
    for size in PADDED_SIZES:
        if len(framed) <= size:
            return framed.ljust(size, b"\x00")
    raise BodyTooLarge


def unpad(plaintext: bytes) -> bytes:
    """The body in a padded plaintext. Raises `OpenFailed` unless `pad` gives the same bytes: any other length, and
    anything but zeros after the body, is refused."""
    body = plaintext[4 : 4 + int.from_bytes(plaintext[:4], "big")]
    try:
        if pad(body) == plaintext:
            return body
    except BodyTooLarge:
        pass
    raise OpenFailed


def binding(event: SealableEvent) -> bytes:
    """The HPKE info of an event: `TAG`, then the encoded event up to the length of `sealed`, its last field. So the
    sealed body is bound to every clear field."""
    bare = event.model_copy(update={"sealed": b""})
    return TAG + encode(bare)[:-1]


def seal(event: SealableEvent, body: bytes, raw_public_key: bytes) -> SealableEvent:
    """The event with `body` (single-object bytes) sealed to a raw 32-byte public key, which `event.sealing_key_id` must
    name already. Raises `BodyTooLarge`."""
    public_key = X25519PublicKey.from_public_bytes(raw_public_key)
    sealed = SUITE.encrypt(pad(body), public_key, info=binding(event))
    return event.model_copy(update={"sealed": sealed})


def unseal(event: SealableEvent, private_key: X25519PrivateKey) -> bytes:
    """The single-object bytes of an event's body. Raises `OpenFailed`."""
    try:
        plaintext = SUITE.decrypt(event.sealed, private_key, info=binding(event))
    except (InvalidTag, ValueError):
        raise OpenFailed from None
    return unpad(plaintext)
