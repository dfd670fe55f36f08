"""Reads assigned partitions from Kafka: a `Reader`."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from referral_bus.broker.kafka.batches import BoundedRecords
from referral_bus.broker.kafka.client import close_consumer, open_consumer
from referral_bus.broker.kafka.commits import Commits
from referral_bus.broker.kafka.internals import consumed_offsets, live_topic_id, unpack_by
from referral_bus.broker.kafka.records import append_time
from referral_bus.broker.kafka.settings import Connection
from referral_bus.broker.kafka.timed_calls import in_thread
from referral_bus.broker.kafka.unpacking import UnpackingPlace
from referral_bus.broker.protocols import TOPIC_MADE_ANEW, Delivery, Position, ReaderBroken, Unreadable
from referral_bus.errors import Unreachable
from referral_bus.wire.raw import RawRecord

log = logging.getLogger(__name__)

CLOSE_S = 3.0
FETCH_BYTES = 8 * 1024 * 1024
PARTITION_FETCH_BYTES = 1024 * 1024


def connect_reader(connection: Connection, place: UnpackingPlace | None = None) -> Any:
    """A consumer without a group: its positions come from the ledger, and it can read without the group's coordinator.
    It reads uncommitted records: our senders use no transactions, and any writer who opens a transaction and leaves it
    open would stop a reader of committed ones. Blocks; raises `Unreachable`."""
    consumer = open_consumer(
        connection,
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_uncommitted",
        allow_auto_create_topics=False,
        check_crcs=True,
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
    )
    unpack_by(consumer, partial(BoundedRecords, place=place))
    return consumer


class KafkaReader:
    """Connects at the first `poll`, in a thread of its own, so that even the first `poll` keeps its time limit. While
    Kafka is away `poll` returns no records; the reader goes on by itself afterwards."""

    def __init__(
        self, connect: Callable[[], Any], commits: Commits, on_close: Callable[[], None] = lambda: None
    ) -> None:
        self._connect = connect
        self._commits = commits
        self._on_close = on_close
        self._opening: Future[Any] | None = None
        self._positions: Sequence[Position] | None = None
        self._topic_ids: Mapping[str, str] = {}
        self._passed_over: Sequence[Unreadable] = ()
        self._reached: Sequence[Position] = ()
        self._finished = False
        self._told = False

    def assign(self, positions: Sequence[Position]) -> None:
        self._positions = tuple(positions)
        self._reached = ()

    def poll(self, timeout_s: float, max_records: int) -> Sequence[Delivery]:
        if self._finished:
            raise ReaderBroken("finished before")
        self._passed_over = ()
        deadline = time.monotonic() + timeout_s
        consumer = self._consumer(deadline)
        if consumer is None:
            return ()
        try:
            self._apply(consumer)
            left_ms = max(0, int((deadline - time.monotonic()) * 1000))
            batches = consumer.poll(timeout_ms=left_ms, max_records=max_records)
            self._refuse_other_topics(consumer)
        except ReaderBroken as error:
            broken = error
        except Exception as error:  # noqa: BLE001  # after any of them another poll may loop without end
            broken = ReaderBroken(type(error).__name__)
        else:
            found = [record for records in batches.values() for record in records]
            self._passed_over = [record for record in found if isinstance(record, Unreadable)]
            self._reached = self._standing(consumer)
            return [_delivery(record) for record in found if not isinstance(record, Unreadable)]
        self._finished = True
        raise broken  # outside the clauses above, so that it has no context: the library's errors quote bytes

    def passed_over(self) -> Sequence[Unreadable]:
        return self._passed_over

    def reached(self) -> Sequence[Position]:
        return self._reached

    def commit(self, positions: Sequence[Position]) -> None:
        self._commits.want(positions)

    def close(self) -> None:
        self._finished = True
        self._on_close()
        self._commits.close()
        opening, self._opening = self._opening, None
        if opening is None:
            return
        closing = in_thread("kafka-close", lambda: close_consumer(opening.result()))
        if opening.done():
            with suppress(TimeoutError, Unreachable, KafkaError):  # the thread ends later, or no client was open
                closing.result(CLOSE_S)

    def _consumer(self, deadline: float) -> Any | None:
        if self._opening is None:
            self._opening = in_thread("kafka-open", self._connect)
        try:
            return self._opening.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            return None
        except Unreachable as error:
            self._opening = None
            if not self._told:
                log.warning("the reader cannot connect yet: %s", error)
                self._told = True
            time.sleep(max(0.0, deadline - time.monotonic()))  # keeps a caller that polls in a loop from spinning
            return None

    def _apply(self, consumer: Any) -> None:
        if self._positions is None:
            return
        places = {TopicPartition(each.topic, each.partition): each.offset for each in self._positions}
        consumer.assign(list(places))
        for partition, offset in places.items():
            consumer.seek(partition, offset)
        self._topic_ids = {each.topic: each.topic_id for each in self._positions}
        self._positions = None

    def _standing(self, consumer: Any) -> Sequence[Position]:
        """The consumer's own positions, which also move past offsets that it never hands out; without partitions whose
        position is being reset."""
        return [
            Position(place.topic, self._topic_ids[place.topic], place.partition, offset)
            for place, offset in consumed_offsets(consumer).items()
        ]

    def _refuse_other_topics(self, consumer: Any) -> None:
        """Raises `ReaderBroken` when Kafka knows a topic under another id than its position's. The library takes a
        topic that was made anew for a truncated one: it would go on at the new topic's end, and never read the records
        before."""
        for topic, topic_id in self._topic_ids.items():
            live = live_topic_id(consumer, topic)
            if live is not None and live != topic_id:
                raise ReaderBroken(TOPIC_MADE_ANEW)


def _delivery(record: Any) -> Delivery:
    """A record of the library as a `Delivery`; a missing key, value or header value becomes empty."""
    headers = tuple([(name, value or b"") for name, value in record.headers])
    raw = RawRecord(record.topic, record.key or b"", record.value or b"", headers)
    return Delivery(raw, record.partition, record.offset, append_time(record.timestamp))
