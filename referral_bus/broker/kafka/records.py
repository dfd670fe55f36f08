"""Parsing one record of a batch, within bounds that are checked before anything is taken.

The library makes an object for each header before it looks at how many there are: a batch of 1.5 KiB can hold a record
with eight million of them. Here every length and count is compared with its bound, and with what is left of the batch,
before a byte is copied."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kafka.errors import CorruptRecordError
from kafka.record.util import decode_varint

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECORD_BYTES = 128 * 1024
"""One record with its key and headers: the largest message that a topic of ours takes."""

KEY_BYTES = 4 * 1024
HEADERS = 64
"""Ours has eight; more than 32 are refused where the record is judged (`wire.record.MAX_HEADERS`)."""

HEADER_NAME_BYTES = 256

Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A record as it stands in its batch: time and offset are deltas to the batch's own. `end` is where the next one
    begins."""

    size: int
    timestamp_delta: int
    offset_delta: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    end: int


def parse_record(buffer: bytearray, start: int) -> Parsed:
    """Raises `CorruptRecordError`, `ValueError` or `IndexError` for whatever is out of bounds or malformed."""
    length, position = decode_varint(buffer, start)
    end = position + length
    if not 0 < length <= RECORD_BYTES or end > len(buffer):
        raise CorruptRecordError("a record's length is out of bounds")
    _, position = decode_varint(buffer, position)  # its attributes: no bit has a meaning
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
    """Bytes with their length before them; a negative length stands for none."""
    length, position = decode_varint(buffer, position)
    if length < 0:
        return None, position
    if length > at_most or position + length > end:
        raise CorruptRecordError("a part of a record is out of bounds")
    return bytes(buffer[position : position + length]), position + length


def append_time(milliseconds: int) -> datetime:
    """When a record was appended. A broker may write any number there."""
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return EPOCH
