"""The shipped test vectors, read by implementations that are not ours: PyNaCl, pyhpke, and Apache's avro."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import pytest
import yaml
from pyhpke import PyHPKEError

from schemas.schema_index import MODELS, by_fingerprint
from tests.kit import independent
from tests.kit.vector_files import Vector, accepted_vectors, refused_vectors, register_bytes

Test = TypeVar("Test", bound=Callable[..., None])
HEAD = 10
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def each(found: tuple[Vector, ...]) -> Callable[[Test], Test]:
    return pytest.mark.parametrize("vector", found, ids=lambda vector: vector.name)


def refused_with(code: str) -> tuple[Vector, ...]:
    return tuple(vector for vector in refused_vectors() if vector.content["expected"] == code)


each_accepted = each(accepted_vectors())
each_sealed = each(tuple(vector for vector in accepted_vectors() if vector.is_sealed))


@each_accepted
def test_pynacl_finds_the_signature_good(vector: Vector) -> None:
    register = yaml.safe_load(register_bytes())
    public_key, raw = vector.hex("signing_public_key"), vector.raw
    message = independent.signed_bytes(register["federation"], public_key, raw.topic, raw.key, raw.value)
    assert message == vector.hex("signature_input")
    assert independent.signature_fits(public_key, message, vector.hex("signature"))
    assert dict(raw.headers)["rb_signature"] == vector.hex("signature")
    assert dict(raw.headers)["rb_keyid"] == independent.key_id(public_key)


@each_accepted
def test_the_register_lists_the_key_as_its_writers(vector: Vector) -> None:
    register, record = yaml.safe_load(register_bytes()), vector.content["record"]
    keys = {key["public_key"]: agency["code"] for agency in register["agencies"] for key in agency["signing_keys"]}
    keys |= {key["public_key"]: "stewards" for key in register["stewards"]["keys"]}
    writer = record.get("writer") or record.get("agency") or "stewards"
    assert keys[vector.content["signing_public_key"]] == writer


@each_sealed
def test_pyhpke_opens_the_sealed_part(vector: Vector) -> None:
    value, sealed = vector.hex("value"), vector.hex("sealed")
    info = independent.seal_info(value, sealed)
    assert info == vector.hex("hpke_info")
    opened = independent.open_sealed(vector.hex("sealing_private_key"), info, sealed)
    assert opened == vector.hex("body_plaintext")
    length = int.from_bytes(opened[:4], "big")
    assert independent.padded(opened[4 : 4 + length]) == opened


@each_accepted
def test_apaches_avro_reads_and_writes_the_same_value(vector: Vector) -> None:
    record, value = vector.content["schema"]["record"], vector.hex("value")
    content, left = independent.avro_read(record, value[HEAD:])
    assert left == b""
    assert independent.avro_write(record, content) == value[HEAD:]
    sealed = content.pop("sealed", b"")
    assert sealed.hex() == vector.content.get("sealed", "")
    assert independent.as_json(content) == vector.content["record"]


@each_sealed
def test_apaches_avro_reads_and_writes_the_same_body(vector: Vector) -> None:
    plaintext = vector.hex("body_plaintext")
    value = plaintext[4 : 4 + int.from_bytes(plaintext[:4], "big")]
    record = vector.content["schema"]["record"].replace("Event", "Body")
    assert value[:HEAD] == b"\xc3\x01" + independent.fingerprint(record)
    content, left = independent.avro_read(record, value[HEAD:])
    assert left == b""
    assert independent.avro_write(record, content) == value[HEAD:]
    assert independent.as_json(content) == vector.content["body"]


@each_accepted
def test_the_value_begins_with_the_fingerprint_of_its_schema(vector: Vector) -> None:
    record = vector.content["schema"]["record"]
    fingerprint = independent.fingerprint(record)
    assert vector.hex("value")[:HEAD] == b"\xc3\x01" + fingerprint
    assert vector.content["schema"] == {"record": record, "version": 1, "fingerprint": fingerprint.hex()}


def test_the_index_has_every_schema_under_its_fingerprint() -> None:
    assert {schema.record: schema.fingerprint for schema in by_fingerprint().values()} == {
        record: independent.fingerprint(record) for record in MODELS
    }


def test_the_fingerprint_is_avros() -> None:
    """The examples of Avro's own tests (`share/test/data/schema-tests.txt`)."""
    assert independent.crc_64_avro(b'"null"') == (7195948357588979594).to_bytes(8, "little")
    assert independent.crc_64_avro(b'"int"') == (8247732601305521295).to_bytes(8, "little")


@each_accepted
def test_the_headers_are_cloudevents_attributes(vector: Vector) -> None:
    headers = {name: value.decode() for name, value in vector.raw.headers if name != "rb_signature"}
    record = vector.content["schema"]["record"]
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_type"] == f"referral-bus.{record}.v1"
    assert re.fullmatch(r"/stewards|/agencies/[a-z0-9-]+", headers["ce_source"])
    assert headers["ce_id"]
    assert RFC_3339.fullmatch(headers["ce_time"])
    assert datetime.fromisoformat(headers["ce_time"]).tzinfo is not None
    assert headers["content-type"] == "application/avro"
    assert all(re.fullmatch(r"ce_[a-z0-9]{1,20}|content-type|rb_keyid", name) for name in headers)
    assert len(vector.raw.headers) == 8


@each(refused_with("SIGNATURE_INVALID"))
def test_pynacl_finds_the_refused_signatures_bad_or_of_somebody_else(vector: Vector) -> None:
    """Every one that names a listed key once and has a signature once."""
    register, raw = yaml.safe_load(register_bytes()), vector.raw
    keys = {
        independent.key_id(bytes.fromhex(key["public_key"])): (bytes.fromhex(key["public_key"]), agency["code"])
        for agency in [*register["agencies"], {"code": "stewards", "signing_keys": register["stewards"]["keys"]}]
        for key in agency["signing_keys"]
    }
    names = Counter(name for name, _ in raw.headers)
    headers = dict(raw.headers)
    if names["rb_signature"] != 1 or names["rb_keyid"] != 1 or headers["rb_keyid"] not in keys:
        return
    public_key, owner = keys[headers["rb_keyid"]]
    message = independent.signed_bytes(register["federation"], public_key, raw.topic, raw.key, raw.value)
    if independent.signature_fits(public_key, message, headers["rb_signature"]):
        content, _ = independent.avro_read(vector.content["schema"]["record"], raw.value[HEAD:])
        assert owner != (content.get("writer") or content.get("agency") or "stewards")


def opened_by_pyhpke(vector: Vector) -> bytes | None:
    """The plaintext, if there is one and it is padded as it must be."""
    value = vector.hex("value")
    content, _ = independent.avro_read(vector.content["schema"]["record"], value[HEAD:])
    info = independent.seal_info(value, content["sealed"])
    try:
        opened = independent.open_sealed(vector.hex("sealing_private_key"), info, content["sealed"])
    except (PyHPKEError, ValueError):
        return None
    body = opened[4 : 4 + int.from_bytes(opened[:4], "big")]
    return opened if len(body) <= 16380 and independent.padded(body) == opened else None


@each(refused_with("OPEN_FAILED"))
def test_pyhpke_does_not_open_it_either_or_finds_it_badly_padded(vector: Vector) -> None:
    assert opened_by_pyhpke(vector) is None


@each(refused_with("VALUE_REFUSED"))
def test_pyhpke_opens_what_is_refused_for_its_value(vector: Vector) -> None:
    assert opened_by_pyhpke(vector) is not None
