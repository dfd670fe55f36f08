"""What stands around a value: its key, its writer, and CloudEvents attributes."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from referral_bus.wire.envelope import STEWARD, headers, kafka_key, rfc3339, writer_of
from schemas.events import AgencyCode, AnyRecord
from tests.kit.strategies import ANY_CLEAR_RECORD, CLEAR_RECORDS
from tests.kit.vector_files import Vector, accepted_vectors
from tests.kit.vectors_accepted import accepted

RECORDS = {vector.name: vector.record for vector in accepted()}
AGENCY: TypeAdapter[str] = TypeAdapter(AgencyCode)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("referral-event-minimal", "referral_id"),
        ("status-event-empty", "referral_id"),
        ("erasure-event-requested", "referral_id"),
        ("storage-receipt-one", "receipt_id"),
        ("agency-announcement-full", "agency"),
        ("dead-letter-notice-full", "notice_id"),
        ("register-version", "version"),
    ],
)
def test_the_kafka_key_is_this_field_as_text(name: str, field: str) -> None:
    assert kafka_key(RECORDS[name]) == str(getattr(RECORDS[name], field)).encode()


@pytest.mark.parametrize(
    ("name", "writer", "event_id"),
    [
        ("referral-event-minimal", "school", "event_id"),
        ("status-event-empty", "clinic", "event_id"),
        ("erasure-event-erased", "clinic", "event_id"),
        ("storage-receipt-one", "clinic", "receipt_id"),
        ("dead-letter-notice-full", "clinic", "notice_id"),
    ],
)
def test_the_headers_say_who_and_which(name: str, writer: str, event_id: str) -> None:
    record = RECORDS[name]
    assert writer_of(record) == writer
    found = dict(headers(record))
    assert found["ce_source"] == f"/agencies/{writer}".encode()
    assert found["ce_id"] == str(getattr(record, event_id)).encode()


def test_an_announcement_is_named_by_agency_incarnation_and_counter() -> None:
    assert dict(headers(RECORDS["agency-announcement-bare"]))["ce_id"] == b"clinic-1-2"


def test_a_register_version_is_the_stewards() -> None:
    found = dict(headers(RECORDS["register-version"]))
    assert (found["ce_source"], found["ce_id"]) == (b"/stewards", b"7")
    assert writer_of(RECORDS["register-version"]) == STEWARD


def test_no_agency_can_be_taken_for_the_stewards() -> None:
    assert AGENCY.validate_python("stewards") == "stewards"
    with pytest.raises(ValidationError):
        AGENCY.validate_python(STEWARD)


@pytest.mark.parametrize("vector", accepted_vectors(), ids=lambda vector: vector.name)
def test_the_headers_are_these(vector: Vector) -> None:
    found = headers(RECORDS[vector.name])
    assert found == vector.raw.headers[:6]
    assert [name for name, _ in found] == [
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_time",
        "content-type",
    ]


@pytest.mark.parametrize("name", sorted(CLEAR_RECORDS))
@given(data=st.data())
def test_the_type_is_the_records_name(name: str, data: st.DataObject) -> None:
    assert dict(headers(data.draw(CLEAR_RECORDS[name])))["ce_type"] == f"referral-bus.{name}.v1".encode()


@given(ANY_CLEAR_RECORD)
def test_a_header_is_never_empty_and_holds_no_control_character(record: AnyRecord) -> None:
    for _, value in headers(record):
        assert value
        assert value.decode("ascii").isprintable()


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)), st.integers(-14, 14))  # noqa: DTZ001 (naive bounds)
def test_a_time_is_utc_with_milliseconds(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    text = rfc3339(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert timedelta(0) <= moment.astimezone(UTC) - datetime.fromisoformat(text) < timedelta(milliseconds=1)
