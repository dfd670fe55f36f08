"""The small federation of the test vectors. Every key and id comes out of its name, so that the same vectors can be
made again byte for byte. None of it is a secret.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKeyPair

from referral_bus.federation.possession import prove_possession
from referral_bus.federation.register import Register, parse_register
from referral_bus.federation.yaml_strict import dump_yaml
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.sealing import SealableEvent, binding, pad
from referral_bus.wire.signing import key_id_of, sign, signature_input

FEDERATION = "test-vectors"
NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
HERE = "clinic"  # whose inbox most vectors stand in
SENDER = "school"
THIRD = "legal-desk"
SUITE = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)

_START, _END = "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
_NOW, _A_SECOND_LATER = "2026-11-23T14:05:00Z", "2026-11-23T14:05:01Z"


def seed(name: str) -> bytes:
    return hashlib.sha256(b"referral-bus test vectors: " + name.encode()).digest()


def fixed_id(name: str) -> UUID:
    return UUID(bytes=seed(name)[:16], version=4)


def signing_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed(f"signing {name}"))


def sealing_key(agency: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(seed(f"sealing {agency}"))


def public_of(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def register_file() -> bytes:
    """`school expired` ends, `school revoked` is revoked and `clinic` begins exactly now; `school future` a second
    later."""
    return dump_yaml(
        {
            "federation": FEDERATION,
            "version": 7,
            "issued_at": "2026-11-01T00:00:00Z",
            "expires_at": _END,
            "stewards": {
                "threshold": 2,
                "keys": [
                    {"name": name, "public_key": public_of(signing_key(name)).hex()}
                    for name in ("steward 1", "steward 2", "steward 3")
                ],
            },
            "cluster": {"topic_prefix": "referral"},
            "agencies": [
                _agency(HERE, "health", _listed(HERE, "clinic", valid_from=_NOW)),
                _agency(
                    SENDER,
                    "education",
                    _listed(SENDER, "school"),
                    _listed(SENDER, "school expired", valid_until=_NOW),
                    _listed(SENDER, "school future", valid_from=_A_SECOND_LATER),
                    _listed(SENDER, "school revoked", revoked_at=_NOW),
                ),
                _agency(THIRD, "legal-aid", _listed(THIRD, "legal-desk")),
            ],
            "agreements": [
                {"from": sender, "to": recipient, "until": _END}
                for sender, recipient in ((SENDER, HERE), (HERE, SENDER), (SENDER, THIRD), (THIRD, HERE))
            ],
        }
    )


def _agency(code: str, service: str, *keys: dict[str, str]) -> dict[str, Any]:
    return {
        "code": code,
        "name": f"Synthetic agency {code}",
        "kind": "ngo",
        "member_from": _START,
        "signing_keys": list(keys),
        "receives_referrals": True,
        "starts_referrals": True,
        "connection": "always",
        "contacts": [{"function": "desk", "mailbox": f"desk@{code}.example", "hours": "Mon-Fri 09:00-18:00"}],
        "services": [service],
    }


def _listed(agency: str, name: str, **dates: str) -> dict[str, str]:
    key = signing_key(name)
    validity = {"valid_from": _START, "valid_until": _END} | dates
    return {"public_key": public_of(key).hex(), **validity, "proof": prove_possession(FEDERATION, agency, key)}


def register() -> Register:
    return parse_register(register_file(), {"health", "education", "legal-aid"})


def find_sealing_key(key_id: str) -> X25519PrivateKey | None:
    keys = {key_id_of(public_of(key)): key for key in map(sealing_key, (HERE, SENDER, THIRD))}
    return keys.get(key_id)


def hpke(plaintext: bytes, info: bytes, to: bytes, ephemeral: str, suite: CipherSuite = SUITE) -> bytes:
    """Sealed by code that is not ours, with an ephemeral key that comes out of a name."""
    private = X25519PrivateKey.from_private_bytes(seed(f"ephemeral {ephemeral}"))
    pair = KEMKeyPair(
        suite.kem.deserialize_private_key(private.private_bytes_raw()),
        suite.kem.deserialize_public_key(public_of(private)),
    )
    enc, context = suite.create_sender_context(suite.kem.deserialize_public_key(to), info, eks=pair)
    return bytes(enc + context.seal(plaintext))


def sealed(
    event: SealableEvent,
    body: bytes,
    to: str | None = None,
    *,
    framed: bytes | None = None,
    info: Callable[[SealableEvent], bytes] = binding,
    suite: CipherSuite = SUITE,
) -> SealableEvent:
    """The event with this body sealed to the addressee's key; every keyword makes something an honest sender never
    does."""
    key_id = key_id_of(public_of(sealing_key(event.addressee)))
    named = event.model_copy(update={"sealing_key_id": key_id})
    public = public_of(sealing_key(to or event.addressee))
    plaintext = pad(body) if framed is None else framed
    content = hpke(plaintext, info(named), public, str(event.event_id), suite)
    return named.model_copy(update={"sealed": content})


@dataclass(frozen=True, slots=True)
class Signing:
    """How a value is signed. The defaults are the honest ones."""

    by: str = SENDER
    federation: str = FEDERATION
    key_id: str | None = None
    topic: str | None = None
    key: bytes | None = None


HONEST = Signing()


def signed(value: bytes, topic: str, key: bytes, how: Signing = HONEST) -> RawRecord:
    """A raw record. Whatever `how` names is signed in place of what the record says."""
    private = signing_key(how.by)
    key_id = key_id_of(public_of(private))
    message = signature_input(how.federation, how.key_id or key_id, how.topic or topic, how.key or key, value)
    return RawRecord(topic, key, value, (("rb_signature", sign(private, message)), ("rb_keyid", key_id.encode())))


def inbox(agency: str) -> str:
    return f"referral.inbox.{agency}.v1"


def later(**span: float) -> datetime:
    return NOW + timedelta(**span)
