"""The wire format once more, in few lines and with other people's libraries: nothing here imports what it checks."""

import hashlib
import io
import json
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import Any
from uuid import UUID

import avro.io
import avro.schema
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from pyhpke import AEADId, CipherSuite, KDFId, KEMId

SUITE = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)
KEPT = ("name", "type", "fields", "symbols", "items", "values", "size")
"""The attributes of Avro's parsing canonical form, in its order."""


def length_prefixed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def key_id(public_key: bytes) -> bytes:
    return hashlib.sha256(public_key).hexdigest()[:32].encode()


def signed_bytes(federation: str, public_key: bytes, topic: str, key: bytes, value: bytes) -> bytes:
    parts = (b"referral-bus/sign/v1", federation.encode(), key_id(public_key), topic.encode(), key, value)
    return length_prefixed(*parts)


def signature_fits(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def zigzag(number: int) -> bytes:
    """A count or length that is not negative, as Avro writes it."""
    number *= 2
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def seal_info(value: bytes, sealed: bytes) -> bytes:
    ending = zigzag(len(sealed)) + sealed
    assert value.endswith(ending)
    return b"referral-bus/seal/v1\x00" + value[: -len(ending)]


def open_sealed(private_key: bytes, info: bytes, sealed: bytes) -> bytes:
    recipient = SUITE.create_recipient_context(sealed[:32], SUITE.kem.deserialize_private_key(private_key), info)
    return bytes(recipient.open(sealed[32:]))


def padded(body: bytes) -> bytes:
    content = len(body).to_bytes(4, "big") + body
    size = next(kib * 1024 for kib in (1, 2, 4, 8, 16) if len(content) <= kib * 1024)
    return content + bytes(size - len(content))


def schema_source(record: str) -> Any:
    return json.loads((resources.files("schemas") / "avro" / f"{record}.v1.avsc").read_text(encoding="utf-8"))


def canonical(schema: Any, namespace: str = "") -> Any:
    """Avro's parsing canonical form, as far as our schemas need it."""
    if isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return [canonical(branch, namespace) for branch in schema]
    if set(schema) <= {"type", "logicalType"}:
        return schema["type"]
    inner = schema.get("namespace", namespace)
    found: dict[str, Any] = {}
    for attribute in KEPT:
        if attribute not in schema:
            continue
        content = schema[attribute]
        if attribute == "name":
            content = f"{inner}.{content}" if inner else content
        elif attribute == "fields":
            content = [{"name": each["name"], "type": canonical(each["type"], inner)} for each in content]
        elif attribute in ("items", "values"):
            content = canonical(content, inner)
        found[attribute] = content
    return found


def crc_64_avro(data: bytes) -> bytes:
    """Avro's fingerprint, in the byte order of single-object encoding."""
    empty = 0xC15D213AA4D7A795
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (empty if byte & 1 else 0)
        table.append(byte)
    crc = empty
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc.to_bytes(8, "little")


def fingerprint(record: str) -> bytes:
    text = json.dumps(canonical(schema_source(record)), separators=(",", ":"), ensure_ascii=False)
    return crc_64_avro(text.encode())


@cache
def avro_schema(record: str) -> Any:
    return avro.schema.parse(json.dumps(schema_source(record)))


def avro_read(record: str, binary: bytes) -> tuple[Any, bytes]:
    """What Apache's reader finds, and the bytes that it left."""
    buffer = io.BytesIO(binary)
    content = avro.io.DatumReader(avro_schema(record)).read(avro.io.BinaryDecoder(buffer))
    return content, buffer.read()


def avro_write(record: str, content: Any) -> bytes:
    buffer = io.BytesIO()
    avro.io.DatumWriter(avro_schema(record)).write(content, avro.io.BinaryEncoder(buffer))
    return buffer.getvalue()


def as_json(content: Any) -> Any:
    """What a vector writes for a value: times and ids as text, bytes as hex."""
    match content:
        case dict():
            return {name: as_json(value) for name, value in content.items()}
        case list():
            return [as_json(value) for value in content]
        case datetime():
            utc = content.astimezone(UTC)
            return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z"
        case bytes():
            return content.hex()
        case UUID() | date():
            return str(content)
        case _:
            return content
