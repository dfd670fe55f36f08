"""Sealing: HPKE base mode with X25519, HKDF-SHA256 and AES-256-GCM. The sealed body is bound to every clear field."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from referral_bus.wire.avro_codec import encode
from schemas.events import ReferralEvent, StatusEvent

TAG = b"referral-bus/seal/v1\x00"
PADDED_SIZES = (1024, 2048, 4096, 8192, 16384)  # bytes; five sizes say little about what is inside
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

SealableEvent = ReferralEvent | StatusEvent


class BodyTooLarge(Exception):
    """The body does not fit in 16 KiB."""


class OpenFailed(Exception):
    """The sealed part does not open, or what is inside is not framed as it must be."""


def pad(body: bytes) -> bytes:
    """Length, body, zeros: the smallest of the five sizes that fits."""
    framed = len(body).to_bytes(4, "big") + body
    for size in PADDED_SIZES:
        if len(framed) <= size:
            return framed.ljust(size, b"\x00")
    raise BodyTooLarge


def unpad(plaintext: bytes) -> bytes:
    """The body again. There is one way to pad: any other total, or anything but zeros after the body, is refused."""
    body = plaintext[4 : 4 + int.from_bytes(plaintext[:4], "big")]
    try:
        if pad(body) == plaintext:
            return body
    except BodyTooLarge:
        pass
    raise OpenFailed


def binding(event: SealableEvent) -> bytes:
    """The HPKE info: a tag, then the event's value up to the length of `sealed`, which is its last field."""
    bare = event.model_copy(update={"sealed": b""})
    return TAG + encode(bare)[:-1]


def seal(event: SealableEvent, body: bytes, raw_public_key: bytes) -> SealableEvent:
    """The event with its body sealed to a key; `event.sealing_key_id` must already name that key."""
    public_key = X25519PublicKey.from_public_bytes(raw_public_key)
    sealed = SUITE.encrypt(pad(body), public_key, info=binding(event))
    return event.model_copy(update={"sealed": sealed})


def unseal(event: SealableEvent, private_key: X25519PrivateKey) -> bytes:
    """The body's single-object bytes. Raises `OpenFailed`."""
    try:
        plaintext = SUITE.decrypt(event.sealed, private_key, info=binding(event))
    except (InvalidTag, ValueError):
        raise OpenFailed from None
    return unpad(plaintext)
