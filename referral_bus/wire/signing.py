"""Ed25519 signatures over a record's value and its context: federation, key id, topic and Kafka key, so that a record
is valid in one place only."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TAG = b"referral-bus/sign/v1"


def lp(content: bytes) -> bytes:
    """The content with its length before it (4 bytes big-endian), so that different parts never join to the same
    bytes."""
    return len(content).to_bytes(4, "big") + content


def key_id_of(raw_public_key: bytes) -> str:
    """The id of a raw 32-byte public key: the first 16 bytes of its SHA-256, in hex."""
    return hashlib.sha256(raw_public_key).digest()[:16].hex()


def signature_input(federation: str, key_id: str, topic: str, key: bytes, value: bytes) -> bytes:
    """The exact bytes that the writer of a record signs; `key` is the Kafka key."""
    return lp(TAG) + lp(federation.encode()) + lp(key_id.encode()) + lp(topic.encode()) + lp(key) + lp(value)


def sign(private_key: Ed25519PrivateKey, message: bytes) -> bytes:
    return private_key.sign(message)


def verify(raw_public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is valid. It does not check the key for low order: `federation.weak_keys` keeps such keys
    out of registers."""
    try:
        Ed25519PublicKey.from_public_bytes(raw_public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
