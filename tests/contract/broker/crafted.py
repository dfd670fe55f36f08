"""Record batches that Kafka takes and that are hard to read, as anybody could write them who may write at all."""

import gzip
import struct
from collections.abc import Sequence
from typing import Any

import zstandard

from referral_bus.broker import kafka as loaded_first  # noqa: F401 # the library warns when it is loaded

# isort: split
from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.protocol.producer import ProduceRequest
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c, encode_varint

from referral_bus.broker.kafka.client import open_admin, open_producer
from referral_bus.broker.kafka.settings import Connection
from referral_bus.broker.kafka.topics import find_ends, find_topics
from tests.kit.waiting import PATIENCE_S, wait_until

HEADER = DefaultRecordBatchBuilder.header_size_in_bytes()
LENGTH_AT, CRC_AT, ATTRIBUTES_AT = 8, 17, 21
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4


def plain(values: Sequence[bytes], header: tuple[str, bytes | None] = ("h", b"x")) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 2**31)
    for offset, value in enumerate(values):
        builder.append(offset, 1, b"k", value, [header])
    return bytes(builder.build())


def packed(batch: bytes, codec: int, body: bytes) -> bytes:
    """The batch with this body, said to be packed like this."""
    changed = bytearray(batch[:HEADER] + body)
    (attributes,) = struct.unpack_from(">h", changed, ATTRIBUTES_AT)
    struct.pack_into(">h", changed, ATTRIBUTES_AT, attributes & ~7 | codec)
    return _sealed(changed)


def in_snappy(batch: bytes) -> bytes:
    return packed(batch, SNAPPY, _snappy(batch[HEADER:]))


def in_lz4(batch: bytes) -> bytes:
    data = batch[HEADER:]
    stored = struct.pack("<I", len(data) | 0x80000000) + data
    return packed(batch, LZ4, bytes.fromhex("04224d18604082") + stored + bytes(4))


def in_zstd(batch: bytes) -> bytes:
    return packed(batch, ZSTD, zstandard.ZstdCompressor().compress(batch[HEADER:]))


def in_gzip(batch: bytes) -> bytes:
    return packed(batch, GZIP, gzip.compress(batch[HEADER:]))


def with_a_header_that_is_no_text(batch: bytes, records_after: int = 0) -> bytes:
    """In one record: the last, or one before it."""
    parts = batch.rsplit(b"\x02h\x02x", records_after + 1)
    assert len(parts) == records_after + 2
    return _sealed(bytearray(parts[0] + b"\x02\xff\x02x" + b"\x02h\x02x".join(parts[1:])))


def with_an_offset(batch: bytes, delta: int) -> bytes:
    """Said of its only record, which is small."""
    changed = bytearray(batch)
    assert changed[HEADER + 3] == 0
    changed[HEADER + 3] = delta << 1 if delta >= 0 else (-delta << 1) - 1
    return _sealed(changed)


def produce(bootstrap: str, topic: str, *batches: bytes) -> None:
    """Past the library's producer, to partition 0."""
    admin = open_admin(Connection(bootstrap, "crafted"))
    try:
        leader = _leader(admin, topic)
        answers: list[Any] = [
            admin._manager.run(admin._manager.send, _request(topic, batch), leader) for batch in batches
        ]
    finally:
        admin.close()
    codes = {one.error_code for answer in answers for each in answer.responses for one in each.partition_responses}
    assert codes == {0}, "Kafka did not take a batch"


def _request(topic: str, batch: bytes) -> Any:
    data = ProduceRequest.TopicProduceData
    part = data(name=topic, partition_data=[data.PartitionProduceData(index=0, records=batch)])
    return ProduceRequest(transactional_id=None, acks=-1, timeout_ms=10_000, topic_data=[part], max_version=9)


def with_many_headers(count: int) -> bytes:
    """One record with so many headers of two bytes each, in a batch that zstd packs to next to nothing."""
    body = b"\x00\x00\x00\x02k\x02v" + _varint(count) + bytes(2 * count)
    return in_zstd(plain([b"v"])[:HEADER] + _varint(len(body)) + body)


def of_records_with_headers(records: int, headers: int) -> bytes:
    """So many records of so many empty headers each."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 2**31)
    for offset in range(records):
        builder.append(offset, 1, b"k", b"v", [("", b"")] * headers)
    return in_zstd(bytes(builder.build()))


def _varint(value: int) -> bytes:
    written = bytearray()
    encode_varint(value, written.append)
    return bytes(written)


def abort_transaction(bootstrap: str, topic: str) -> None:
    """One record, and the marker that its transaction was aborted. Kafka answers before it has written the marker."""
    producer = open_producer(Connection(bootstrap, "crafted"), transactional_id=f"aborts-{topic}")
    try:
        producer.init_transactions()
        producer.begin_transaction()
        offset = producer.send(topic, b"never meant", partition=0).get(PATIENCE_S).offset
        producer.abort_transaction()
    finally:
        producer.end()
    admin = open_admin(Connection(bootstrap, "crafted"))
    try:
        wait_until(lambda: find_ends(admin, find_topics(admin, [topic])[topic])[0] >= offset + 2)
    finally:
        admin.close()


def delete_records(bootstrap: str, topic: str) -> None:
    """All that stand in partition 0 now."""
    admin = open_admin(Connection(bootstrap, "crafted"))
    try:
        admin.delete_records({TopicPartition(topic, 0): -1})  # up to the end
    finally:
        admin.close()


def committed(bootstrap: str, group: str, topic: str) -> int | None:
    admin = open_admin(Connection(bootstrap, "crafted"))
    try:
        answer = admin.list_group_offsets({group: None})[group]
    except KafkaError:  # a group that is new has no coordinator yet
        return None
    finally:
        admin.close()
    found = answer.get(TopicPartition(topic, 0))
    return None if found is None else int(found.offset)


def _leader(admin: Any, topic: str) -> int:
    return int(admin.describe_topics([topic])[0]["partitions"][0]["leader_id"])


def _sealed(batch: bytearray) -> bytes:
    struct.pack_into(">i", batch, LENGTH_AT, len(batch) - 12)
    struct.pack_into(">I", batch, CRC_AT, calc_crc32c(bytes(batch[ATTRIBUTES_AT:])))
    return bytes(batch)


def _snappy(data: bytes) -> bytes:
    """Literals only, in the frame that Java's clients use."""
    block, length = bytearray(), len(data)
    while length > 0x7F:
        block.append(length & 0x7F | 0x80)
        length >>= 7
    block.append(length)
    for start in range(0, len(data), 60):
        literal = data[start : start + 60]
        block += bytes([(len(literal) - 1) << 2]) + literal
    return b"\x82SNAPPY\x00" + struct.pack(">iii", 1, 1, len(block)) + bytes(block)
