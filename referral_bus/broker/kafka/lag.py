"""Tells how far agencies have read in Kafka. It reads records only for the time at which they were appended."""

import time
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from kafka import TopicPartition
from kafka.admin import OffsetSpec

from referral_bus.broker.kafka.batches import BoundedRecords
from referral_bus.broker.kafka.client import close_consumer, open_admin, open_consumer
from referral_bus.broker.kafka.internals import is_at_its_end, unpack_by
from referral_bus.broker.kafka.records import append_time
from referral_bus.broker.kafka.settings import Connection
from referral_bus.broker.kafka.timed_calls import AdminCalls, in_thread
from referral_bus.broker.kafka.topics import find_topics
from referral_bus.broker.kafka.unpacking import Unpacking, UnpackingPlace
from referral_bus.broker.lag import Extent, Partition
from referral_bus.broker.protocols import Position, Unreadable
from referral_bus.errors import Reason, Unreachable

ANSWER_WITHIN_S = 10.0
FETCH_BYTES = 1024
"""A small bound: one batch of each partition is enough, and Kafka sends at least one whole batch whatever the bound."""


class KafkaLag:
    """A `LagSource` that connects at the first call."""

    def __init__(
        self, connection: Connection, answer_within_s: float = ANSWER_WITHIN_S, unpacking: Unpacking | None = None
    ) -> None:
        self._connection = connection
        self._unpacking = unpacking or Unpacking()
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

    def appended_at(self, positions: Collection[Position]) -> Mapping[Position, datetime]:
        if not positions:
            return {}
        found: dict[Position, datetime] = {}
        deadline = time.monotonic() + self._answer_within_s
        looking = in_thread("kafka-look", lambda: self._look(set(positions), deadline, found))
        try:
            looking.result(self._answer_within_s + 1)
        except TimeoutError:
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "Kafka did not answer in time.") from None
        return dict(found)

    def close(self) -> None:
        self._calls.close()

    def _look(self, wanted: set[Position], deadline: float, found: dict[Position, datetime]) -> None:
        """Fills `found` until `deadline` (of `time.monotonic`). A consumer has one position in a partition at a time,
        so each round reads one of the positions wanted in each partition."""
        place = self._unpacking.place()
        consumer = _open(self._connection, place)
        try:
            while wanted and time.monotonic() < deadline:
                _one_each(consumer, wanted, deadline, found)
        finally:
            place.release()
            close_consumer(consumer)


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
    return {(place.topic, place.partition): Extent(begins[place].offset, ends[place].offset) for place in there}


def _open(connection: Connection, place: UnpackingPlace) -> Any:
    consumer = open_consumer(
        connection,
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_uncommitted",
        allow_auto_create_topics=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    unpack_by(consumer, partial(BoundedRecords, place=place))
    return consumer


def _one_each(consumer: Any, wanted: set[Position], deadline: float, found: dict[Position, datetime]) -> None:
    """Reads one wanted position in each partition. Leaves out a position whose next batch cannot be unpacked, since an
    agency may put a thousand of them there, and one followed only by a transaction's marker: the consumer is then at
    the end."""
    standing = {TopicPartition(position.topic, position.partition): position for position in wanted}
    consumer.assign([])
    consumer.assign(list(standing))
    for place, position in standing.items():
        consumer.seek(place, position.offset)
    while standing and time.monotonic() < deadline:
        left_ms = max(0, int((deadline - time.monotonic()) * 1000))
        for place, records in consumer.poll(timeout_ms=left_ms, max_records=1).items():
            if place in standing and records:
                position = standing.pop(place)
                if not isinstance(records[0], Unreadable):
                    found[position] = append_time(records[0].timestamp)
                wanted.discard(position)
                consumer.pause(place)
        for place in [each for each in standing if is_at_its_end(consumer, each)]:
            wanted.discard(standing.pop(place))
            consumer.pause(place)
