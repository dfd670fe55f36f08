"""Ed25519 signatures over everything that says where a record belongs: federation, key, topic, Kafka key, value."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TAG = b"referral-bus/sign/v1"


def lp(content: bytes) -> bytes:
    """Length-prefixed: 4 bytes big-endian, then the content, so that no two inputs run together."""
    return len(content).to_bytes(4, "big") + content


def key_id_of(raw_public_key: bytes) -> str:
    """Hex of the first 16 bytes of SHA-256 of a raw 32-byte public key."""
    return hashlib.sha256(raw_public_key).digest()[:16].hex()


def signature_input(federation: str, key_id: str, topic: str, key: bytes, value: bytes) -> bytes:
    """Exactly the bytes that are signed."""
    return lp(TAG) + lp(federation.encode()) + lp(key_id.encode()) + lp(topic.encode()) + lp(key) + lp(value)


def sign(private_key: Ed25519PrivateKey, message: bytes) -> bytes:
    return private_key.sign(message)


def verify(raw_public_key: bytes, signature: bytes, message: bytes) -> bool:
    """False for any signature that is not right; low-order public keys never get into a register."""
    try:
        Ed25519PublicKey.from_public_bytes(raw_public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
