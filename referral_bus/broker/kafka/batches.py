"""Unpacks the batches that Kafka hands out, within bounds, and passes over those that cannot be unpacked.

An agency that may write to a topic may put a batch there that the library cannot read: a compression it lacks, a header
that is no UTF-8, a megabyte that unpacks to many gigabytes. The library then names neither the partition nor the
records, and loops without end at the next poll. So this module raises nothing into the library: a batch that cannot be
unpacked appears among the records, in its place, as an `Unreadable`."""

import gzip
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import zstandard
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch

from referral_bus.broker.kafka.records import parse_record
from referral_bus.broker.kafka.unpacking import Unpacking, UnpackingPlace, digest_of
from referral_bus.broker.protocols import Unreadable

UNPACKED_BYTES = 1024 * 1024
"""The most that one batch may unpack to. Batches of our senders take 128 KiB at most, packed or not."""

RECORDS = 10_000
"""The most in one batch. Batches of our senders hold some hundreds."""

HEADERS_OF_ALL = 16_384
"""The most headers in all records of one batch: the library parses all records before the one asked for. Batches of
our senders hold some thousands at most."""

WINDOW_BYTES = 8 * 1024 * 1024
"""The largest window of zstd: the size that RFC 8878 recommends every decoder to support."""

CHUNK_BYTES = 64 * 1024
TAKE_S = 0.5
TAKE_BYTES = 2 * UNPACKED_BYTES
"""One poll takes from one partition for `TAKE_S` at most, and `TAKE_BYTES` unpacked; the next poll takes the rest. A
thousand small batches may each unpack to `UNPACKED_BYTES`."""


class BoundedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # the library has no types
    """Takes the place of the library's class, from which it derives. An `Unreadable` counts as one record, so that a
    poll ends soon however many there are, and the position moves beyond it, even where no record follows."""

    fetch_offset: int
    _next_fetch_offset = 0
    _until = 0.0
    _enough_bytes = 0

    def __init__(self, *arguments: Any, place: UnpackingPlace | None = None, **options: Any) -> None:
        self._place = place or Unpacking().place()
        super().__init__(*arguments, **options)

    @property
    def next_fetch_offset(self) -> int:
        """The position after what was taken: never below the offset that the consumer asked for, whatever offsets the
        broker's batches have."""
        return max(self.fetch_offset, self._next_fetch_offset)

    @next_fetch_offset.setter
    def next_fetch_offset(self, offset: int) -> None:
        self._next_fetch_offset = offset

    def take(self, n: int | None = None) -> list[Any]:
        self._begin_share()
        try:
            taken: list[Any] = super().take(n)
        finally:
            self._place.end()
        return taken

    def _unpack_records(self, tp: Any, records: Any, *_deserializers: None) -> Iterator[Any]:
        for record in self._with_unreadable(tp, _BoundedBatches(records, tp, self._place)):
            yield record
            if record.offset < self.fetch_offset:
                self._begin_share()  # the library skips this record: a poll that stopped here would gain nothing
            elif time.monotonic() > self._until or self.bytes_read > self._enough_bytes:
                break
        self.drain()  # the consumer fetches the rest again

    def _begin_share(self) -> None:
        self._until = time.monotonic() + TAKE_S
        self._enough_bytes = self.bytes_read + TAKE_BYTES

    def _with_unreadable(self, tp: Any, batches: "_BoundedBatches") -> Iterator[Any]:
        while batches.sound:
            try:
                yield from super()._unpack_records(tp, batches, None, None)
            except Exception as error:  # noqa: BLE001  # on foreign bytes the library may raise anything
                cause = type(error).__name__  # the type alone: the library's errors quote the bytes
            else:
                return
            start = max(self.fetch_offset, self.next_fetch_offset)
            self.next_fetch_offset = max(start + 1, batches.next_offset)
            yield Unreadable(tp.topic, tp.partition, start, self.next_fetch_offset, cause)


class _BoundedBatches:
    def __init__(self, records: Any, tp: Any, place: UnpackingPlace) -> None:
        self._records = records
        self._tp = tp
        self._place = place
        self.next_offset = 0
        self.sound = True  # False once the beginning of the next batch cannot be found

    def next_batch(self) -> Any:
        self.sound = False
        batch = self._records.next_batch()
        self.sound = True
        if batch is None:
            return None
        self.next_offset = batch.next_offset
        return _BoundedBatch(batch._buffer, self._tp, self._place)


class _BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]
    _buffer: bytearray
    _pos: int
    _decompressed: bool
    _next_record_index: int
    _num_records: int
    _headers = 0

    def __init__(self, buffer: bytearray, tp: Any, place: UnpackingPlace) -> None:
        super().__init__(buffer)
        self._lowest = self.base_offset
        self._place = place
        self._digest = digest_of(tp.topic, tp.partition, self.base_offset, self.crc)

    def __next__(self) -> Any:
        """The next record. Refuses one whose offset is outside its batch, since the position would follow that offset.
        Ignores bytes after the last record."""
        if self._next_record_index >= self._num_records:
            self._place.unpacked(self._digest)
            raise StopIteration
        record = super().__next__()
        if not self._lowest <= record.offset <= self.last_offset:
            raise CorruptRecordError("a record's offset is not in its batch")
        self._lowest = record.offset + 1
        return record

    def _read_msg(self) -> DefaultRecord:
        """Takes the place of the library's method, which has no bounds."""
        if self.compression_type != self.CODEC_NONE:
            self._place.begin(self._digest)
        found = parse_record(self._buffer, self._pos)
        self._pos = found.end
        self._headers += len(found.headers)
        if self._headers > HEADERS_OF_ALL:
            raise CorruptRecordError("a batch has too many headers")
        by_broker = self.timestamp_type == self.LOG_APPEND_TIME
        return DefaultRecord(
            found.size,
            self.base_offset + found.offset_delta,
            self.max_timestamp if by_broker else self.first_timestamp + found.timestamp_delta,
            self.timestamp_type,
            found.key,
            found.value,
            found.headers,
        )

    def _maybe_uncompress(self) -> None:
        if self._decompressed:
            return
        if self.records_count > RECORDS:
            raise CorruptRecordError("the batch holds too many records")
        if self.compression_type != self.CODEC_NONE:
            self._place.begin(self._digest)
            self._buffer = unpack(self.compression_type, bytes(memoryview(self._buffer)[self._pos :]))
            self._pos = 0
        self._decompressed = True


def unpack(codec: int, packed: bytes) -> bytearray:
    """The bytes of a packed batch; `codec` is the library's number. Raises `CorruptRecordError` at `UNPACKED_BYTES`,
    `UnsupportedCodecError` for every codec but gzip and zstd, and what the decoders raise for malformed bytes. Our
    senders use zstd; every further codec would be one more parser for untrusted bytes."""
    if codec == DefaultRecordBatch.CODEC_ZSTD:
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
        with unpacker.stream_reader(packed, read_across_frames=True) as stream:
            return _read_bounded(stream.read)
    if codec == DefaultRecordBatch.CODEC_GZIP:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            return _read_bounded(file.read)
    raise UnsupportedCodecError


def _read_bounded(read: Callable[[int], bytes]) -> bytearray:
    unpacked = bytearray()
    while chunk := read(CHUNK_BYTES):
        unpacked += chunk
        if len(unpacked) > UNPACKED_BYTES:
            raise CorruptRecordError("the batch unpacks to too much")
    return unpacked
