"""Encrypts bodies in the ledger. Each referral has a key of its own, which a key in the home folder wraps. Destroying
the referral's key erases all copies of its bodies at once, wherever the database's pages have been copied to.

AES-GCM binds each ciphertext to its referral and to the name of its content, as of an event by its writer and id: in
another row it does not decrypt.
"""

import hashlib
import hmac
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from referral_bus.errors import LedgerUnusable, Reason
from schemas.events import ReferralKey

_NONCE = 12  # bytes


class AtRest:
    """Wraps referral keys and makes keyed digests with one 32-byte key from the home folder."""

    def __init__(self, home_key: bytes) -> None:
        self._wrapping = AESGCM(hashlib.sha256(b"referral-bus/wrap/v1" + home_key).digest())
        self._digest_key = hashlib.sha256(b"referral-bus/digest/v1" + home_key).digest()

    def new_key(self, referral: ReferralKey) -> bytes:
        """A new random key for a referral, wrapped, as the ledger stores it."""
        return _encrypt(self._wrapping, secrets.token_bytes(32), _bound_to(referral))

    def encrypt(self, wrapped: bytes, referral: ReferralKey, of: str, content: bytes) -> bytes:
        """The content, encrypted under the referral's key. `of` names the content, as in `body_of`; `decrypt` takes the
        same name."""
        return _encrypt(self._unwrap(wrapped, referral), content, _bound_to(referral, of))

    def decrypt(self, wrapped: bytes, referral: ReferralKey, of: str, encrypted: bytes) -> bytes:
        """The content again. Raises `LedgerUnusable` if it is damaged, was encrypted under other names, or the home's
        key is another one."""
        return _decrypt(self._unwrap(wrapped, referral), encrypted, _bound_to(referral, of))

    def digest(self, purpose: str, content: bytes) -> bytes:
        """A keyed digest (HMAC-SHA256), equal for equal contents of one purpose. A reader of the database who lacks the
        home's key cannot test a guess of the content with it."""
        return hmac.digest(self._digest_key, purpose.encode() + b"\x00" + content, "sha256")

    def _unwrap(self, wrapped: bytes, referral: ReferralKey) -> AESGCM:
        return AESGCM(_decrypt(self._wrapping, wrapped, _bound_to(referral)))


def body_of(writer: str, event_id: UUID) -> str:
    """The name of an event's body, for `AtRest.encrypt`."""
    return f"event/{writer}/{event_id}"


def _bound_to(referral: ReferralKey, of: str = "") -> bytes:
    return f"{referral.sender}/{referral.referral_id}/{of}".encode()


def _encrypt(cipher: AESGCM, content: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + cipher.encrypt(nonce, content, bound_to)


def _decrypt(cipher: AESGCM, encrypted: bytes, bound_to: bytes) -> bytes:
    try:
        return cipher.decrypt(encrypted[:_NONCE], encrypted[_NONCE:], bound_to)
    except (InvalidTag, ValueError):
        advice = "a body in the ledger is damaged, or keys/at-rest.key is not its key; see `agency restored --from`"
        raise LedgerUnusable(Reason.LEDGER_DAMAGED, advice, path="ledger") from None
