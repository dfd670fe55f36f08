"""Records that an agency of the bench could write if its software let it: its own keys, any content."""

from typing import Any
from uuid import uuid4

from consumers.agency.announcer import next_announcement
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import sign_value, write
from referral_bus.wire.sealing import SUITE, binding, pad
from referral_bus.wire.signing import key_id_of
from schemas.deadlines import acknowledge_by, respond_by
from schemas.events import (
    NOWHERE,
    AgencyAnnouncement,
    AnyRecord,
    ErasureEvent,
    Place,
    ReceiptItem,
    ReferralEvent,
    ReferralKey,
    SealedEvent,
    StatusEvent,
    StorageReceipt,
)
from schemas.outcomes import Outcome
from schemas.personal import ReferralBody, StatusBody
from tests.kit.bench import Bench
from tests.kit.people import request

Body = ReferralBody | StatusBody


def a_referral(bench: Bench, sender: str, recipient: str, **changes: object) -> ReferralEvent:
    """A new referral, bare; `changes` are fields of the event."""
    now = bench.clock()
    key = ReferralKey(sender, uuid4())
    fields = _common(bench, key, sender, recipient, Place(1, 1), NOWHERE)
    fields |= {
        "priority": "urgent",
        "acknowledge_by": acknowledge_by("urgent", now),
        "respond_by": respond_by("urgent", now),
    }
    return ReferralEvent(**fields).model_copy(update=changes)


def a_word(
    bench: Bench,
    key: ReferralKey,
    writer: str,
    addressee: str,
    place: tuple[int, int],
    status: str | None = None,
    follows: tuple[int, int] | None = None,
    **changes: object,
) -> StatusEvent:
    """A word about a referral, bare; without `follows` it stands directly behind the place before it."""
    before = follows or ((place[0], place[1] - 1) if place[1] > 1 else NOWHERE)
    fields = _common(bench, key, writer, addressee, Place(*place), Place(*before))
    return StatusEvent(**fields, status=status).model_copy(update=changes)


def an_erasure(
    bench: Bench, key: ReferralKey, writer: str, addressee: str, place: tuple[int, int], **changes: object
) -> ErasureEvent:
    """A word about an erasure; *requested* because consent was withdrawn, unless `changes` say otherwise."""
    common = _common(bench, key, writer, addressee, Place(*place), NOWHERE)
    fields = {name: common[name] for name in common if name in ErasureEvent.model_fields}
    said: dict[str, Any] = {"status": None, "kind": "requested", "reason": "withdrawn"}
    return ErasureEvent(**fields, **(said | changes))


def _common(
    bench: Bench, key: ReferralKey, writer: str, addressee: str, place: Place, follows: Place
) -> dict[str, Any]:
    return {
        "event_id": uuid4(),
        "referral_id": key.referral_id,
        "referral_sender": key.sender,
        "writer": writer,
        "addressee": addressee,
        "occurred_at": bench.clock(),
        "register_version": bench.register.version,
        "incarnation": place.incarnation,
        "sequence": place.sequence,
        "follows_incarnation": follows.incarnation,
        "follows_sequence": follows.sequence,
        "sealing_key_id": "0" * 32,
        "sealed": b"",
    }


def body_for(recipient: str) -> ReferralBody:
    return request(recipient).body


def sealed(bench: Bench, event: SealedEvent, body: Body | bytes | None = None) -> SealedEvent:
    """The event sealed to its addressee's current key. A body of bytes is sealed as it is, unpadded."""
    if body is None:
        body = body_for(event.addressee) if isinstance(event, ReferralEvent) else StatusBody()
    key = bench[event.addressee].keyring.announced(bench.clock())[0]
    named = event.model_copy(update={"sealing_key_id": key_id_of(key.public_key)})
    plaintext = body if isinstance(body, bytes) else pad(encode(body))
    public_key = bench[event.addressee].keyring.epochs[0].private.public_key()
    assert isinstance(named, ReferralEvent | StatusEvent)
    return named.model_copy(update={"sealed": SUITE.encrypt(plaintext, public_key, info=binding(named))})


def signed(bench: Bench, record: AnyRecord, topic: str | None = None, signer: str | None = None) -> RawRecord:
    """The raw record, as its writer would send it; `signer` and `topic` are its own unless told otherwise."""
    writer = record.agency if isinstance(record, AgencyAnnouncement) else getattr(record, "writer", "")
    where = topic or _topic(bench, record)
    return write(record, where, bench.register.federation, bench.generated.agency_keys[signer or writer])


def signed_bytes(bench: Bench, value: bytes, like: AnyRecord, topic: str | None = None) -> RawRecord:
    """Any bytes, signed by the writer of `like` in the place of its own."""
    writer = like.agency if isinstance(like, AgencyAnnouncement) else getattr(like, "writer", "")
    key = bench.generated.agency_keys[writer]
    return sign_value(value, like, topic or _topic(bench, like), bench.register.federation, key)


def event_record(bench: Bench, event: SealedEvent, body: Body | bytes | None = None) -> RawRecord:
    """Sealed and signed, on its way to its addressee's inbox."""
    whole = sealed(bench, event, body)
    assert isinstance(whole, ReferralEvent | StatusEvent)
    return signed(bench, whole)


def _topic(bench: Bench, record: AnyRecord) -> str:
    if isinstance(record, AgencyAnnouncement):
        return bench.register.announcement(record.agency) or ""
    return bench.register.inbox(getattr(record, "addressee", "")) or ""


def a_receipt(
    bench: Bench, writer: str, addressee: str, digest: bytes, outcome: str = Outcome.STORED, **changes: object
) -> RawRecord:
    """A receipt of one item, signed; `changes` are fields of the item, or the receipt's `incarnation`."""
    incarnation = changes.pop("incarnation", 1)
    item: dict[str, Any] = {
        "value_sha256": digest,
        "event_id": None,
        "outcome": outcome,
        "code": None,
        "path": None,
        "held_incarnation": 0,
        "held_sequence": 0,
    }
    receipt = StorageReceipt(
        receipt_id=uuid4(),
        writer=writer,
        addressee=addressee,
        incarnation=1,
        issued_at=bench.clock(),
        items=(ReceiptItem(**item | changes),),
    )
    return signed(bench, receipt.model_copy(update={"incarnation": incarnation}))


def an_announcement(bench: Bench, agency: str, counter: int, **changes: object) -> AgencyAnnouncement:
    """The agency's announcement of its keys; `changes` are fields of it."""
    station, now = bench[agency], bench.clock()
    made = next_announcement(station.ledger, station.register, station.keyring.announced(now), now, "0.0.0")
    return made.model_copy(update={"counter": counter} | changes)
