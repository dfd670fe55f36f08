"""How far others have read in Kafka. Of records it looks at nothing but the time at which they were appended."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from kafka import TopicPartition
from kafka.admin import OffsetSpec

from referral_bus.broker.kafka.batches import BoundedRecords, UnreadableBatchError
from referral_bus.broker.kafka.calls import AdminCalls, in_thread
from referral_bus.broker.kafka.client import close_consumer, open_admin, open_consumer
from referral_bus.broker.kafka.reader import EPOCH
from referral_bus.broker.kafka.settings import Connection
from referral_bus.broker.kafka.topics import find_topics
from referral_bus.broker.lag import Extent, Partition
from referral_bus.broker.protocols import Position
from referral_bus.errors import Reason, Unreachable

ANSWER_WITHIN_S = 10.0
FETCH_BYTES = 1024
"""Of each partition one batch is wanted, and Kafka sends a whole one however small the bound."""


class KafkaLag:
    """A `LagSource`. Connects when it is first used."""

    def __init__(self, connection: Connection, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._connection = connection
        self._answer_within_s = answer_within_s
        self._calls = AdminCalls(partial(open_admin, connection, request_timeout_ms=int(answer_within_s * 1000)))

    def committed(self, groups: Collection[str]) -> Mapping[str, Mapping[Partition, int]]:
        if not groups:
            return {}
        answer = self._calls.call(lambda admin: admin.list_group_offsets(dict.fromkeys(groups)), self._answer_within_s)
        return {
            group: {
                (place.topic, place.partition): found.offset for place, found in offsets.items() if found.offset >= 0
            }
            for group, offsets in answer.items()
        }

    def extents(self, partitions: Collection[Partition]) -> Mapping[Partition, Extent]:
        return self._calls.call(lambda admin: _extents(admin, partitions), self._answer_within_s)

    def appended_at(self, positions: Sequence[Position]) -> Mapping[Partition, datetime]:
        if not positions:
            return {}
        found: dict[Partition, datetime] = {}
        deadline = time.monotonic() + self._answer_within_s
        looking = in_thread("kafka-look", lambda: _look(self._connection, positions, deadline, found))
        try:
            looking.result(self._answer_within_s + 1)
        except TimeoutError:
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "Kafka did not answer in time.") from None
        return dict(found)

    def close(self) -> None:
        self._calls.close()


def _extents(admin: Any, partitions: Collection[Partition]) -> Mapping[Partition, Extent]:
    topics = find_topics(admin, {topic for topic, _ in partitions})
    there = [
        TopicPartition(topic, number)
        for topic, number in partitions
        if topic in topics and number < topics[topic].partitions
    ]
    if not there:
        return {}
    begins = admin.list_partition_offsets(dict.fromkeys(there, OffsetSpec.EARLIEST))
    ends = admin.list_partition_offsets(dict.fromkeys(there, OffsetSpec.LATEST))
    return {(one.topic, one.partition): Extent(begins[one].offset, ends[one].offset) for one in there}


def _look(
    connection: Connection, positions: Sequence[Position], deadline: float, found: dict[Partition, datetime]
) -> None:
    """Once more without a partition whose next batch cannot be unpacked."""
    wanted = {TopicPartition(one.topic, one.partition): one.offset for one in positions}
    while wanted and time.monotonic() < deadline:
        consumer = open_consumer(
            connection,
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_uncommitted",
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        consumer._fetcher.PartitionRecords = BoundedRecords
        try:
            _first_times(consumer, wanted, deadline, found)
        except UnreadableBatchError as error:
            wanted.pop(TopicPartition(error.unreadable.topic, error.unreadable.partition), None)
        finally:
            close_consumer(consumer)


def _first_times(
    consumer: Any, wanted: dict[TopicPartition, int], deadline: float, found: dict[Partition, datetime]
) -> None:
    consumer.assign(list(wanted))
    for place, offset in wanted.items():
        consumer.seek(place, offset)
    while wanted and time.monotonic() < deadline:
        left_ms = max(0, int((deadline - time.monotonic()) * 1000))
        for place, records in consumer.poll(timeout_ms=left_ms, max_records=1).items():
            if place in wanted and records:
                found[place.topic, place.partition] = _time(records[0].timestamp)
                del wanted[place]
                consumer.pause(place)


def _time(milliseconds: int) -> datetime:
    """A broker may write any number there."""
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return EPOCH
