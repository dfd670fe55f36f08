"""Parses one record of a batch, and checks every bound before it copies a byte.

The library makes an object for each header before it looks at their number: a batch of 1.5 KiB can hold a record with
eight million of them. This parser first compares every length and count with its bound and with the rest of the
batch."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECORD_BYTES = 128 * 1024
"""The most for one record with its key and headers: the largest message that our topics take."""

KEY_BYTES = 4 * 1024
HEADERS = 64
"""The most in one record. Our records have eight; `wire.record.authenticate` refuses more than `MAX_HEADERS`."""

HEADER_NAME_BYTES = 256

Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A record as its batch holds it. `timestamp_delta` (milliseconds) and `offset_delta` are relative to the batch's
    own. `size` is the record's length in bytes, `end` the position in the buffer where the next one begins."""

    size: int
    timestamp_delta: int
    offset_delta: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    end: int


def parse_record(buffer: bytearray, start: int) -> Parsed:
    """The record that begins at `start` of an unpacked batch. Raises `CorruptRecordError`, `ValueError` or `IndexError`
    for one that is malformed or over a bound."""
    length, position = decode_varint(buffer, start)
    end = position + length
    if not 0 < length <= RECORD_BYTES or end > len(buffer):
        raise CorruptRecordError("a record's length is out of bounds")
    _, position = decode_varint(buffer, position)  # the record's attributes, of which Kafka uses no bit
    timestamp_delta, position = decode_varint(buffer, position)
    offset_delta, position = decode_varint(buffer, position)
    key, position = _take(buffer, position, end, KEY_BYTES)
    value, position = _take(buffer, position, end, RECORD_BYTES)
    headers, position = _headers(buffer, position, end)
    if position != end:
        raise CorruptRecordError("a record is longer or shorter than it says")
    return Parsed(length, timestamp_delta, offset_delta, key, value, headers, end)


def _headers(buffer: bytearray, position: int, end: int) -> tuple[list[Header], int]:
    count, position = decode_varint(buffer, position)
    if not 0 <= count <= HEADERS:
        raise CorruptRecordError("a record has too many headers")
    headers: list[Header] = []
    for _ in range(count):
        name, position = _take(buffer, position, end, HEADER_NAME_BYTES)
        if name is None:
            raise CorruptRecordError("a header has no name")
        value, position = _take(buffer, position, end, RECORD_BYTES)
        headers.append((name.decode("utf-8"), value))
    return headers, position


def _take(buffer: bytearray, position: int, end: int, at_most: int) -> tuple[bytes | None, int]:
    """The bytes after a length, and the position after them; None for a negative length, Kafka's null."""
    length, position = decode_varint(buffer, position)
    if length < 0:
        return None, position
    if length > at_most or position + length > end:
        raise CorruptRecordError("a part of a record is out of bounds")
    return bytes(buffer[position : position + length]), position + length


def append_time(milliseconds: int) -> datetime:
    """When a record was appended, from its timestamp; 1970 for a number of milliseconds that is no date, since a broker
    may write any."""
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return EPOCH
