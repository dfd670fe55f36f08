"""Proof that an agency has the private half of the signing key that the register lists for it.

Without it an agency could have another agency's key listed as its own.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.wire.signing import lp, sign, verify

TAG = b"referral-bus/possession/v1"


def possession_input(federation: str, agency: str, raw_public_key: bytes) -> bytes:
    """The exact bytes that an agency signs with the key to prove that it has the private half."""
    return lp(TAG) + lp(federation.encode()) + lp(agency.encode()) + lp(raw_public_key)


def prove_possession(federation: str, agency: str, private_key: Ed25519PrivateKey) -> str:
    """The `proof` for the register, as hex. A proof for one agency or federation is none for another."""
    raw = private_key.public_key().public_bytes_raw()
    return sign(private_key, possession_input(federation, agency, raw)).hex()


def possession_proved(federation: str, agency: str, raw_public_key: bytes, proof: str) -> bool:
    """Whether `proof` (hex) is the agency's proof for this key, 32 bytes raw."""
    return verify(raw_public_key, bytes.fromhex(proof), possession_input(federation, agency, raw_public_key))
