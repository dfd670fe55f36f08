"""Unpacking what anybody may have written."""

import struct
import time
import tracemalloc
from typing import Any

import pytest
import zstandard
from kafka import TopicPartition
from kafka.record import MemoryRecords

from referral_bus.broker.kafka import batches
from referral_bus.broker.kafka.batches import UNPACKED_BYTES, BoundedRecords
from referral_bus.broker.protocols import Unreadable
from tests.contract.broker import crafted

FIRST, SECOND = crafted.plain([b"a", b"b"]), crafted.plain([b"c", b"d", b"e"])


def at(offset: int, batch: bytes) -> bytes:
    """As a broker hands it out: the base offset is no part of the checksum."""
    return offset.to_bytes(8, "big") + batch[8:]


def records_of(*parts: bytes, fetched_from: int = 0) -> Any:
    return BoundedRecords(fetched_from, TopicPartition("t", 3), MemoryRecords(b"".join(parts)))


def all_of(records: Any) -> list[bytes | Unreadable]:
    """As the library does it: one take after another, until nothing is left."""
    found: list[bytes | Unreadable] = []
    while records:
        found += [one if isinstance(one, Unreadable) else one.value for one in records.take(1)]
    return found


def unpacked(*parts: bytes, fetched_from: int = 0) -> list[bytes | Unreadable]:
    return all_of(records_of(*parts, fetched_from=fetched_from))


def gap(offset: int, next_offset: int, cause: str = "CorruptRecordError") -> Unreadable:
    return Unreadable("t", 3, offset, next_offset, cause)


@pytest.mark.parametrize("pack", [bytes, crafted.in_zstd, crafted.in_gzip])
def test_what_ours_and_many_others_write_is_read(pack: Any) -> None:
    assert unpacked(at(0, pack(FIRST)), at(2, pack(SECOND))) == [b"a", b"b", b"c", b"d", b"e"]


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
def test_what_cannot_be_unpacked_says_where_it_ends_and_what_follows_is_read(pack: Any, cause: str) -> None:
    assert unpacked(at(0, FIRST), at(2, pack(SECOND)), at(5, FIRST)) == [b"a", b"b", gap(2, 5, cause), b"a", b"b"]


def test_the_records_before_a_malformed_one_are_read() -> None:
    malformed = crafted.with_a_header_that_is_no_text(SECOND)
    assert unpacked(at(0, malformed), at(3, FIRST)) == [b"c", b"d", gap(2, 3), b"a", b"b"]


def test_a_batch_that_is_entered_in_the_middle_is_left_from_there() -> None:
    assert unpacked(at(0, crafted.in_snappy(SECOND)), fetched_from=1) == [gap(1, 3, "UnsupportedCodecError")]
    malformed_before = crafted.with_a_header_that_is_no_text(SECOND, records_after=1)
    assert unpacked(at(0, malformed_before), fetched_from=2) == [gap(2, 3)]


def test_the_position_is_beyond_it_also_where_nothing_follows() -> None:
    records = records_of(at(0, FIRST), at(2, crafted.in_lz4(SECOND)))
    all_of(records)
    assert records.next_fetch_offset == 5


@pytest.mark.parametrize("delta", [-1, 1, 63])
def test_an_offset_outside_of_its_batch_carries_nobody_away(delta: int) -> None:
    """Kafka looks at those of a batch that is not packed no closer than this."""
    lying = crafted.with_an_offset(crafted.plain([b"x"]), delta)
    assert unpacked(at(0, FIRST), at(2, lying), at(3, FIRST)) == [b"a", b"b", gap(2, 3), b"a", b"b"]


def test_a_record_that_comes_after_one_of_its_own_offset_is_not_read() -> None:
    twice = crafted._sealed(bytearray(FIRST).replace(b"\x00\x02\x02k", b"\x00\x00\x02k"))
    assert twice != FIRST
    assert unpacked(at(0, twice), at(2, FIRST)) == [b"a", gap(1, 2), b"a", b"b"]


@pytest.mark.parametrize("pack", [bytes, crafted.in_zstd])
def test_bytes_after_the_last_record_take_nothing_with_them(pack: Any) -> None:
    trailed = pack(crafted._sealed(bytearray(FIRST + b"?")))
    assert unpacked(at(0, trailed), at(2, SECOND)) == [b"a", b"b", b"c", b"d", b"e"]


@pytest.mark.parametrize("length", [-12, 0, 13, 40])
def test_where_no_next_batch_can_be_found_one_record_is_left_and_the_rest_fetched_again(length: int) -> None:
    unframed = bytearray(at(2, SECOND))
    struct.pack_into(">i", unframed, crafted.LENGTH_AT, length)
    records = records_of(at(0, FIRST), bytes(unframed))

    assert [one for one in all_of(records) if isinstance(one, bytes)] == [b"a", b"b"]
    assert records.next_fetch_offset == 3


def test_one_take_ends_after_a_while_and_the_rest_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "TAKE_S", 0.05)
    monkeypatch.setattr(batches, "unpack", lambda *_: time.sleep(0.02))
    records = records_of(*(at(number, crafted.in_zstd(crafted.plain([b"x"]))) for number in range(100)))

    taken = records.take(100)

    assert 1 <= len(taken) < 10
    assert not records
    assert records.next_fetch_offset == len(taken)


def test_one_take_holds_no_more_than_a_few_batches_that_unpack_to_much() -> None:
    much = crafted.in_zstd(crafted.plain([bytes(UNPACKED_BYTES - 1000)]))
    records = records_of(*(at(number, much) for number in range(20)))

    taken = records.take(100)

    assert len(taken) == 3
    assert records.next_fetch_offset == 3


def test_a_batch_that_lies_about_its_end_is_left_by_one_record() -> None:
    backwards = bytearray(crafted.in_snappy(SECOND))
    backwards[23:27] = (-100).to_bytes(4, "big", signed=True)
    assert unpacked(at(5, crafted._sealed(backwards)), fetched_from=5) == [gap(5, 6, "UnsupportedCodecError")]


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
