"""The shipped test vectors, read as anybody would read them."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from referral_bus.wire.raw import RawRecord
from referral_bus.wire.signing import key_id_of


def vectors() -> Traversable:
    return resources.files("schemas") / "vectors"


@dataclass(frozen=True)
class Vector:
    """One file. `content` is its JSON."""

    name: str
    content: dict[str, Any]

    def hex(self, field: str) -> bytes:
        return bytes.fromhex(self.content[field])

    @property
    def here(self) -> str:
        return str(self.content["here"])

    @property
    def is_sealed(self) -> bool:
        return "sealed" in self.content

    @property
    def raw(self) -> RawRecord:
        headers = tuple((name, bytes.fromhex(value)) for name, value in self.content["headers"])
        return RawRecord(self.content["topic"], self.hex("key"), self.hex("value"), headers)

    def find_key(self, key_id: str) -> X25519PrivateKey | None:
        """The one sealing key that the vector's reader has."""
        key = X25519PrivateKey.from_private_bytes(self.hex("sealing_private_key"))
        return key if key_id == key_id_of(key.public_key().public_bytes_raw()) else None


def now() -> datetime:
    return datetime.fromisoformat((vectors() / "now.txt").read_text(encoding="ascii").strip())


def register_bytes() -> bytes:
    return (vectors() / "register.yaml").read_bytes()


@cache
def accepted_vectors() -> tuple[Vector, ...]:
    return _read(vectors())


@cache
def refused_vectors() -> tuple[Vector, ...]:
    return _read(vectors() / "refused")


def _read(folder: Traversable) -> tuple[Vector, ...]:
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".json"))
    return tuple(Vector(name.removesuffix(".json"), json.loads((folder / name).read_bytes())) for name in names)
