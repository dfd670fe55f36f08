"""What stands around a value in Kafka: its key, and CloudEvents attributes for other people's tools."""

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
    if isinstance(record, Event | StorageReceipt):
        return record.writer
    return STEWARD if isinstance(record, RegisterVersion) else record.agency


def kafka_key(record: AnyRecord) -> bytes:
    """One referral, one key, so that its events keep their order in any number of partitions."""
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
    """CloudEvents 1.0, binary mode. Our own readers believe none of it: only the value is signed."""
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
