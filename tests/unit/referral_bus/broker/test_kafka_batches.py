"""Unpacking what anybody may have written."""

import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import zstandard
from kafka import TopicPartition
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch

from referral_bus.broker.kafka import batches
from referral_bus.broker.kafka.batches import HEADERS_OF_ALL, RECORDS, UNPACKED_BYTES, BoundedRecords
from referral_bus.broker.kafka.records import RECORD_BYTES
from referral_bus.broker.kafka.unpacking import ENDS, Unpacking, UnpackingPlace, digest_of
from referral_bus.broker.protocols import ENDED_US, Unreadable
from tests.contract.broker import crafted

FIRST, SECOND = crafted.plain([b"a", b"b"]), crafted.plain([b"c", b"d", b"e"])


def at(offset: int, batch: bytes) -> bytes:
    """As a broker hands it out: the base offset is no part of the checksum."""
    return offset.to_bytes(8, "big") + batch[8:]


def records_of(*parts: bytes, fetched_from: int = 0, place: UnpackingPlace | None = None) -> Any:
    return BoundedRecords(fetched_from, TopicPartition("t", 3), MemoryRecords(b"".join(parts)), place=place)


def all_of(records: Any) -> list[bytes | Unreadable]:
    """As the library does it: one take after another, until nothing is left."""
    found: list[bytes | Unreadable] = []
    while records:
        found += [one if isinstance(one, Unreadable) else one.value for one in records.take(1)]
    return found


def unpacked(*parts: bytes, fetched_from: int = 0) -> list[bytes | Unreadable]:
    return all_of(records_of(*parts, fetched_from=fetched_from))


def in_one(count: int) -> bytes:
    return crafted.in_zstd(crafted.plain([b""] * count))


def test_a_batch_that_holds_too_many_records_is_not_begun() -> None:
    assert unpacked(at(0, in_one(RECORDS + 1)), at(RECORDS + 1, FIRST)) == [gap(0, RECORDS + 1), b"a", b"b"]


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
    many = RECORD_BYTES // 2
    much = crafted.in_zstd(crafted.plain([bytes(many)] * 15))
    records = records_of(*(at(15 * number, much) for number in range(20)))

    taken = records.take(1000)

    assert UNPACKED_BYTES < len(taken) * many < 3 * UNPACKED_BYTES
    assert records.next_fetch_offset == len(taken)


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


def test_what_wants_a_larger_window_than_every_reader_must_have_is_not_unpacked() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=25, enable_ldm=True)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = frame.compress(b"a" * 1000) + frame.flush()
    with pytest.raises(zstandard.ZstdError):
        batches.unpack(crafted.ZSTD, packed)


@pytest.mark.parametrize("pack", [crafted.in_zstd, crafted.in_gzip])
def test_a_batch_at_which_an_earlier_process_ended_is_passed_over(
    pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> bytearray:
        raise KeyboardInterrupt  # what no clause in between takes for a malformed batch

    batch = at(2, pack(SECOND))
    with monkeypatch.context() as patch:
        patch.setattr(batches, "unpack", killed)
        patch.setattr(UnpackingPlace, "end", lambda _: None)  # it does not come so far
        for _ in range(ENDS):
            with pytest.raises(KeyboardInterrupt):
                all_of(records_of(at(0, FIRST), batch, place=Unpacking(tmp_path / "unpacking").place()))

    found = all_of(records_of(at(0, FIRST), batch, at(5, FIRST), place=Unpacking(tmp_path / "unpacking").place()))

    assert found == [b"a", b"b", gap(2, 5, ENDED_US), b"a", b"b"]
    assert [one.code for one in found if isinstance(one, Unreadable)] == ["BATCH_ENDED_US"]


def test_a_batch_at_which_a_process_was_killed_is_read_and_then_not_held_against_it_any_more(tmp_path: Path) -> None:
    file, batch = tmp_path / "unpacking", crafted.in_zstd(FIRST)
    digest = digest_of("t", 3, 0, DefaultRecordBatch(bytearray(batch)).crc)
    for _ in range(ENDS + 1):
        Unpacking(file).place().begin(digest)
        assert all_of(records_of(at(0, batch), place=Unpacking(file).place())) == [b"a", b"b"]


def test_what_was_read_to_its_end_is_read_again_by_the_next_process(tmp_path: Path) -> None:
    for _ in range(2):
        place = Unpacking(tmp_path / "unpacking").place()
        assert all_of(records_of(at(0, crafted.in_zstd(FIRST)), place=place)) == [b"a", b"b"]


def test_millions_of_headers_in_a_small_batch_cost_next_to_nothing() -> None:
    """The library would make a list of them all before it looked at anything: over a gigabyte."""
    batch = at(0, crafted.with_many_headers(8_300_000))
    assert len(batch) < 2_000

    tracemalloc.start()
    assert unpacked(batch, at(1, FIRST)) == [gap(0, 1), b"a", b"b"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 3 * UNPACKED_BYTES


def test_frames_that_follow_each_other_are_all_read() -> None:
    pack = zstandard.ZstdCompressor().compress
    assert batches.unpack(crafted.ZSTD, pack(b"a" * 1000) + pack(b"b" * 1000)) == b"a" * 1000 + b"b" * 1000


@pytest.mark.parametrize("wanted", [1, 300, 1_999])
def test_the_position_never_moves_back_however_long_it_takes_to_come_to_it(
    wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "TAKE_S", 0.0)
    records = records_of(at(0, in_one(2_000)), fetched_from=wanted)

    taken = records.take(100)

    assert [one.offset for one in taken] == [wanted]
    assert records.next_fetch_offset == wanted + 1


def test_what_is_only_skipped_takes_no_share_of_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "TAKE_BYTES", 200)
    records = records_of(at(0, in_one(2_000)), fetched_from=1_990)
    assert [one.offset for one in records.take(100)] == list(range(1_990, 2_000))


def test_a_broker_that_hands_out_what_lies_before_moves_no_position_back() -> None:
    records = records_of(at(0, FIRST), fetched_from=10)
    assert all_of(records) == []
    assert records.next_fetch_offset == 10


def test_a_batch_holds_so_many_headers_and_no_more() -> None:
    room = HEADERS_OF_ALL // 64
    assert len(unpacked(at(0, crafted.of_records_with_headers(room, 64)))) == room
    assert unpacked(at(0, crafted.of_records_with_headers(room + 1, 64)))[-1] == gap(room, room + 1)
