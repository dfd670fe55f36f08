"""Unpacking what Kafka hands out, within bounds, and saying where it ends when it cannot be unpacked.

Whoever may write to a topic may put a batch there that the library cannot read: a compression it lacks, a header that
is no UTF-8, a megabyte that unpacks to many gigabytes. The library then says neither which partition nor which records,
and spins for ever when it is asked again."""

import gzip
import io
from collections.abc import Callable, Iterator
from typing import Any

import zstandard
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.record.default_records import DefaultRecordBatch

from referral_bus.broker.protocols import Unreadable

UNPACKED_BYTES = 16 * 1024 * 1024
"""One batch, unpacked. Ours are 128 KiB; a broker takes compressed batches of up to 1 MiB."""

CHUNK_BYTES = 256 * 1024


class UnreadableBatchError(Exception):
    def __init__(self, unreadable: Unreadable) -> None:
        super().__init__(unreadable.cause)
        self.unreadable = unreadable


class BoundedRecords(Fetcher.PartitionRecords):  # type: ignore[misc]  # the library has no types
    """Put in the place of the class it derives from. Where a batch cannot be unpacked it says how far it reaches."""

    def _unpack_records(self, tp: Any, records: Any, *_deserializers: None) -> Iterator[Any]:
        bounded = _BoundedBatches(records)
        try:
            yield from super()._unpack_records(tp, bounded, None, None)
        except Exception as error:  # noqa: BLE001  # foreign bytes: there is no telling what the library raises
            start = max(self.fetch_offset, self.next_fetch_offset)
            end = max(start + 1, bounded.next_offset)
            failure = UnreadableBatchError(Unreadable(tp.topic, tp.partition, start, end, type(error).__name__))
        else:
            return
        raise failure  # outside of the clause above: the library's errors quote the bytes


class _BoundedBatches:
    def __init__(self, records: Any) -> None:
        self._records = records
        self.next_offset = 0

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if batch is None:
            return None
        self.next_offset = batch.next_offset
        return _BoundedBatch(batch._buffer) if batch.magic >= 2 else batch


class _BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]
    _buffer: bytearray
    _pos: int
    _decompressed: bool

    def _maybe_uncompress(self) -> None:
        if self._decompressed:
            return
        if self.compression_type != self.CODEC_NONE:
            self._buffer = unpack(self.compression_type, bytes(memoryview(self._buffer)[self._pos :]))
            self._pos = 0
        self._decompressed = True


def unpack(codec: int, packed: bytes) -> bytearray:
    """Raises for more than `UNPACKED_BYTES`, before it takes them, and for every codec but gzip and zstd: ours use
    zstd, and each further one is a parser for anybody's bytes."""
    if codec == DefaultRecordBatch.CODEC_ZSTD:
        with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as stream:
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
