"""Parsing one record within its bounds."""

from typing import Any

import pytest
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from referral_bus.broker.kafka.records import HEADER_NAME_BYTES, HEADERS, KEY_BYTES, RECORD_BYTES, parse_record

START = DefaultRecordBatchBuilder.header_size_in_bytes()
Headers = list[tuple[str, bytes | None]]


def built(key: bytes | None = b"k", value: bytes | None = b"v", headers: Headers | None = None) -> bytearray:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 2**31)
    builder.append(0, 1, b"first", b"first", [])
    builder.append(7, 5, key, value, headers or [])
    return bytearray(builder.build())


def second(buffer: bytearray) -> Any:
    return parse_record(buffer, parse_record(buffer, START).end)


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"k", b"v", []),
        (None, None, [("h", None), ("", b""), ("o\u02bb", b"x" * 300)]),
        (b"", b"", [("h", b"x")] * HEADERS),
        (b"k" * KEY_BYTES, b"v" * (RECORD_BYTES - KEY_BYTES - 100), []),
        (b"k", b"v", [("h" * HEADER_NAME_BYTES, b"x")]),
    ],
)
def test_what_the_library_reads_is_read_alike(key: bytes | None, value: bytes | None, headers: Headers) -> None:
    buffer = built(key, value, headers)
    theirs = list(DefaultRecordBatch(buffer))[1]

    ours = second(buffer)

    assert (ours.key, ours.value, ours.headers) == (theirs.key, theirs.value, theirs.headers) == (key, value, headers)
    assert (ours.offset_delta, ours.timestamp_delta, ours.size) == (7, 4, theirs.size_in_bytes)
    assert ours.end == len(buffer)


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"k" * (KEY_BYTES + 1), b"v", []),
        (b"k", b"v" * RECORD_BYTES, []),
        (b"k", b"v", [("h", b"x")] * (HEADERS + 1)),
        (b"k", b"v", [("h" * (HEADER_NAME_BYTES + 1), b"x")]),
    ],
    ids=["key", "value", "headers", "name"],
)
def test_what_is_beyond_a_bound_is_no_record(key: bytes, value: bytes, headers: Headers) -> None:
    with pytest.raises(CorruptRecordError):
        second(built(key, value, headers))


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_record_that_is_cut_short_is_none(cut: int) -> None:
    with pytest.raises((CorruptRecordError, IndexError, ValueError)):
        second(built(headers=[("h", b"x")])[:-cut])


def test_a_part_that_reaches_beyond_its_record_is_none() -> None:
    """Into the next one, whose bytes would be taken for its own."""
    buffer = built()
    assert buffer[START + 4 :].startswith(b"\x0afirst")
    buffer[START + 4] = 60
    with pytest.raises(CorruptRecordError):
        parse_record(buffer, START)
