"""Refused test vectors whose clear part is right, and whose sealed part is not: OPEN_FAILED, VALUE_REFUSED, and a body
in a schema of tomorrow."""

from collections.abc import Iterator

from pyhpke import AEADId, CipherSuite, KDFId, KEMId

from referral_bus.wire.avro_codec import encode
from referral_bus.wire.sealing import TAG, SealableEvent, binding
from schemas.outcomes import Code
from schemas.personal import StatusBody
from tests.kit.avro_pieces import MARKER, long, pieces_inside, string, value_with
from tests.kit.vector_bodies import referral_body, status_body_of
from tests.kit.vector_cases import Refused, posted
from tests.kit.vector_events import erasure_event, referral_event, status_event
from tests.kit.vector_federation import SENDER, THIRD, fixed_id, later, sealed, seed

KIB = 1024
OTHER_SUITE = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.CHACHA20_POLY1305)


def unopened() -> Iterator[Refused]:
    yield from _sealed_wrongly()
    yield from _sealed_part_changed()
    yield from _clear_part_changed()
    yield from _framed_wrongly()
    yield from _wrong_bodies()
    yield from _bodies_against_the_rules()
    yield from _undecodable_bodies()


def _event(name: str) -> SealableEvent:
    return referral_event(f"refused {name}")


def _case(code: Code, name: str, about: str, event: SealableEvent) -> Refused:
    return Refused(f"{code.value.lower().replace('_', '-')}-{name}", about, code, posted(event), opened=True)


def _failed(name: str, about: str, event: SealableEvent) -> Refused:
    return _case(Code.OPEN_FAILED, name, about, event)


def _sealed_wrongly() -> Iterator[Refused]:
    body = encode(referral_body())

    def value_without_tag(event: SealableEvent) -> bytes:
        return binding(event)[len(TAG) :]

    def whole_value(event: SealableEvent) -> bytes:
        return TAG + encode(event)

    yield _failed("other-key", "Sealed to another key than the one it names.", sealed(_event("key"), body, THIRD))
    yield _failed("no-info", "Sealed without info.", sealed(_event("info"), body, info=lambda _: b""))
    yield _failed("no-tag", "The tag is missing in info.", sealed(_event("tag"), body, info=value_without_tag))
    yield _failed(
        "length-in-info", "info ends with the length of `sealed`.", sealed(_event("len"), body, info=whole_value)
    )
    yield _failed("other-cipher", "Sealed with ChaCha20-Poly1305.", sealed(_event("aead"), body, suite=OTHER_SUITE))


def _sealed_part_changed() -> Iterator[Refused]:
    event = sealed(_event("changed"), encode(referral_body()))
    other = sealed(_event("other"), encode(referral_body()))
    content = event.sealed
    for name, about, spoilt in (
        ("empty", "`sealed` is empty.", b""),
        ("too-short", "`sealed` is shorter than the encapsulated key.", content[:31]),
        ("only-key", "`sealed` is the encapsulated key alone.", content[:32]),
        ("low-order", "The encapsulated key is zero.", bytes(32) + content[32:]),
        ("enc-bit", "One bit of the encapsulated key is another.", bytes([content[0] ^ 1]) + content[1:]),
        (
            "ciphertext-bit",
            "One bit of the ciphertext is another.",
            content[:40] + bytes([content[40] ^ 1]) + content[41:],
        ),
        ("tag-bit", "The last bit is another.", content[:-1] + bytes([content[-1] ^ 1])),
        ("truncated", "The last byte is missing.", content[:-1]),
        ("longer", "One byte stands after the ciphertext.", content + b"\0"),
        ("of-another-event", "The sealed part of another event.", other.sealed),
    ):
        yield _failed(name, about, event.model_copy(update={"sealed": spoilt}))


def _clear_part_changed() -> Iterator[Refused]:
    event = sealed(_event("re-signed"), encode(referral_body()))
    for name, change in (
        ("event_id", fixed_id("another")),
        ("referral_id", fixed_id("another referral")),
        ("referral_sender", THIRD),
        ("occurred_at", later(hours=-6)),
        ("priority", "stat"),
        ("respond_by", later(days=15)),
        ("sequence", 2),
    ):
        about = f"{name} was changed after sealing; the writer has signed it again."
        changed = event.model_copy(update={name: change})
        yield _failed(f"changed-{name.replace('_', '-')}", about, changed)
    word = sealed(status_event("re-signed word", SENDER, None), encode(StatusBody()))
    yield _failed(
        "changed-status", "status was null when it was sealed.", word.model_copy(update={"status": "received"})
    )


def _framed_wrongly() -> Iterator[Refused]:
    body = encode(referral_body())
    framed = len(body).to_bytes(4, "big") + body
    exact = encode(status_body_of(1020))
    for name, about, plaintext in (
        ("padding-not-zero", "The last byte of the padding is 1.", framed.ljust(KIB - 1, b"\0") + b"\1"),
        ("padded-too-far", "2 KiB where 1 KiB was enough.", framed.ljust(2 * KIB, b"\0")),
        ("padded-twice", "1 KiB and one byte.", framed.ljust(KIB + 1, b"\0")),
        ("not-padded", "Not padded at all.", framed),
        ("one-byte-short", "1023 bytes.", framed.ljust(KIB - 1, b"\0")),
        ("3-kib", "3 KiB is none of the sizes.", (3000).to_bytes(4, "big").ljust(3 * KIB, b"\0")),
        ("32-kib", "32 KiB is none of the sizes.", (20_000).to_bytes(4, "big").ljust(32 * KIB, b"\0")),
        ("length-past-end", "The length says more than there is.", (KIB).to_bytes(4, "big") + body.ljust(1020, b"\0")),
        ("length-little-endian", "The length in the other byte order.", (framed[3::-1] + body).ljust(KIB, b"\0")),
        ("no-length", "No length before the body.", body.ljust(KIB, b"\0")),
        ("three-bytes", "Not even a length.", bytes(3)),
        ("nothing", "Nothing inside.", b""),
        (
            "exact-in-2-kib",
            "A body that fits 1 KiB exactly, in 2 KiB.",
            (b"\0\0\x03\xfc" + exact).ljust(2 * KIB, b"\0"),
        ),
    ):
        yield _failed(name, about, sealed(_event(name), b"", framed=plaintext))


def _refused_body(name: str, about: str, body: bytes) -> Refused:
    return _case(Code.VALUE_REFUSED, name, about, sealed(_event(name), body))


def _wrong_bodies() -> Iterator[Refused]:
    body = encode(referral_body())
    inside = erasure_event("inside", SENDER, None, "requested", "withdrawn")
    unknown = MARKER + seed("unknown body schema")[:8] + body[10:]
    yield _refused_body("status-body", "A StatusBody in a ReferralEvent.", encode(StatusBody()))
    yield _refused_body("clear-record", "A clear record where the body should be.", encode(inside))
    yield _refused_body("no-body", "A body of no bytes.", b"")
    event = sealed(status_event("referral body", SENDER, None), body)
    yield _case(Code.VALUE_REFUSED, "referral-body", "A ReferralBody in a StatusEvent.", event)
    event = sealed(_event("body of tomorrow"), unknown)
    yield _case(Code.SCHEMA_UNKNOWN, "body-of-tomorrow", "The body's fingerprint is one that we do not know.", event)


def _undecodable_bodies() -> Iterator[Refused]:
    body = referral_body()
    contact = pieces_inside(body, "safe_contact")
    seven = b"".join((contact | {"may_leave_message": b"\x07"}).values())
    person = pieces_inside(body, "person")
    bomb = b"".join((person | {"languages": long(30_000_000)}).values())
    no_utf8 = b"".join((pieces_inside(body, "request") | {"need": string(b"\xff")}).values())
    for name, about, spoilt in (
        ("boolean-7", "A boolean whose byte is 7.", value_with(body, safe_contact=seven)),
        ("byte-after-body", "One byte stands after the body, within its length.", encode(body) + b"\0"),
        ("body-truncated", "The body's last byte is missing.", encode(body)[:-1]),
        ("array-bomb", "30 million languages are promised, and none comes.", value_with(body, person=bomb)),
        ("not-utf-8", "A text that is not UTF-8.", value_with(body, request=no_utf8)),
    ):
        yield _refused_body(name, about, spoilt)


def _bodies_against_the_rules() -> Iterator[Refused]:
    body = referral_body()
    for name, about, part, field, spoilt in (
        (
            "uuid-version-1",
            "subject_ref is a UUID of version 1.",
            "person",
            "subject_ref",
            string(b"6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ),
        ("age-131", "An age of 131 years.", "person", "age_estimate", long(1) + long(131)),
        ("day-before-1900", "Born in 1899.", "person", "date_of_birth", long(1) + long(-25_568)),
        (
            "same-twice",
            "A service type that stands there twice.",
            "request",
            "service_types",
            long(2) + string(b"health") * 2 + long(0),
        ),
        ("no-service", "No service type.", "request", "service_types", long(0)),
        (
            "code-form",
            "No code looks like this.",
            "request",
            "service_types",
            long(1) + string(b"Health Care") + long(0),
        ),
        ("empty-text", "A need of no characters.", "request", "need", string(b"")),
        ("white-space", "A need of white space alone.", "request", "need", string(b" \n ")),
        ("too-long", "A need of 1501 characters.", "request", "need", string(b"x" * 1501)),
        ("control-character", "U+0007 in the need.", "request", "need", string(b"ring\x07")),
        ("bidirectional", "U+202E, which turns the text round.", "request", "need", string("a\u202eb".encode())),
        ("consent-over-at-once", "A consent that ends when it is given.", "consent", "expires_at", None),
        (
            "approver-missing",
            "best-interests without reason and approver.",
            "consent",
            "kind",
            string(b"best-interests"),
        ),
    ):
        inside = pieces_inside(body, part)
        inside[field] = inside["attested_at"] if spoilt is None else spoilt
        yield _refused_body(name, about, value_with(body, **{part: b"".join(inside.values())}))
    known_age = pieces_inside(referral_body(person={"age_estimate": 30}), "person")
    both = b"".join((known_age | {"date_of_birth": long(1) + long(7305)}).values())
    yield _refused_body("two-ages", "A date of birth and an estimate.", value_with(body, person=both))
    empty = StatusBody()
    two_lines = value_with(empty, suggested_agency=long(1) + string(b"clinic\nschool"))
    event = sealed(status_event("two lines", SENDER, None), two_lines)
    yield _case(Code.VALUE_REFUSED, "agency-form", "No agency code looks like this.", event)
