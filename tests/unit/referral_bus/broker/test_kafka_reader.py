"""The reader over a consumer that does what each test wants."""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from referral_bus.broker.kafka.reader import KafkaReader
from referral_bus.broker.protocols import TOPIC_MADE_ANEW, Position, ReaderBroken, Unreadable
from referral_bus.errors import Reason, Unreachable
from tests.kit.waiting import PATIENCE_S

POSITION = Position("t", "11111111-1111-1111-1111-111111111111", 0, 7)


class FakeCluster:
    live: str | None = POSITION.topic_id

    def topic_id(self, _topic: str) -> str | None:
        return self.live


class FakeConsumer:
    def __init__(self, poll: Callable[[], Any]) -> None:
        self._poll = poll
        self._cluster = FakeCluster()
        self._subscription = self
        self.places: dict[TopicPartition, int] = {}
        self.standing: dict[TopicPartition, OffsetAndMetadata] = {}
        self.polls = 0
        self.closed = threading.Event()

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.places = dict.fromkeys(partitions, -1)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.places[partition] = offset

    def poll(self, timeout_ms: int, max_records: int) -> Any:
        assert isinstance(timeout_ms, int)
        assert max_records == 10
        self.polls += 1
        return self._poll()

    def all_consumed_offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        return self.standing

    def close(self, autocommit: bool, timeout_ms: int) -> None:
        assert not autocommit
        assert timeout_ms <= 1000
        self.closed.set()


class NoCommits:
    closed = False

    def want(self, positions: object) -> None: ...

    def close(self) -> None:
        self.closed = True


def reader_of(connect: Callable[[], Any]) -> KafkaReader:
    reader = KafkaReader(connect, NoCommits())  # type: ignore[arg-type]
    reader.assign([POSITION])
    return reader


def raising(error: Exception) -> Callable[[], Any]:
    def poll() -> Any:
        raise error

    return poll


def found(key: bytes | None, value: bytes | None, headers: list[Any], timestamp: int) -> Callable[[], Any]:
    one = ConsumerRecord("t", 0, 0, 7, timestamp, 1, key, value, headers, None, 0, 0, 0)
    return lambda: {TopicPartition("t", 0): [one]}


def test_it_reads_from_where_it_was_told_to() -> None:
    consumer = FakeConsumer(found(b"k", b"v", [("h", b"x"), ("h", b"y")], 1_700_000_000_123))
    (delivery,) = reader_of(lambda: consumer).poll(PATIENCE_S, 10)

    assert consumer.places == {TopicPartition("t", 0): 7}
    assert (delivery.record.key, delivery.record.value) == (b"k", b"v")
    assert delivery.record.headers == (("h", b"x"), ("h", b"y"))
    assert delivery.appended_at == datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)


def test_it_stands_where_the_librarys_consumer_stands_and_nowhere_after_another_assign() -> None:
    consumer = FakeConsumer(dict)
    reader = reader_of(lambda: consumer)
    consumer.standing = {TopicPartition("t", 0): OffsetAndMetadata(12, "", -1)}

    assert not reader.poll(1, 10)

    assert reader.reached() == [replace(POSITION, offset=12)]
    reader.assign([POSITION])
    assert not reader.reached()


def test_what_kafka_leaves_out_is_empty() -> None:
    consumer = FakeConsumer(found(None, None, [("h", None)], 0))
    (delivery,) = reader_of(lambda: consumer).poll(PATIENCE_S, 10)
    assert (delivery.record.key, delivery.record.value, delivery.record.headers) == (b"", b"", (("h", b""),))


@pytest.mark.parametrize("timestamp", [-1, 2**63 - 1, -(2**63)])
def test_no_time_that_somebody_wrote_stops_it(timestamp: int) -> None:
    consumer = FakeConsumer(found(b"k", b"v", [], timestamp))
    (delivery,) = reader_of(lambda: consumer).poll(PATIENCE_S, 10)
    assert delivery.appended_at.year in (1969, 1970)


@pytest.mark.parametrize("error", [ValueError("personal"), KafkaTimeoutError("personal"), MemoryError("personal")])
def test_whatever_a_poll_raises_ends_it_and_its_text_is_not_passed_on(error: Exception) -> None:
    consumer = FakeConsumer(raising(error))
    reader = reader_of(lambda: consumer)

    with pytest.raises(ReaderBroken) as broken:
        reader.poll(PATIENCE_S, 10)
    with pytest.raises(ReaderBroken):
        reader.poll(PATIENCE_S, 10)

    assert broken.value.cause == type(error).__name__
    assert "personal" not in "".join(traceback.format_exception(broken.value))
    assert broken.value.__context__ is None
    assert consumer.polls == 1


def test_an_unreadable_batch_is_told_once_and_what_is_around_it_is_read() -> None:
    unreadable = Unreadable("t", 0, 8, 9, "ZstdError")
    (place, [before]), *_ = found(b"k", b"v", [], 0)().items()
    polled = iter([{place: [before, unreadable, before._replace(offset=9)]}, {place: [unreadable]}, {}])
    reader = reader_of(lambda: FakeConsumer(lambda: next(polled)))

    assert [one.offset for one in reader.poll(PATIENCE_S, 10)] == [7, 9]
    assert reader.passed_over() == [unreadable]
    assert not reader.poll(1, 10)
    assert reader.passed_over() == [unreadable]
    assert not reader.poll(1, 10)
    assert not reader.passed_over()


def test_nothing_is_read_from_another_topic_of_the_same_name() -> None:
    consumer = FakeConsumer(found(b"k", b"v", [], 0))
    consumer._cluster.live = "22222222-2222-2222-2222-222222222222"
    with pytest.raises(ReaderBroken, match=TOPIC_MADE_ANEW):
        reader_of(lambda: consumer).poll(PATIENCE_S, 10)


def test_a_topic_that_is_not_known_yet_is_no_other() -> None:
    consumer = FakeConsumer(dict)
    consumer._cluster.live = None
    assert not reader_of(lambda: consumer).poll(1, 10)


def test_a_poll_does_not_wait_for_a_slow_connection() -> None:
    connected = threading.Event()
    consumer = FakeConsumer(found(b"k", b"v", [], 0))

    def connect() -> FakeConsumer:
        assert connected.wait(PATIENCE_S)
        return consumer

    reader = reader_of(connect)
    started = time.monotonic()
    assert not reader.poll(0.2, 10)
    assert 0.2 <= time.monotonic() - started < PATIENCE_S / 2  # a connection that is waited for takes all of it

    connected.set()
    assert len(reader.poll(PATIENCE_S, 10)) == 1
    reader.close()
    assert consumer.closed.is_set()


def test_a_connection_that_fails_at_once_is_tried_again_without_spinning() -> None:
    tries: list[float] = []

    def connect() -> FakeConsumer:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise Unreachable(Reason.KAFKA_FAILED, "no")
        return FakeConsumer(found(b"k", b"v", [], 0))

    reader = reader_of(connect)
    started = time.monotonic()
    assert not reader.poll(0.2, 10)
    assert not reader.poll(0.2, 10)
    assert time.monotonic() - started >= 0.4
    assert len(reader.poll(PATIENCE_S, 10)) == 1


def test_closing_does_not_wait_for_a_connection() -> None:
    connected = threading.Event()
    consumer = FakeConsumer(dict)

    def connect() -> FakeConsumer:
        assert connected.wait(PATIENCE_S)
        return consumer

    reader = reader_of(connect)
    assert not reader.poll(0.1, 10)
    started = time.monotonic()
    reader.close()
    assert time.monotonic() - started < PATIENCE_S / 2  # a connection that is waited for takes all of it

    connected.set()
    assert consumer.closed.wait(PATIENCE_S)
    with pytest.raises(ReaderBroken):
        reader.poll(0.1, 10)
