"""The sender over a producer that does what each test wants."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka.errors import (
    InvalidRecordError,
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumberError,
    TopicAuthorizationFailedError,
)
from kafka.future import Future

from referral_bus.broker.kafka.flight import Flight, KafkaSending
from referral_bus.broker.kafka.line import Line
from referral_bus.broker.kafka.sender import KafkaSender, SenderLimits
from referral_bus.broker.kafka.topics import Absent
from referral_bus.broker.protocols import SendFailure
from referral_bus.errors import Reason, Unreachable
from referral_bus.wire.raw import RawRecord

LIMITS = SenderLimits(in_flight_bytes=10_000, no_progress_s=30)


def record(topic: str = "t", value: bytes = b"v") -> RawRecord:
    return RawRecord(topic, b"k", value)


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


class FakeProducer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, Any]] = []
        self.unknown: set[str] = set()
        self.too_large = False
        self.metadata_gone: Exception = KafkaTimeoutError()
        self.ended = threading.Event()

    def know(self, topics: Collection[str], _timeout_s: float) -> set[str]:
        return {topic for topic in topics if topic not in self.unknown}

    def send(self, topic: str, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> Any:
        assert (key, headers) == (b"k", [])
        if self.too_large:
            raise MessageSizeTooLargeError
        if topic in self.unknown:
            raise self.metadata_gone
        self.sent.append((topic, value, Future()))
        return self.sent[-1][2]

    def end(self) -> None:
        self.ended.set()


@dataclass
class Stage:
    """A sender, the producers it was given one after the other, and what stands in its way."""

    producers: list[FakeProducer] = field(default_factory=list)
    absent: dict[str, Absent] = field(default_factory=dict)
    asked: list[Collection[str]] = field(default_factory=list)
    connects: threading.Event = field(default_factory=threading.Event)
    finds: threading.Event = field(default_factory=threading.Event)
    trouble: Exception | None = None
    now: float = 1000.0
    looks: int = 0

    def __post_init__(self) -> None:
        self.connects.set()
        self.finds.set()
        self.sender = KafkaSender(self.connect, self.find_absent, LIMITS, self.clock)

    def clock(self) -> float:
        self.looks += 1
        return self.now

    def let_it_look_around(self) -> None:
        """Its thread looks at the clock in every round."""
        before = self.looks
        wait_until(lambda: self.looks > before + 8)

    def connect(self) -> FakeProducer:
        assert self.connects.wait(20)
        if self.trouble is not None:
            raise self.trouble
        self.producers.append(FakeProducer())
        return self.producers[-1]

    def find_absent(self, names: Collection[str]) -> Mapping[str, Absent]:
        self.asked.append(tuple(names))
        assert self.finds.wait(20)
        return {name: self.absent[name] for name in names if name in self.absent}

    def send(self, one: RawRecord) -> KafkaSending:
        sending = self.sender.send(one)
        assert sending is not None
        return sending

    def handed(self, count: int, producer: int = 0) -> list[tuple[str, bytes, Any]]:
        wait_until(lambda: len(self.producers) > producer and len(self.producers[producer].sent) >= count)
        return self.producers[producer].sent


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.connects.set()
    stage.finds.set()
    for producer in stage.producers:
        for _, _, future in producer.sent:
            if not future.is_done:
                future.success(None)
    stage.sender.close()


def outcome(sending: KafkaSending) -> SendFailure | None:
    wait_until(sending.done)
    return sending.failure()


def test_sending_does_not_wait_for_a_connection_and_keeps_order(stage: Stage) -> None:
    stage.connects.clear()
    started = time.monotonic()
    sendings = [stage.send(record(value=b"%d" % i)) for i in range(10)]
    assert time.monotonic() - started < 1
    stage.connects.set()
    stage.handed(10)
    sendings += [stage.send(record(value=b"%d" % i)) for i in range(10, 20)]

    handed = stage.handed(20)
    for _, _, future in handed:
        future.success(None)

    assert [value for _, value, _ in handed] == [b"%d" % i for i in range(20)]
    assert [outcome(one) for one in sendings] == [None] * 20


def test_what_waits_for_too_long_has_timed_out(stage: Stage) -> None:
    stage.trouble = Unreachable(Reason.KAFKA_UNREACHABLE, "down")
    sending = stage.send(record())
    wait_until(lambda: stage.asked)
    stage.now += LIMITS.answer_within_s - 1
    stage.let_it_look_around()
    assert not sending.done()

    stage.now += 1

    assert outcome(sending) == "timed_out"


def test_a_producer_without_progress_is_replaced(stage: Stage) -> None:
    stuck = [stage.send(record(value=b"%d" % i)) for i in range(3)]
    futures = stage.handed(3)
    stage.now += LIMITS.no_progress_s
    stage.let_it_look_around()
    assert not stuck[0].done()

    stage.now += 1
    assert [outcome(one) for one in stuck] == ["abandoned"] * 3
    assert stage.producers[0].ended.wait(20)

    later = stage.send(record(value=b"later"))
    ((_, value, future),) = stage.handed(1, producer=1)
    future.success(None)
    futures[0][2].success(None)  # the old one lands after all: too late to count
    assert value == b"later"
    assert outcome(later) is None
    assert stuck[0].failure() == "abandoned"


def test_progress_is_seen_when_the_oldest_lands(stage: Stage) -> None:
    for i in range(4):
        sending = stage.send(record(value=b"%d" % i))
        future = stage.handed(i + 1)[i][2]
        stage.now += LIMITS.no_progress_s - 1
        stage.let_it_look_around()
        future.success(None)
        assert outcome(sending) is None
    assert len(stage.producers) == 1


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (KafkaTimeoutError(), "timed_out"),
        (KafkaConnectionError(), "timed_out"),
        (MessageSizeTooLargeError(), "too_large"),
        (TopicAuthorizationFailedError(), "refused"),
        (InvalidRecordError(), "refused"),
        (OutOfOrderSequenceNumberError(), "abandoned"),
        (RuntimeError(), "abandoned"),
    ],
)
def test_a_producer_is_replaced_after_any_failure(stage: Stage, error: Exception, failure: SendFailure) -> None:
    failed, other = stage.send(record()), stage.send(record("other"))
    next(future for topic, _, future in stage.handed(2) if topic == "t").failure(error)

    assert outcome(failed) == failure
    assert outcome(other) == "abandoned"
    stage.send(record())
    stage.handed(1, producer=1)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (TopicAuthorizationFailedError(), ["refused", "refused", "abandoned"]),
        (MessageSizeTooLargeError(), ["too_large", "abandoned", "abandoned"]),
        (KafkaTimeoutError(), ["timed_out", "timed_out", "timed_out"]),
    ],
)
def test_the_error_of_one_record_is_not_blamed_on_another(error: Exception, meaning: list[SendFailure]) -> None:
    """The library's producer then fails everything that it holds with that same error."""
    producer, flight = FakeProducer(), Flight(10_000)
    line = Line(producer, flight, lambda: 0.0)
    sendings = []
    for topic in ("mine", "mine", "other"):
        sending = flight.take(record(topic), 0.0)
        assert sending is not None
        assert line.hand(sending)
        sendings.append(sending)

    for _, _, future in producer.sent:
        future.failure(error)

    assert [one.failure() for one in sendings] == meaning
    assert line.spent


def test_a_record_too_large_for_the_library_harms_no_other(stage: Stage) -> None:
    stage.send(record())
    stage.handed(1)
    stage.producers[0].too_large = True
    assert outcome(stage.send(record())) == "too_large"

    stage.producers[0].too_large = False
    stage.send(record())
    stage.handed(2)


def test_a_topic_that_cannot_be_written_to_fails_and_is_not_asked_for_each_time(stage: Stage) -> None:
    stage.absent = {"gone": "missing", "closed": "forbidden"}
    assert outcome(stage.send(record("gone"))) == "topic_missing"
    assert outcome(stage.send(record("closed"))) == "refused"

    asked = len(stage.asked)
    for _ in range(100):
        assert stage.send(record("gone")).failure() == "topic_missing"
    assert len(stage.asked) == asked
    assert not stage.producers

    stage.absent = {}
    stage.now += 1
    stage.send(record("gone"))
    assert stage.handed(1)[0][0] == "gone"


@pytest.mark.parametrize("gone", [KafkaTimeoutError(), ValueError()])
def test_a_topic_that_went_away_is_asked_for_again(stage: Stage, gone: Exception) -> None:
    stage.send(record())
    stage.handed(1)[0][2].success(None)
    stage.producers[0].metadata_gone = gone
    stage.producers[0].unknown.add("t")
    stage.absent = {"t": "missing"}

    assert outcome(stage.send(record())) == "topic_missing"


def test_nothing_overtakes_what_waits_for_its_topic(stage: Stage) -> None:
    stage.send(record(value=b"1"))
    stage.handed(1)
    stage.finds.clear()
    stage.producers[0].unknown.add("t")
    stage.send(record(value=b"2"))
    stage.producers[0].unknown.clear()
    stage.send(record(value=b"3"))
    stage.finds.set()

    assert [value for _, value, _ in stage.handed(3)] == [b"1", b"2", b"3"]


def test_room_comes_back_with_every_outcome(stage: Stage) -> None:
    def fill() -> list[KafkaSending]:
        taken = []
        while (sending := stage.sender.send(record(value=bytes(1000)))) is not None:
            taken.append(sending)
        return taken

    first = fill()
    assert 5 < len(first) < 10
    for _, _, future in stage.handed(len(first)):
        future.success(None)
    second = fill()
    assert len(second) == len(first)
    stage.now += LIMITS.no_progress_s + 1
    assert [outcome(one) for one in second] == ["abandoned"] * len(second)
    assert len(fill()) == len(first)


def test_the_thread_outlives_what_nobody_foresaw(stage: Stage) -> None:
    stage.trouble = ZeroDivisionError()
    sending = stage.send(record())
    wait_until(lambda: len(stage.asked) > 1)

    stage.trouble = None

    stage.handed(1)[0][2].success(None)
    assert outcome(sending) is None


def test_trouble_does_not_make_it_spin(stage: Stage) -> None:
    stage.trouble = Unreachable(Reason.KAFKA_FAILED, "no")
    started = time.monotonic()
    while time.monotonic() - started < 1:
        stage.sender.send(record())
        time.sleep(0.001)
    assert len(stage.asked) < 5


def test_closing_lets_land_what_is_on_its_way(stage: Stage) -> None:
    landing, waiting = stage.send(record()), stage.send(record("other"))
    stage.handed(2)
    stage.producers[0].unknown.add("third")
    never = stage.send(record("third"))
    threading.Timer(0.5, lambda: [future.success(None) for _, _, future in stage.handed(2)]).start()

    stage.sender.close()

    assert [one.failure() for one in (landing, waiting, never)] == [None, None, "abandoned"]
    assert stage.producers[0].ended.wait(20)


def test_closing_ends_a_producer_that_was_still_being_connected(stage: Stage) -> None:
    stage.connects.clear()
    sending = stage.send(record())
    wait_until(lambda: stage.asked)
    threading.Timer(0.5, stage.connects.set).start()

    stage.sender.close()

    assert outcome(sending) == "abandoned"
    wait_until(lambda: stage.producers)
    assert stage.producers[0].ended.wait(20)


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError):
        SenderLimits(in_flight_bytes=0)
    with pytest.raises(ValueError):
        SenderLimits(no_progress_s=-1)
