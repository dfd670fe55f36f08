"""A small valid register as plain values, for tests to change one thing in."""

from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from referral_bus.federation.possession import prove_possession
from referral_bus.federation.register import Register, parse_register
from referral_bus.federation.yaml_strict import dump_yaml

FEDERATION = "test-federation"
SERVICES = frozenset({"health", "education"})
NOW = datetime(2030, 6, 1, tzinfo=UTC)
START, END = "2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"


def private_key(seed: int) -> Ed25519PrivateKey:
    """Always the same key for the same number."""
    return Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))


def public_hex(seed: int) -> str:
    return private_key(seed).public_key().public_bytes_raw().hex()


def listed_key(agency: str, seed: int, **fields: Any) -> dict[str, Any]:
    proof = prove_possession(FEDERATION, agency, private_key(seed))
    return {"public_key": public_hex(seed), "valid_from": START, "valid_until": END, "proof": proof, **fields}


def agency(code: str, **fields: Any) -> dict[str, Any]:
    return {
        "code": code,
        "name": f"Agency {code}",
        "kind": "ngo",
        "member_from": START,
        "receives_referrals": False,
        "starts_referrals": False,
        "connection": "always",
        "contacts": [{"function": "desk", "mailbox": f"desk@{code}.example", "hours": "Mon-Fri 09:00-18:00"}],
        **fields,
    }


def document() -> dict[str, Any]:
    """Clinic and school may refer to each other, the starter to the clinic; the observer watches. Stewards: 2 of 3."""
    return {
        "federation": FEDERATION,
        "version": 1,
        "issued_at": START,
        "expires_at": END,
        "stewards": {
            "threshold": 2,
            "keys": [{"name": f"steward {seed}", "public_key": public_hex(seed)} for seed in (101, 102, 103)],
        },
        "cluster": {"topic_prefix": "test"},
        "agencies": [
            agency(
                "clinic",
                receives_referrals=True,
                starts_referrals=True,
                services=["health"],
                signing_keys=[listed_key("clinic", 1)],
            ),
            agency(
                "school",
                receives_referrals=True,
                starts_referrals=True,
                services=["education"],
                signing_keys=[listed_key("school", 2), listed_key("school", 3)],
            ),
            agency("starter", starts_referrals=True, signing_keys=[listed_key("starter", 4)]),
            agency("observer"),
        ],
        "agreements": [
            {"from": "clinic", "to": "school", "until": END},
            {"from": "school", "to": "clinic", "until": END},
            {"from": "starter", "to": "clinic", "until": END},
        ],
    }


def register_of(values: dict[str, Any]) -> Register:
    return parse_register(dump_yaml(values), SERVICES)
