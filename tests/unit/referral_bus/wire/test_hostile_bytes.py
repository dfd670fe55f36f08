"""Whatever arrives, the answer is one of the closed outcomes, soon, and in little memory."""

import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referral_bus.wire.avro_codec import HEAD, MAX_VALUE, Undecodable, decode, encode
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import Authentic, Unbelieved, Undecoded, Unopened, authenticate, open_body
from schemas.events import AnyRecord
from schemas.outcomes import CODES, Code
from schemas.personal import ReferralBody, StatusBody
from schemas.schema_index import MODELS
from tests.kit.avro_pieces import head, long, pieces, pieces_inside, string, value_with
from tests.kit.strategies import ANY_CLEAR_RECORD, record_named
from tests.kit.vector_bodies import referral_body
from tests.kit.vector_cases import a_referral, posted, record_of
from tests.kit.vector_events import referral_event
from tests.kit.vector_federation import HERE, NOW, find_sealing_key, inbox, register, sealed

REGISTER = register()
EVENT = a_referral()
UNBELIEVED = {code for code, rule in CODES.items() if rule.outcome is None}
UNDECODED = {Code.MALFORMED, Code.SCHEMA_UNKNOWN}
UNOPENED = {Code.OPEN_FAILED, Code.VALUE_REFUSED, Code.SCHEMA_UNKNOWN, None}
BYTES = st.binary(max_size=600)
BUDGET_S = 0.05
BUDGET_BYTES = 20 * 1024 * 1024


def assert_closed(raw: RawRecord, here: str = HERE) -> None:
    match authenticate(raw, REGISTER, here, NOW):
        case Unbelieved(code):
            assert code in UNBELIEVED
        case Undecoded(code=code):
            assert code in UNDECODED
        case Authentic(record):
            assert encode(record) == raw.value


# any bytes


@given(
    st.text(max_size=30),
    BYTES,
    BYTES,
    st.lists(st.tuples(st.sampled_from(["rb_signature", "rb_keyid", "ce_id", ""]), st.binary(max_size=70)), max_size=5),
)
def test_any_record_has_a_closed_outcome(
    topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]
) -> None:
    assert_closed(RawRecord(topic, key, value, tuple(headers)))


@given(st.sampled_from(sorted(MODELS)), BYTES)
def test_any_bytes_behind_a_known_fingerprint_have_one_when_they_are_signed(name: str, content: bytes) -> None:
    assert_closed(posted(EVENT, head(name) + content))


@given(record=ANY_CLEAR_RECORD, data=st.data())
def test_any_bytes_put_in_anywhere_have_one(record: AnyRecord, data: st.DataObject) -> None:
    value = encode(record)
    start, end = sorted(data.draw(st.tuples(*(st.integers(0, len(value)),) * 2)))
    assert_closed(posted(EVENT, value[:start] + data.draw(st.binary(max_size=30)) + value[end:]), here="")


@settings(max_examples=50)
@given(st.sampled_from(["ReferralBody", "StatusBody"]), BYTES)
def test_any_body_has_one(name: str, content: bytes) -> None:
    for body in (head(name) + content, content):
        found = open_body(sealed(referral_event("hostile"), body), find_sealing_key)
        assert isinstance(found, ReferralBody) or found.code in UNOPENED  # type: ignore[union-attr]


@settings(max_examples=50)
@given(data=st.data())
def test_any_bit_of_a_body_has_one(data: st.DataObject) -> None:
    body = bytearray(encode(data.draw(record_named("ReferralBody"))))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    found = open_body(sealed(referral_event("hostile"), bytes(body)), find_sealing_key)
    if isinstance(found, Unopened):
        assert found.code in UNOPENED
    else:
        assert encode(found) == body


@given(st.binary(max_size=300), st.sampled_from([0, 1, 31, 32, 33, 48, 1104]))
def test_any_sealed_part_is_opened_or_not(content: bytes, kept: int) -> None:
    assert not isinstance(EVENT, StatusBody)
    event = EVENT.model_copy(update={"sealed": EVENT.sealed[:kept] + content})
    assert event.sealed == EVENT.sealed or open_body(event, find_sealing_key) == Unopened(Code.OPEN_FAILED)


# time and memory


def bombs() -> Iterator[tuple[str, bytes]]:
    """The worst that we know to ask of a decoder."""
    receipt, announcement = record_of("storage-receipt-one"), record_of("agency-announcement-full")
    person = pieces_inside(referral_body(), "person")
    for count in (30_000_000, 2**31, 2**62, 2**63 - 1, -30_000_000, -(2**63)):
        promised = long(count) + (long(1) if count < 0 else b"")
        yield f"items {count}", value_with(receipt, items=promised)
        yield f"fixed {count}", value_with(announcement, readable_schemas=promised)
        languages = b"".join((person | {"languages": promised}).values())
        yield f"texts {count}", value_with(referral_body(), person=languages)
    for length in (2**31, 2**40, 2**63 - 1, -1, -(2**63)):
        yield f"sealed {length}", value_with(EVENT, sealed=long(length))
        yield f"text {length}", value_with(EVENT, referral_sender=long(length))
    for name in sorted(MODELS):
        for byte in (0x00, 0x01, 0x02, 0x7F, 0x80, 0xFF):
            yield f"{name} {byte:02x}", head(name) + bytes([byte]) * (MAX_VALUE - HEAD)
    item = pieces(receipt)["items"][1:-1]
    many = (MAX_VALUE - 200) // len(item)
    yield "as many items as there is room", value_with(receipt, items=long(many) + item * many + long(0))
    blocks = (long(1) + item) * ((MAX_VALUE - 200) // (len(item) + 1))
    yield "each item in a block of its own", value_with(receipt, items=blocks + long(0))
    languages = b"".join((person | {"languages": long(60_000) + bytes(60_000) + long(0)}).values())
    yield "60,000 empty texts", value_with(referral_body(), person=languages)
    offers = long(32_000) + bytes(64_000) + long(0)
    yield "32,000 empty offers", value_with(announcement, services=offers)
    yield "500 wrong items", value_with(receipt, items=long(500) + (bytes(32) + b"\0\0\0\0\1\1") * 500 + long(0))
    fingerprints = long(8000) + bytes(64_000) + long(0)
    yield "8,000 fingerprints", value_with(announcement, readable_schemas=fingerprints)
    yield "a long text", value_with(EVENT, referral_sender=string(b"a-" * 32_000))
    yield "a long number", value_with(EVENT, sequence=b"\x80" * 60_000 + b"\x01")
    yield "a long union branch", value_with(record_of("status-event-empty"), status=b"\xff" * 60_000)


BOMBS = dict(bombs())


@pytest.mark.parametrize("name", BOMBS)
def test_the_worst_values_are_refused_within_the_budget(name: str) -> None:
    value = BOMBS[name]
    assert len(value) <= MAX_VALUE
    tracemalloc.start()
    with pytest.raises(Undecodable):
        decode(value)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < BUDGET_BYTES
    assert min(spent(value) for _ in range(3)) < BUDGET_S


def spent(value: bytes) -> float:
    """Seconds of our own, however busy the machine is."""
    start = time.process_time()
    with pytest.raises(Undecodable):
        decode(value)
    return time.process_time() - start


def test_a_bomb_costs_no_more_when_it_is_signed() -> None:
    raw = RawRecord(inbox(HERE), b"", BOMBS["60,000 empty texts"])
    assert authenticate(raw, REGISTER, HERE, NOW) == Unbelieved(Code.SIGNATURE_INVALID)
    assert_closed(posted(EVENT, raw.value))
