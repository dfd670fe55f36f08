"""Unpacking what anybody may have written."""

import tracemalloc
from typing import Any

import pytest
import zstandard
from kafka import TopicPartition
from kafka.record import MemoryRecords

from referral_bus.broker.kafka import batches
from referral_bus.broker.kafka.batches import UNPACKED_BYTES, BoundedRecords, UnreadableBatchError
from referral_bus.broker.protocols import Unreadable
from tests.contract.broker import crafted

FIRST, SECOND = crafted.plain([b"a", b"b"]), crafted.plain([b"c", b"d", b"e"])


def at(offset: int, batch: bytes) -> bytes:
    """As a broker hands it out: the base offset is no part of the checksum."""
    return offset.to_bytes(8, "big") + batch[8:]


def records_of(*parts: bytes, fetched_from: int = 0) -> Any:
    return BoundedRecords(fetched_from, TopicPartition("t", 3), MemoryRecords(b"".join(parts)))


def unpacked(*parts: bytes, fetched_from: int = 0) -> tuple[list[bytes], Unreadable | None]:
    records = records_of(*parts, fetched_from=fetched_from)
    values: list[bytes] = []
    try:
        while taken := records.take(1):
            values += [one.value for one in taken]
    except UnreadableBatchError as error:
        return values, error.unreadable
    return values, None


@pytest.mark.parametrize("pack", [bytes, crafted.in_zstd, crafted.in_gzip])
def test_what_ours_and_many_others_write_is_read(pack: Any) -> None:
    assert unpacked(at(0, pack(FIRST)), at(2, pack(SECOND))) == ([b"a", b"b", b"c", b"d", b"e"], None)


@pytest.mark.parametrize(
    ("pack", "cause"),
    [
        (crafted.in_snappy, "UnsupportedCodecError"),
        (crafted.in_lz4, "UnsupportedCodecError"),
        (lambda batch: crafted.packed(batch, 7, b"?"), "UnsupportedCodecError"),
        (lambda batch: crafted.packed(batch, crafted.ZSTD, b"no zstd"), "ZstdError"),
        (lambda batch: crafted.packed(batch, crafted.GZIP, b"no gzip"), "BadGzipFile"),
        (lambda batch: crafted.packed(batch, 0, b"\xff" * 90), "CorruptRecordError"),
        (lambda batch: batch[:-1] + b"?", "CorruptRecordError"),  # its checksum is wrong
    ],
)
def test_what_cannot_be_unpacked_says_where_it_ends(pack: Any, cause: str) -> None:
    assert unpacked(at(0, FIRST), at(2, pack(SECOND)), at(5, FIRST)) == (
        [b"a", b"b"],
        Unreadable("t", 3, 2, 5, cause),
    )


def test_nothing_of_what_the_library_says_travels_on() -> None:
    """It quotes the bytes."""
    with pytest.raises(UnreadableBatchError) as unreadable:
        records_of(at(0, crafted.with_a_header_that_is_no_text(crafted.plain([b"c"])))).take(1)

    assert unreadable.value.__cause__ is None
    assert unreadable.value.__context__ is None


def test_the_records_before_a_malformed_one_are_read() -> None:
    malformed = crafted.with_a_header_that_is_no_text(SECOND)
    assert unpacked(at(0, malformed)) == ([b"c", b"d"], Unreadable("t", 3, 2, 3, "CorruptRecordError"))


def test_a_batch_that_is_entered_in_the_middle_is_left_from_there() -> None:
    assert unpacked(at(0, crafted.in_snappy(SECOND)), fetched_from=1) == (
        [],
        Unreadable("t", 3, 1, 3, "UnsupportedCodecError"),
    )
    malformed_before = crafted.with_a_header_that_is_no_text(SECOND, records_after=1)
    assert unpacked(at(0, malformed_before), fetched_from=2)[1] == Unreadable("t", 3, 2, 3, "CorruptRecordError")


def test_a_batch_that_lies_about_its_end_is_left_by_one_record() -> None:
    backwards = bytearray(crafted.in_snappy(SECOND))
    backwards[23:27] = (-100).to_bytes(4, "big", signed=True)
    assert unpacked(at(5, crafted._sealed(backwards)), fetched_from=5)[1] == Unreadable(
        "t", 3, 5, 6, "UnsupportedCodecError"
    )


@pytest.mark.parametrize("codec", [crafted.ZSTD, crafted.GZIP])
def test_a_small_batch_that_unpacks_to_very_much_takes_little_memory(codec: int) -> None:
    much = bytes(UNPACKED_BYTES * 8)
    pack = crafted.in_zstd if codec == crafted.ZSTD else crafted.in_gzip
    body = pack(FIRST[: crafted.HEADER] + much)[crafted.HEADER :]
    del much

    tracemalloc.start()
    with pytest.raises(Exception, match="unpacks to too much"):
        batches.unpack(codec, body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < UNPACKED_BYTES * 3


def test_frames_that_follow_each_other_are_all_read() -> None:
    pack = zstandard.ZstdCompressor().compress
    assert batches.unpack(crafted.ZSTD, pack(b"a" * 1000) + pack(b"b" * 1000)) == b"a" * 1000 + b"b" * 1000
