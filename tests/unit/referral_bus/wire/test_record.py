"""The only door: what is believed, of whom, and with which code the rest is turned away."""

import hashlib
from dataclasses import replace
from datetime import datetime

import pytest

from referral_bus.wire.avro_codec import encode
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import (
    Authentic,
    Opened,
    Unbelieved,
    Undecoded,
    authenticate,
    read,
    sign_value,
    write,
)
from schemas.events import ReceiptItem, StorageReceipt
from schemas.outcomes import Code
from schemas.personal import StatusBody
from tests.kit.avro_pieces import MARKER, long, string, value_with
from tests.kit.vector_bodies import referral_body
from tests.kit.vector_cases import a_referral, posted, record_of
from tests.kit.vector_events import erasure_event, referral_event
from tests.kit.vector_federation import (
    FEDERATION,
    HERE,
    NOW,
    SENDER,
    THIRD,
    Signing,
    find_sealing_key,
    inbox,
    later,
    register,
    sealed,
    signed,
    signing_key,
)

REGISTER = register()
EVENT = a_referral()
VALUE = encode(EVENT)
RAW = posted(EVENT)


def seen(raw: RawRecord, here: str = HERE, now: datetime = NOW) -> Authentic | Undecoded | Unbelieved:
    return authenticate(raw, REGISTER, here, now)


def code_of(raw: RawRecord, here: str = HERE, now: datetime = NOW) -> Code | None:
    found = seen(raw, here, now)
    return None if isinstance(found, Authentic) else found.code


# what is believed


def test_an_honest_record_is_authentic_and_still_sealed() -> None:
    found = seen(RAW)
    assert isinstance(found, Authentic)
    assert found.record == EVENT
    assert found.value_sha256 == hashlib.sha256(VALUE).digest()


def test_both_at_once() -> None:
    found = read(RAW, REGISTER, HERE, NOW, find_sealing_key)
    assert isinstance(found, Opened)
    assert (found.event, found.body) == (EVENT, referral_body())


def test_an_erasure_has_no_body() -> None:
    erasure = erasure_event("unit", SENDER, None, "requested", "withdrawn")
    found = read(posted(erasure), REGISTER, HERE, NOW, find_sealing_key)
    assert isinstance(found, Opened)
    assert (found.event, found.body) == (erasure, None)


def test_what_is_no_event_is_none_for_whoever_reads_events() -> None:
    receipt = posted(record_of("storage-receipt-one"), how=Signing(by=HERE), topic=inbox(SENDER))
    assert read(receipt, REGISTER, SENDER, NOW, find_sealing_key) is Code.MALFORMED


def test_reading_both_at_once_gives_the_code_of_either_half() -> None:
    other = replace(RAW, topic="another")
    assert read(other, REGISTER, HERE, NOW, find_sealing_key) is Code.SIGNATURE_INVALID
    wrong = sealed(referral_event("unit"), encode(StatusBody()))
    assert read(posted(wrong), REGISTER, HERE, NOW, find_sealing_key) is Code.VALUE_REFUSED
    assert read(RAW, REGISTER, HERE, NOW, lambda _: None) is None


def test_what_we_write_we_read_and_sent_again_it_is_the_same_bytes() -> None:
    written = write(EVENT, inbox(HERE), FEDERATION, signing_key(SENDER))
    assert isinstance(seen(written), Authentic)
    assert sign_value(VALUE, EVENT, inbox(HERE), FEDERATION, signing_key(SENDER)) == written
    assert len(written.headers) == 8


def test_headers_of_others_are_neither_believed_nor_in_the_way() -> None:
    lies = (("ce_source", b"/agencies/legal-desk"), ("ce_type", b"\xff"), ("ce_id", b""))
    assert isinstance(seen(replace(RAW, headers=(*lies, *RAW.headers, ("rb_other", b"x")))), Authentic)


def test_an_observer_reads_what_is_addressed_to_anybody() -> None:
    assert code_of(RAW, here=THIRD) is Code.NOT_ADDRESSED_HERE
    assert code_of(RAW, here="") is None


# the signature binds


@pytest.mark.parametrize(
    "changed",
    [
        replace(RAW, topic=inbox(THIRD)),
        replace(RAW, key=b"another"),
        replace(RAW, value=VALUE[:-1] + b"\0"),
        posted(EVENT, how=Signing(federation="another-federation")),
        posted(EVENT, how=Signing(key_id="0" * 32)),
        posted(EVENT, how=Signing(by=THIRD)),
        posted(EVENT, how=Signing(by="steward 1")),
    ],
    ids=["topic", "key", "value", "federation", "key id", "writer", "steward"],
)
def test_nothing_that_is_signed_can_be_another(changed: RawRecord) -> None:
    assert seen(changed) == Unbelieved(Code.SIGNATURE_INVALID)


def test_only_a_steward_writes_a_register_version() -> None:
    version = record_of("register-version")
    topic = "referral.register.v1"
    assert code_of(posted(version, how=Signing(by="steward 2"), topic=topic)) is None
    assert code_of(posted(version, how=Signing(by=SENDER), topic=topic)) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("name", ["agency-announcement-full", "dead-letter-notice-full", "storage-receipt-one"])
def test_nobody_writes_in_anothers_name(name: str) -> None:
    record = record_of(name)
    assert code_of(posted(record, how=Signing(by=HERE)), here="") is None
    assert code_of(posted(record, how=Signing(by=SENDER)), here="") is Code.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("by", "now", "code"),
    [
        ("clinic", NOW, None),
        ("clinic", later(microseconds=-1), Code.SENDER_REVOKED),
        ("school expired", later(microseconds=-1), None),
        ("school expired", NOW, Code.SENDER_REVOKED),
        ("school revoked", later(microseconds=-1), None),
        ("school revoked", NOW, Code.SENDER_REVOKED),
        ("school future", NOW, Code.SENDER_REVOKED),
        ("school future", later(seconds=1), None),
        ("a stranger", NOW, Code.SENDER_UNKNOWN),
    ],
)
def test_a_key_counts_by_our_clock_from_its_first_moment_and_not_at_its_last(
    by: str, now: datetime, code: Code | None
) -> None:
    event = EVENT.model_copy(update={"writer": HERE if by == "clinic" else SENDER, "occurred_at": later(days=-300)})
    assert code_of(posted(event, how=Signing(by=by)), now=now) is code


@pytest.mark.parametrize("kept", [(), RAW.headers[:1], RAW.headers[1:], RAW.headers[:1] * 2, RAW.headers[1:] * 2])
def test_without_signature_or_key_id_nothing_is_believed(kept: tuple[tuple[str, bytes], ...]) -> None:
    assert seen(replace(RAW, headers=kept)) == Unbelieved(Code.SIGNATURE_INVALID)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_id_has_32_characters(length: int) -> None:
    headers = (RAW.headers[0], ("rb_keyid", b"a" * length))
    assert code_of(replace(RAW, headers=headers)) is Code.SIGNATURE_INVALID


def test_a_key_id_that_is_not_ascii_is_nobodys() -> None:
    headers = (RAW.headers[0], ("rb_keyid", b"\xff" * 32))
    assert code_of(replace(RAW, headers=headers)) is Code.SENDER_UNKNOWN


# the limits


def test_as_much_as_may_be_is_looked_at() -> None:
    """Each limit is met exactly, and one more is TOO_LARGE."""
    free = 64 * 1024 + 4096 - RAW.size - 1
    assert code_of(replace(RAW, headers=(*RAW.headers, ("x", bytes(free))))) is None
    assert code_of(replace(RAW, headers=(*RAW.headers, ("x", bytes(free + 1))))) is Code.TOO_LARGE
    full = (*RAW.headers, *((f"x{number}", b"") for number in range(30)))
    assert code_of(replace(RAW, headers=full)) is None
    assert code_of(replace(RAW, headers=(*full, ("x", b"")))) is Code.TOO_LARGE
    assert code_of(posted(EVENT, bytes(64 * 1024))) is Code.MALFORMED
    assert code_of(posted(EVENT, bytes(64 * 1024 + 1))) is Code.TOO_LARGE


# which comes first


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (RawRecord(inbox(HERE), b"", bytes(64 * 1024 + 1)), Code.TOO_LARGE),
        (RawRecord(inbox(HERE), b"", b""), Code.SIGNATURE_INVALID),
        (replace(posted(EVENT, b"", Signing(by="school revoked")), topic="another"), Code.SIGNATURE_INVALID),
        (posted(EVENT, b"", Signing(by="school revoked")), Code.SENDER_REVOKED),
        (posted(EVENT, b"", Signing(by="a stranger")), Code.SENDER_UNKNOWN),
        (posted(EVENT, b""), Code.MALFORMED),
        (posted(EVENT.model_copy(update={"addressee": THIRD}), how=Signing(by=HERE)), Code.SIGNATURE_INVALID),
    ],
    ids=["size", "signature", "signature of a revoked key", "revoked", "unknown", "decode", "writer before addressee"],
)
def test_nothing_is_read_before_it_is_believed(raw: RawRecord, code: Code) -> None:
    assert code_of(raw) is code


# what does not decode


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"sequence": long(0)}, "sequence"),
        ({"writer": string(b"X")}, "writer"),
        ({"follows_incarnation": long(9), "follows_sequence": long(9)}, None),
        ({"event_id": string(b"x")}, None),
    ],
)
def test_a_malformed_event_names_its_writer_and_the_field(changes: dict[str, bytes], path: str | None) -> None:
    found = seen(posted(EVENT, value_with(EVENT, **changes)))
    assert isinstance(found, Undecoded)
    assert (found.writer, found.code, found.path) == (SENDER, Code.MALFORMED, path)


def test_the_field_can_always_stand_in_a_receipt() -> None:
    """Another agency chooses the bytes: what it makes us say must be sayable, or our receipts end for everybody."""
    receipt = record_of("storage-receipt-one").model_copy(update={"writer": SENDER, "addressee": HERE})
    assert isinstance(receipt, StorageReceipt)
    bad_item = receipt.items[0].model_copy(update={"outcome": ""})
    bad_receipt = encode(receipt.model_copy(update={"items": (bad_item,)}))
    spoilt_body = value_with(referral_body(), person=string(b"6ba7b810-9dad-11d1-80b4-00c04fd430c8") + bytes(8))
    for value, expected in ((bad_receipt, "items"), (spoilt_body, None)):
        found = seen(posted(EVENT, value))
        assert isinstance(found, Undecoded)
        assert found.path == expected
        _receipt_item(found)


def _receipt_item(found: Undecoded) -> ReceiptItem:
    return ReceiptItem(
        value_sha256=found.value_sha256,
        event_id=None,
        outcome="REFUSED",
        code=found.code.value,
        path=found.path,
        held_incarnation=0,
        held_sequence=0,
    )


def test_a_body_in_clear_is_not_looked_at() -> None:
    found = seen(posted(EVENT, encode(referral_body())))
    assert isinstance(found, Undecoded)
    assert (found.code, found.path) == (Code.MALFORMED, None)


def test_another_kafka_key_than_the_records_own_is_malformed() -> None:
    assert code_of(signed(VALUE, inbox(HERE), str(EVENT.event_id).encode())) is Code.MALFORMED


def test_a_schema_of_tomorrow_is_its_own_code() -> None:
    assert code_of(posted(EVENT, MARKER + b"tomorrow" + VALUE[10:])) is Code.SCHEMA_UNKNOWN
