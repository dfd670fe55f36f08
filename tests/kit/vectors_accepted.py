"""The test vectors that every reader takes: at least one of each record."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from referral_bus.federation.trust import sign_register
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import write
from schemas.events import (
    HIGHEST_INCARNATION,
    AgencyAnnouncement,
    AnyRecord,
    DeadLetterNotice,
    ReceiptItem,
    ReferralEvent,
    RegisterVersion,
    ServiceOffer,
    StatusEvent,
    StorageReceipt,
)
from schemas.personal import Appointment, StatusBody
from schemas.schema_index import by_fingerprint
from schemas.sealing_keys import SealingKey, epoch_at, epoch_start
from tests.kit.vector_bodies import full_body, long_body, referral_body, status_body_of
from tests.kit.vector_events import erasure_event, referral_event, status_event
from tests.kit.vector_federation import (
    FEDERATION,
    HERE,
    NOW,
    SENDER,
    fixed_id,
    inbox,
    later,
    public_of,
    register,
    register_file,
    sealed,
    sealing_key,
    seed,
    signing_key,
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """`about`: one sentence for whoever reads the file. `body`: what is sealed in it."""

    name: str
    about: str
    record: AnyRecord
    topic: str
    by: str
    here: str
    body: BaseModel | None = None

    @property
    def raw(self) -> RawRecord:
        return write(self.record, self.topic, FEDERATION, signing_key(self.by))


_SECOND = {"sequence": 2, "follows_incarnation": 1, "follows_sequence": 1}


def accepted() -> Iterator[Accepted]:
    yield from _referrals()
    yield from _words()
    yield from _erasures()
    yield from _receipts()
    yield from _announcements()
    yield from _notices()
    yield _register_version()


def _with_body(name: str, about: str, event: ReferralEvent | StatusEvent, body: BaseModel) -> Accepted:
    event = sealed(event, encode(body))
    return Accepted(name, about, event, inbox(event.addressee), event.writer, event.addressee, body)


def _referrals() -> Iterator[Accepted]:
    for name, about, body, changes in (
        ("minimal", "The least that a referral says; 1 KiB of padding.", referral_body(), {}),
        ("full", "Every field filled; 2 KiB. Birth before 1970, letters of several scripts.", full_body(), {}),
        ("4-kib", "A long need in Cyrillic; 4 KiB.", long_body(1), {"priority": "urgent"}),
        ("8-kib", "Several long texts; 8 KiB.", long_body(4), {"priority": "stat"}),
        ("16-kib", "The largest padding.", long_body(9), {"priority": "stat"}),
    ):
        yield _with_body(f"referral-event-{name}", about, referral_event(name, **changes), body)


def _words() -> Iterator[Accepted]:
    appointment = StatusBody(
        business_status="appointment-scheduled", appointment=Appointment(time=later(days=2), place="Test place 1")
    )
    declined = StatusBody(outcome_reason="no-capacity", text="Synthetic reason.", suggested_agency="legal-desk")
    restored = {
        "incarnation": HIGHEST_INCARNATION,
        "sequence": 64,
        "follows_incarnation": 3,
        "follows_sequence": 2**53 - 1,
        "occurred_at": later(days=-20000),
    }
    cases: tuple[tuple[str, str, StatusEvent, StatusBody], ...] = (
        (
            "empty",
            "Seen by staff. The sealed body is empty: every field null.",
            status_event("empty", HERE, "received"),
            StatusBody(),
        ),
        (
            "appointment",
            "A note of the recipient; the status stays as it is.",
            status_event("appointment", HERE, "accepted", **_SECOND),
            appointment,
        ),
        (
            "rejected",
            "Rejected, with a reason and another agency.",
            status_event("rejected", HERE, "rejected"),
            declined,
        ),
        (
            "from-sender",
            "A word of the referral's sender: the status is null.",
            status_event("from-sender", SENDER, None, **_SECOND),
            StatusBody(business_status="cancellation-requested"),
        ),
        (
            "restored",
            "Long numbers: after a restored backup the incarnation is higher.",
            status_event("restored", HERE, "on-hold", **restored),
            StatusBody(),
        ),
        (
            "fits-exactly",
            "A body of 1020 bytes: with its length it is exactly 1 KiB, and no zeros follow.",
            status_event("fits-exactly", HERE, "in-progress", **_SECOND),
            status_body_of(1020),
        ),
        (
            "one-byte-more",
            "A body of 1021 bytes needs 2 KiB.",
            status_event("one-byte-more", HERE, "in-progress", **_SECOND),
            status_body_of(1021),
        ),
    )
    for name, about, event, body in cases:
        yield _with_body(f"status-event-{name}", about, event, body)


def _erasures() -> Iterator[Accepted]:
    cases = (
        ("requested", "The sender withdraws.", SENDER, None, "withdrawn"),
        ("erased", "The recipient has erased, and says the final status.", HERE, "cancelled", "withdrawn"),
        ("confirmed", "The recipient's own system has erased too.", HERE, "entered-in-error", "entered-in-error"),
    )
    for place, (kind, about, writer, status, reason) in enumerate(cases, start=2):
        event = erasure_event(kind, writer, status, kind, reason, sequence=place)
        yield Accepted(f"erasure-event-{kind}", about, event, inbox(event.addressee), writer, event.addressee)


def _item(number: int, outcome: str, code: str | None = None, path: str | None = None, known: bool = True) -> Any:
    return ReceiptItem(
        value_sha256=hashlib.sha256(bytes([number])).digest(),
        event_id=fixed_id(f"item {number}") if known else None,
        outcome=outcome,
        code=code,
        path=path,
        held_incarnation=min(number, 1),
        held_sequence=number,
    )


def _receipts() -> Iterator[Accepted]:
    all_outcomes = (
        _item(1, "STORED"),
        _item(2, "ERASED"),
        _item(3, "REFUSED", "TRANSITION_REFUSED", "status"),
        _item(0, "REFUSED", "MALFORMED", known=False),
        _item(5, "HELD", "REGISTER_NEWER"),
        _item(6, "MISSING"),
        _item(7, "RESEAL"),
    )
    for name, about, items in (
        ("one", "One event stored.", all_outcomes[:1]),
        ("all-outcomes", "Each outcome once, and a value that could not be decoded.", all_outcomes),
    ):
        receipt = StorageReceipt(
            receipt_id=fixed_id(f"receipt {name}"),
            writer=HERE,
            addressee=SENDER,
            incarnation=1,
            issued_at=later(seconds=-1),
            items=items,
        )
        yield Accepted(f"storage-receipt-{name}", about, receipt, inbox(SENDER), HERE, SENDER)


def _announcements() -> Iterator[Accepted]:
    epoch = epoch_at(NOW)
    keys = tuple(
        SealingKey(
            epoch=epoch + ahead,
            public_key=public_of(sealing_key(HERE if ahead == 0 else f"{HERE} {ahead}")),
            valid_from=epoch_start(epoch + ahead),
            valid_until=epoch_start(epoch + ahead + 1),
        )
        for ahead in range(3)
    )
    content: dict[str, Any] = {
        "sealing_keys": keys,
        "readable_schemas": tuple(sorted(by_fingerprint())),
        "services": (ServiceOffer(service_type="health", capacity="limited"),),
        "open_referrals": 12,
        "overdue_referrals": 1,
        "handovers_blocked": 1,
        "audit_count": 300,
        "audit_head": seed("audit head"),
    }
    bare: dict[str, Any] = {
        "sealing_keys": (),
        "readable_schemas": (),
        "services": (),
        "open_referrals": 0,
        "overdue_referrals": 0,
        "handovers_blocked": 0,
        "audit_count": 0,
        "audit_head": bytes(32),
    }
    for counter, (name, about, fields) in enumerate(
        (
            ("full", "Three sealing keys, every schema, one service.", content),
            ("bare", "The first word of an agency: empty arrays, zeros.", bare),
        ),
        start=1,
    ):
        announcement = AgencyAnnouncement(
            agency=HERE,
            incarnation=1,
            counter=counter,
            issued_at=later(minutes=-1),
            expires_at=later(days=2),
            register_version=7,
            register_sha256=bytes.fromhex(register().sha256),
            handed_over_before=later(minutes=-2),
            software_version="0.1.0",
            **fields,
        )
        topic = f"referral.announcement.{HERE}.v1"
        yield Accepted(f"agency-announcement-{name}", about, announcement, topic, HERE, SENDER)


def _notices() -> Iterator[Accepted]:
    for name, about, path, known in (
        ("full", "A held event whose schema is not known yet.", "sealed", True),
        ("bare", "Nothing of the record could be read.", None, False),
    ):
        notice = DeadLetterNotice(
            notice_id=fixed_id(f"notice {name}"),
            agency=HERE,
            issued_at=later(minutes=-1),
            code="SCHEMA_UNKNOWN" if known else "TOO_LARGE",
            path=path,
            event_id=fixed_id("event minimal") if known else None,
            topic=inbox(HERE),
            partition=0,
            offset=2**40,
            schema_fingerprint=seed("unknown schema")[:8] if known else None,
            count=1,
        )
        yield Accepted(f"dead-letter-notice-{name}", about, notice, "referral.notices.v1", HERE, SENDER)


def _register_version() -> Accepted:
    data = register_file()
    record = RegisterVersion(
        version=7,
        issued_at=later(days=-22),
        register_file=data,
        signatures=tuple(sign_register(data, signing_key(name)) for name in ("steward 1", "steward 3")),
    )
    about = "The register itself, signed by two of three stewards; the record by one of them."
    return Accepted("register-version", about, record, "referral.register.v1", "steward 1", HERE)
