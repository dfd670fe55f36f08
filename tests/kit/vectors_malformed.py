"""Refused test vectors that are certainly from their writer and cannot be read: MALFORMED and SCHEMA_UNKNOWN."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from referral_bus.wire.avro_codec import encode
from schemas.events import AgencyAnnouncement, AnyRecord
from schemas.outcomes import Code
from schemas.sealing_keys import EPOCH, SealingKey
from tests.kit.avro_pieces import MARKER, head, long, pieces, string, value_with
from tests.kit.vector_bodies import referral_body
from tests.kit.vector_cases import Refused, a_referral, posted, record_of
from tests.kit.vector_federation import HERE, SENDER, Signing, inbox, seed, signed

COUNT_BOMB = 30_000_000
"""Items that a few bytes claim to hold."""


def unreadable() -> Iterator[Refused]:
    yield from _frames()
    yield from _numbers()
    yield from _texts()
    yield from _arrays()
    yield from _against_the_rules()
    yield from _announcements()
    yield from _kafka_keys()
    yield from _schemas()


def _malformed(name: str, about: str, record: AnyRecord, value: bytes) -> Refused:
    return Refused(f"malformed-{name}", about, Code.MALFORMED, posted(record, value))


def _frames() -> Iterator[Refused]:
    event = a_referral()
    value = encode(event)
    for name, about, spoilt in (
        ("empty", "No bytes at all.", b""),
        ("marker-alone", "Two bytes: the marker.", MARKER),
        ("nothing-after-head", "Marker and fingerprint, and nothing after them.", value[:10]),
        ("other-marker", "The marker is C3 02.", b"\xc3\x02" + value[2:]),
        ("no-head", "Avro binary without marker and fingerprint.", value[10:]),
        ("container-file", "The beginning of an Avro container file.", b"Obj\x01" + value[10:]),
        ("truncated", "The last byte is missing.", value[:-1]),
        ("one-byte-more", "One byte stands after the value.", value + b"\0"),
        ("twice", "The Avro binary stands there twice.", value + value[10:]),
        ("body-in-clear", "A body that was not sealed: it is not even looked at.", encode(referral_body())),
    ):
        yield _malformed(name, about, event, spoilt)


def _numbers() -> Iterator[Refused]:
    event = a_referral()
    word = record_of("status-event-from-sender")
    for name, about, record, field, spoilt in (
        ("over-long-number", "sequence 1 written with two bytes.", event, "sequence", b"\x82\x00"),
        ("endless-number", "A number of 20 bytes.", event, "sequence", b"\x82" + b"\x80" * 18 + b"\0"),
        ("negative-branch", "Branch -1 of the union of status.", word, "status", b"\x01"),
        ("branch-2", "Branch 2 of the union of status, which has two.", word, "status", b"\x04"),
        ("time-before-1970", "One millisecond before 1970.", event, "occurred_at", long(-1)),
        ("time-past-9999", "A time in the year 10000.", event, "occurred_at", long(253_402_300_800_000)),
        ("time-far-away", "The largest long as a time.", event, "occurred_at", long(2**63 - 1)),
        ("sequence-0", "The first place is 1.", event, "sequence", long(0)),
        ("sequence-too-high", "2^53: the highest number is one less.", event, "sequence", long(2**53)),
        ("incarnation-negative", "The first incarnation is 1.", event, "incarnation", long(-1)),
        ("incarnation-too-high", "2^25: the highest incarnation is one less.", event, "incarnation", long(2**25)),
        ("incarnation-highest-long", "The largest long as an incarnation.", event, "incarnation", long(2**63 - 1)),
    ):
        yield _malformed(name, about, record, value_with(record, **{field: spoilt}))


def _texts() -> Iterator[Refused]:
    event = a_referral()
    event_id = str(event.event_id)
    for name, about, field, spoilt in (
        ("uuid-upper-case", "A UUID in upper case.", "event_id", string(event_id.upper().encode())),
        ("uuid-urn", "A UUID as a URN.", "event_id", string(f"urn:uuid:{event_id}".encode())),
        ("uuid-no-hyphens", "A UUID without hyphens.", "event_id", string(event_id.replace("-", "").encode())),
        ("uuid-none", "A text that is no UUID.", "event_id", string(b"not-a-uuid")),
        ("not-utf-8", "A text that is not UTF-8.", "referral_sender", string(b"scho\xffol")),
        ("length-negative", "A text of length -1.", "referral_sender", long(-1) + b"school"),
        ("length-past-end", "A text of 2^40 bytes.", "referral_sender", long(2**40) + b"school"),
        ("agency-upper-case", "No agency code looks like this.", "referral_sender", string(b"School")),
        ("agency-line-feed", "An agency code and a line feed.", "referral_sender", string(b"school\n")),
        ("agency-too-long", "An agency code of 41 characters.", "referral_sender", string(b"a" * 41)),
        ("key-id-upper-case", "A key id in upper case.", "sealing_key_id", string(b"ABCDEF0123456789" * 2)),
    ):
        yield _malformed(name, about, event, value_with(event, **{field: spoilt}))


def _arrays() -> Iterator[Refused]:
    receipt = record_of("storage-receipt-one").model_copy(update={"writer": SENDER, "addressee": HERE})
    items = pieces(receipt)["items"]
    one = items[1:-1]  # without the count before it and the end after it
    for name, about, spoilt in (
        ("array-empty", "A receipt without an item.", long(0)),
        ("array-501", "A receipt of 501 items.", long(501) + one * 501 + long(0)),
        ("array-in-two-blocks", "Two items as two blocks.", long(1) + one + long(1) + one + long(0)),
        ("array-with-size", "A block with its size in bytes.", long(-1) + long(len(one)) + one + long(0)),
        ("array-negative-count", "The smallest long as a count.", long(-(2**63)) + long(0) + long(0)),
        ("array-bomb", "30 million items are promised, and none comes.", long(COUNT_BOMB)),
    ):
        yield _malformed(name, about, receipt, value_with(receipt, items=spoilt))


def _against_the_rules() -> Iterator[Refused]:
    event = a_referral()
    for name, about, follows in (
        ("follows-itself", "It follows its own place.", (1, 1)),
        ("follows-later", "It follows a later place.", (2, 1)),
        ("follows-half", "Sequence 0 of incarnation 1: both are 0 or none is.", (1, 0)),
    ):
        spoilt = event.model_copy(update={"follows_incarnation": follows[0], "follows_sequence": follows[1]})
        yield _malformed(name, about, event, encode(spoilt))


def _announcements() -> Iterator[Refused]:
    said = record_of("agency-announcement-full")
    assert isinstance(said, AgencyAnnouncement)
    keys, year_9999 = said.sealing_keys, datetime(9999, 12, 31, tzinfo=UTC)

    def with_keys(**change: Any) -> dict[str, Any]:
        return {"sealing_keys": tuple(key.model_copy(update=change) for key in keys)}

    epochs = 3 * EPOCH
    later = tuple(
        SealingKey(
            epoch=key.epoch + 3,
            public_key=key.public_key,
            valid_from=key.valid_from + epochs,
            valid_until=key.valid_until + epochs,
        )
        for key in keys
    )
    for name, about, change in (
        (
            "low-order-sealing-key",
            "A key of low order has no secret.",
            with_keys(public_key=bytes(32)),
        ),
        (
            "sealing-key-until-9999",
            "A key is valid for its epoch.",
            with_keys(valid_until=year_9999),
        ),
        ("sealing-key-of-another-epoch", "Its validity is not its epoch's.", with_keys(epoch=keys[0].epoch + 1)),
        ("sealing-key-far-ahead", "Announced are the current epoch and the next two.", {"sealing_keys": later}),
        ("announcement-until-9999", "It ends within 90 days.", {"expires_at": year_9999}),
        (
            "announcement-ended-before",
            "It ends after it was issued.",
            {"expires_at": said.issued_at - timedelta(days=1)},
        ),
        ("handed-over-ahead", "What is to come has not been handed over.", {"handed_over_before": year_9999}),
        ("announcement-counter-too-high", "2^53: the highest number is one less.", {"counter": 2**53}),
    ):
        raw = posted(said, encode(said.model_copy(update=change)), Signing(by=HERE), f"referral.announcement.{HERE}.v1")
        yield Refused(f"malformed-{name}", about, Code.MALFORMED, raw, SENDER)


def _kafka_keys() -> Iterator[Refused]:
    event = a_referral()
    for name, about, key in (
        ("kafka-key-other", "The Kafka key is the event id.", str(event.event_id).encode()),
        ("kafka-key-upper-case", "The Kafka key is in upper case.", str(event.referral_id).upper().encode()),
        ("kafka-key-raw", "The Kafka key is the 16 raw bytes.", event.referral_id.bytes),
        ("kafka-key-none", "No Kafka key.", b""),
    ):
        yield Refused(f"malformed-{name}", about, Code.MALFORMED, signed(encode(event), inbox(HERE), key))


def _schemas() -> Iterator[Refused]:
    event = a_referral()
    value = encode(event)
    for name, about, fingerprint in (
        ("of-tomorrow", "A fingerprint that no schema of ours has.", seed("unknown schema")[:8]),
        ("big-endian", "The fingerprint's bytes in the other order.", head("ReferralEvent")[2:][::-1]),
    ):
        raw = posted(event, MARKER + fingerprint + value[10:])
        yield Refused(f"schema-unknown-{name}", about, Code.SCHEMA_UNKNOWN, raw)
