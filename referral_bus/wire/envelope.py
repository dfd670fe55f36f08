"""The parts of a Kafka record around its value: the key, and CloudEvents headers for the tools of others."""

from datetime import UTC, datetime

from schemas.events import (
    AgencyAnnouncement,
    AnyRecord,
    DeadLetterNotice,
    Event,
    RegisterVersion,
    StorageReceipt,
)

STEWARD = "@stewards"  # the writer of a register version; no agency code can look like this


def writer_of(record: AnyRecord) -> str:
    """The code of the agency that wrote a record, or `STEWARD`."""
    if isinstance(record, Event | StorageReceipt):
        return record.writer
    return STEWARD if isinstance(record, RegisterVersion) else record.agency


def kafka_key(record: AnyRecord) -> bytes:
    """The Kafka key of a record. All events of a referral have the same key, so that they keep their order in any
    number of partitions."""
    match record:
        case Event():
            return str(record.referral_id).encode()
        case StorageReceipt():
            return str(record.receipt_id).encode()
        case AgencyAnnouncement():
            return record.agency.encode()
        case DeadLetterNotice():
            return str(record.notice_id).encode()
        case RegisterVersion():
            return str(record.version).encode()


def headers(record: AnyRecord) -> tuple[tuple[str, bytes], ...]:
    """The headers of a record by CloudEvents 1.0, binary mode. Our own readers ignore them: the signature does not
    cover them."""
    writer = writer_of(record)
    source = "/stewards" if writer == STEWARD else f"/agencies/{writer}"
    time = record.occurred_at if isinstance(record, Event) else record.issued_at
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": _id_of(record),
        "ce_type": f"referral-bus.{record.record}.v1",
        "ce_source": source,
        "ce_time": rfc3339(time),
        "content-type": "application/avro",
    }
    return tuple((name, value.encode()) for name, value in attributes.items())


def rfc3339(time: datetime) -> str:
    """UTC with milliseconds, as in 2026-11-23T14:05:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _id_of(record: AnyRecord) -> str:
    match record:
        case Event():
            return str(record.event_id)
        case StorageReceipt():
            return str(record.receipt_id)
        case AgencyAnnouncement():
            return f"{record.agency}-{record.incarnation}-{record.counter}"
        case DeadLetterNotice():
            return str(record.notice_id)
        case RegisterVersion():
            return str(record.version)
