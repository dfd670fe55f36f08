"""Two vectors taken apart byte by byte, for the document."""

import textwrap
from collections.abc import Iterator, Mapping

from referral_bus.wire.record import Authentic, authenticate
from schemas.events import AnyRecord
from tests.kit.avro_pieces import pieces
from tests.kit.vector_federation import FEDERATION, NOW, register
from tests.kit.vector_files import Vector, accepted_vectors

SIGNED, SEALED = "erasure-event-erased", "status-event-empty"
_SHOWN = 24  # bytes of what is too long to be shown whole


def signed_example() -> str:
    """A value and what is signed, whole."""
    vector = _vector(SIGNED)
    value = vector.hex("value")
    key_id = dict(vector.raw.headers)["rb_keyid"]
    parts = {
        "tag": b"referral-bus/sign/v1",
        "federation": FEDERATION.encode(),
        "key id": key_id,
        "topic": vector.raw.topic.encode(),
        "Kafka key": vector.raw.key,
    }
    return "\n".join(
        [
            f"The value of `{SIGNED}.json`:",
            "",
            *_block(_value_lines(vector)),
            "",
            f"It is written by {vector.content['record']['writer']}, whose public key is",
            f"`{vector.content['signing_public_key']}`; its key id is `{key_id.decode()}`. Signed are",
            "",
            *_block(_part_lines(parts, value)),
            "",
            "and the signature in `rb_signature` is",
            "",
            *_block(textwrap.wrap(vector.content["signature"], 64)),
        ]
    )


def sealed_example() -> str:
    """How a body is sealed; what is long is cut."""
    vector = _vector(SEALED)
    plaintext, sealed, info = vector.hex("body_plaintext"), vector.hex("sealed"), vector.hex("hpke_info")
    length = int.from_bytes(plaintext[:4], "big")
    body = plaintext[4 : 4 + length]
    return "\n".join(
        [
            f"The body of `{SEALED}.json` is a StatusBody in which every field is null. Framed and padded it is",
            f"{len(plaintext)} bytes:",
            "",
            *_block(
                [
                    f"{plaintext[:4].hex()}  its length, {length}",
                    f"{body[:10].hex()}  marker and fingerprint",
                    f"{body[10:].hex()}  six nulls",
                    f"00 ...  {len(plaintext) - 4 - length} zeros",
                ]
            ),
            "",
            f"`info` is {len(info)} bytes: the tag, a zero byte, and the value up to the length of `sealed`:",
            "",
            *_block([f"{info[:21].hex()}  referral-bus/seal/v1, 00", *textwrap.wrap(info[21:].hex(), 100)]),
            "",
            f"`sealed` is {len(sealed)} bytes: 32 of encapsulated key, {len(plaintext)} of ciphertext, 16 of tag. It",
            f"opens with the private key `{vector.content['sealing_private_key']}` and begins with",
            "",
            *_block([f"{sealed[:32].hex()}  encapsulated key", f"{sealed[32 : 32 + _SHOWN].hex()}  ..."]),
        ]
    )


def _vector(name: str) -> Vector:
    return next(vector for vector in accepted_vectors() if vector.name == name)


def _record(vector: Vector) -> AnyRecord:
    found = authenticate(vector.raw, register(), vector.here, NOW)
    assert isinstance(found, Authentic)
    return found.record


def _value_lines(vector: Vector) -> Iterator[str]:
    value, record = vector.hex("value"), _record(vector)
    yield f"{value[:2].hex()}  marker"
    yield f"{value[2:10].hex()}  fingerprint of {record.record}.v1"
    for name, content in pieces(record).items():
        yield f"{content.hex()}  {name}: {vector.content['record'][name]}"


def _part_lines(parts: Mapping[str, bytes], value: bytes) -> Iterator[str]:
    for name, content in parts.items():
        yield f"{len(content).to_bytes(4, 'big').hex()} {content.hex()}  {name}: {content.decode()}"
    yield f"{len(value).to_bytes(4, 'big').hex()} {value[:10].hex()} ...  the value"


def _block(lines: Iterator[str] | list[str]) -> list[str]:
    return ["```text", *lines, "```"]
