"""Refused test vectors of which nothing may be believed: too large, badly signed, of unknown writers, for others."""

from collections.abc import Iterator
from dataclasses import replace

from referral_bus.wire.avro_codec import encode
from referral_bus.wire.signing import lp, sign
from schemas.outcomes import Code
from tests.kit.vector_cases import Refused, a_referral, posted, record_of
from tests.kit.vector_federation import FEDERATION, HERE, SENDER, THIRD, Signing, fixed_id, inbox, signed, signing_key

KIB = 1024
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def unbelieved() -> Iterator[Refused]:
    yield from _too_large()
    yield from _bad_headers()
    yield from _signed_for_something_else()
    yield from _wrongly_signed()
    yield from _wrong_writer()
    yield from _no_valid_key()
    yield from _not_for_us()


def _too_large() -> Iterator[Refused]:
    event = a_referral()
    raw = posted(event)
    filler = tuple((f"x{number}", b"") for number in range(31))
    for name, about, spoilt in (
        ("value", "A value of 64 KiB and one byte.", posted(event, encode(event).ljust(64 * KIB + 1, b"\0"))),
        ("33-headers", "33 headers.", replace(raw, headers=(*raw.headers, *filler))),
        (
            "header",
            "Key, value and headers together are over 68 KiB.",
            replace(raw, headers=(*raw.headers, ("x", bytes(67 * KIB)))),
        ),
    ):
        yield Refused(f"too-large-{name}", about, Code.TOO_LARGE, spoilt)


def _bad_headers() -> Iterator[Refused]:
    raw = posted(a_referral())
    given, named = raw.headers
    signature, key_id = given[1], named[1]
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    unreduced = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    for name, about, headers in (
        ("one-bit", "One bit of the signature is another.", (("rb_signature", flipped), named)),
        ("none", "No headers at all.", ()),
        ("no-signature", "No rb_signature.", (named,)),
        ("no-key-id", "No rb_keyid.", (given,)),
        ("twice", "rb_signature stands there twice.", (given, given, named)),
        ("key-id-twice", "rb_keyid stands there twice.", (given, named, named)),
        ("63-bytes", "The signature has 63 bytes.", (("rb_signature", signature[:-1]), named)),
        ("65-bytes", "The signature has 65 bytes.", (("rb_signature", signature + b"\0"), named)),
        ("as-hex", "The signature is written as hex.", (("rb_signature", signature.hex().encode()), named)),
        (
            "scalar-not-reduced",
            "The group order was added to the second half of the signature (RFC 8032, 5.1.7).",
            (("rb_signature", signature[:32] + unreduced.to_bytes(32, "little")), named),
        ),
        (
            "raw-key-id",
            "rb_keyid is 16 raw bytes in place of 32 of hex.",
            (given, ("rb_keyid", bytes.fromhex(key_id.decode()))),
        ),
        ("header-name", "The header is named RB_SIGNATURE.", (("RB_SIGNATURE", signature), named)),
    ):
        yield Refused(f"signature-invalid-{name}", about, Code.SIGNATURE_INVALID, replace(raw, headers=headers))


def _signed_for_something_else() -> Iterator[Refused]:
    for name, about, how in (
        ("other-topic", "Signed for another inbox: somebody has copied it here.", Signing(topic=inbox(THIRD))),
        ("other-kafka-key", "Signed with another Kafka key.", Signing(key=b"another")),
        ("other-federation", "Signed for another federation.", Signing(federation="another-federation")),
        ("other-key-id", "Signed with another key id.", Signing(key_id="0" * 32)),
    ):
        yield Refused(f"signature-invalid-{name}", about, Code.SIGNATURE_INVALID, posted(a_referral(), how=how))


def _wrongly_signed() -> Iterator[Refused]:
    event = a_referral()
    raw = posted(event)
    changed = replace(raw, value=encode(event.model_copy(update={"priority": "stat"})))
    named = raw.headers[1]
    parts = (b"referral-bus/sign/v1", FEDERATION.encode(), named[1], raw.topic.encode(), raw.key, raw.value)

    def over(message: bytes) -> tuple[tuple[str, bytes], ...]:
        return (("rb_signature", sign(signing_key(SENDER), message)), named)

    register_tag = b"".join(map(lp, (b"referral-bus/register/v1", *parts[1:])))
    for name, about, spoilt in (
        ("value-changed", "The priority was changed after it was signed.", changed),
        ("value-alone", "Only the value was signed.", replace(raw, headers=over(raw.value))),
        ("no-lengths", "No lengths stand between the parts.", replace(raw, headers=over(b"".join(parts)))),
        ("other-tag", "Signed with the tag of another purpose.", replace(raw, headers=over(register_tag))),
    ):
        yield Refused(f"signature-invalid-{name}", about, Code.SIGNATURE_INVALID, spoilt)


def _wrong_writer() -> Iterator[Refused]:
    notice, version = record_of("dead-letter-notice-full"), record_of("register-version")
    announcement = record_of("agency-announcement-full")
    for name, about, raw in (
        ("another-agency", "legal-desk signs in the name of school.", posted(a_referral(), how=Signing(by=THIRD))),
        ("a-steward", "A steward signs an agency's event.", posted(a_referral(), how=Signing(by="steward 1"))),
        ("register-by-agency", "An agency signs a version.", posted(version, topic="referral.register.v1")),
        ("notice-by-another", "school signs a notice of clinic.", posted(notice, topic="referral.notices.v1")),
        (
            "announcement-by-another",
            "school announces in the name of clinic.",
            posted(announcement, topic=f"referral.announcement.{HERE}.v1"),
        ),
    ):
        yield Refused(f"signature-invalid-{name}", about, Code.SIGNATURE_INVALID, raw)


def _no_valid_key() -> Iterator[Refused]:
    event = a_referral()
    raw = posted(event)
    upper = replace(raw, headers=(raw.headers[0], ("rb_keyid", raw.headers[1][1].upper())))
    stranger, revoked = Code.SENDER_UNKNOWN, Code.SENDER_REVOKED
    for name, about, code, spoilt in (
        ("not-listed", "The register does not list the key.", stranger, posted(event, how=Signing(by="a stranger"))),
        ("upper-case", "rb_keyid is in upper case, which names no key.", stranger, upper),
        ("revoked", "The key is revoked, from now on.", revoked, posted(event, how=Signing(by="school revoked"))),
        ("expired", "The key's validity ends exactly now.", revoked, posted(event, how=Signing(by="school expired"))),
        ("not-yet-valid", "Valid in a second.", revoked, posted(event, how=Signing(by="school future"))),
    ):
        yield Refused(f"{code.value.lower().replace('_', '-')}-{name}", about, code, spoilt)


def _not_for_us() -> Iterator[Refused]:
    to_third = a_referral().model_copy(update={"addressee": THIRD})
    receipt = record_of("storage-receipt-one")
    other_key = signed(encode(to_third), inbox(HERE), str(fixed_id("no referral")).encode())
    for name, about, raw in (
        ("event", "A referral to legal-desk.", posted(to_third)),
        ("word-of-ours", "clinic's own word to school.", posted(record_of("status-event-empty"), how=Signing(by=HERE))),
        ("receipt", "clinic's own receipt to school.", posted(receipt, how=Signing(by=HERE))),
        ("wrong-key-too", "A referral to legal-desk whose Kafka key is wrong too.", other_key),
    ):
        yield Refused(f"not-addressed-here-{name}", about, Code.NOT_ADDRESSED_HERE, raw)
