"""One value, one way to write it; everything else is one code, soon and in little memory."""

import traceback
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from annotated_types import MaxLen
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from referral_bus.wire.avro_codec import HEAD, MARKER, MAX_ITEMS, MAX_VALUE, Undecodable, decode, encode
from schemas.events import (
    HIGHEST_INCARNATION,
    ErasureEvent,
    ReceiptItem,
    RegisterVersion,
    StewardSignature,
    StorageReceipt,
)
from schemas.outcomes import CODES, Code, Outcome
from schemas.personal import Person, StatusBody
from schemas.schema_index import MODELS, newest
from tests.kit.avro_pieces import head, long, string, value_with
from tests.kit.strategies import ANY_CLEAR_RECORD, record_named
from tests.kit.vector_bodies import long_body, referral_body
from tests.kit.vector_cases import a_referral

PLANTED = "Planted-Oʻgʻiloy"
LARGEST = 2**53 - 1


def code_of(value: bytes) -> Code | None:
    try:
        decode(value)
    except Undecodable as refused:
        return refused.code
    return None


@pytest.mark.parametrize("name", sorted(MODELS))
@given(data=st.data())
def test_every_record_comes_out_as_it_went_in(name: str, data: st.DataObject) -> None:
    record = data.draw(record_named(name))
    value = encode(record)
    assert value[:HEAD] == MARKER + newest(name).fingerprint == head(name)
    assert decode(value) == record


@given(record=ANY_CLEAR_RECORD, data=st.data())
def test_bytes_that_are_read_are_the_only_ones_that_say_so(record: ErasureEvent, data: st.DataObject) -> None:
    """Any change of any byte is refused, or is the one way to write another record."""
    value = bytearray(encode(record))
    place = data.draw(st.integers(HEAD, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(value))
    except Undecodable:
        return
    assert encode(found) == value


@given(record=ANY_CLEAR_RECORD, more=st.binary(min_size=1, max_size=20))
def test_bytes_after_the_value_are_malformed(record: ErasureEvent, more: bytes) -> None:
    assert code_of(encode(record) + more) is Code.MALFORMED


@given(record=ANY_CLEAR_RECORD, data=st.data())
def test_a_value_that_ends_too_soon_is_malformed(record: ErasureEvent, data: st.DataObject) -> None:
    value = encode(record)
    assert code_of(value[: data.draw(st.integers(0, len(value) - 1))]) is Code.MALFORMED


def test_a_value_of_64_kib_is_looked_at_and_a_byte_more_is_not() -> None:
    assert code_of(bytes(MAX_VALUE)) is Code.MALFORMED
    assert code_of(bytes(MAX_VALUE + 1)) is Code.TOO_LARGE
    assert MAX_VALUE == 65536


def test_an_unknown_fingerprint_is_a_schema_we_do_not_know() -> None:
    assert code_of(MARKER + b"tomorrow" + b"anything") is Code.SCHEMA_UNKNOWN
    assert code_of(MARKER + b"tomorrow") is Code.SCHEMA_UNKNOWN
    assert code_of(MARKER + b"tomorro") is Code.MALFORMED
    assert code_of(b"\xc3\x02" + head("StatusBody")[2:] + bytes(6)) is Code.MALFORMED


def test_a_value_against_the_rules_is_refused_with_the_fields_path() -> None:
    with pytest.raises(Undecodable) as refused:
        decode(value_with(a_referral(), sequence=long(0)))
    assert (refused.value.code, refused.value.path) == (Code.VALUE_REFUSED, "sequence")


@pytest.mark.parametrize("spoilt", [string(f"{PLANTED}\x07".encode()), string(PLANTED.encode() + b"\xff")])
def test_a_refusal_holds_nothing_of_what_was_refused(spoilt: bytes) -> None:
    with pytest.raises(Undecodable) as refused:
        decode(value_with(StatusBody(), text=long(1) + spoilt))
    assert PLANTED not in "".join(traceback.format_exception(refused.value))
    assert refused.value.__cause__ is None  # pydantic's own error keeps the input
    assert PLANTED not in repr(vars(refused.value)) + repr(refused.value.args)


def test_what_is_read_shares_nothing_with_the_next_record() -> None:
    """fastavro hands out one default list to every record."""
    value = encode(referral_body())
    first, second = decode(value), decode(value)
    assert first == second
    assert Person(subject_ref=uuid.uuid4()).languages == ()
    with pytest.raises(AttributeError):
        first.person = None  # type: ignore[union-attr, misc]


def test_a_receipt_of_500_items_at_their_longest_is_no_larger_than_a_value_may_be() -> None:
    codes = [code for code, rule in CODES.items() if rule.outcome in (Outcome.REFUSED, Outcome.HELD)]
    item = ReceiptItem(
        value_sha256=bytes(32),
        event_id=uuid.uuid4(),
        outcome=max(Outcome, key=len),
        code=max(codes, key=len),
        path="status",
        held_incarnation=HIGHEST_INCARNATION,
        held_sequence=LARGEST,
    )
    receipt = StorageReceipt(
        receipt_id=uuid.uuid4(),
        writer="a" * 40,
        addressee="b" * 40,
        incarnation=HIGHEST_INCARNATION,
        issued_at=datetime(9999, 1, 1, tzinfo=UTC),
        items=(item,) * 500,
    )
    assert decode(encode(receipt)) == receipt


def test_the_largest_register_with_seven_stewards_is_no_larger_than_a_value_may_be() -> None:
    signatures = (StewardSignature(key_id="0" * 32, signature=bytes(64)),) * 7
    version = RegisterVersion(
        version=LARGEST,
        issued_at=datetime(9999, 1, 1, tzinfo=UTC),
        register_file=bytes(60 * 1024),
        signatures=signatures,
    )
    assert decode(encode(version)) == version


def test_the_largest_event_is_far_from_the_limit() -> None:
    assert len(encode(long_body(9))) + 1000 < MAX_VALUE // 3


def test_times_are_written_in_utc_whatever_the_machines_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    value = encode(a_referral())
    monkeypatch.setenv("TZ", "Asia/Tashkent")
    assert encode(decode(value)) == value


def array_limits(model: type[BaseModel]) -> Iterator[int]:
    """The most items that each array of a model, and of the models inside, takes."""
    for field in model.model_fields.values():
        limits = [rule.max_length for rule in field.metadata if isinstance(rule, MaxLen)]
        if str(field.annotation).startswith("tuple"):
            yield limits[0]
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from array_limits(part)


def test_no_model_takes_a_longer_array_than_the_codec() -> None:
    assert max(limit for model in MODELS.values() for limit in array_limits(model)) == MAX_ITEMS
