"""A sender over producers that do what each test wants."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from kafka.future import Future

from referral_bus.broker.kafka.in_flight import KafkaSending
from referral_bus.broker.kafka.sender import KafkaSender, SenderLimits
from referral_bus.broker.kafka.topics import Absent
from referral_bus.broker.protocols import SendFailure
from referral_bus.wire.raw import RawRecord
from tests.kit.waiting import PATIENCE_S, wait_until

LIMITS = SenderLimits(in_flight_bytes=10_000, no_progress_s=30)


def record(topic: str = "t", value: bytes = b"v") -> RawRecord:
    return RawRecord(topic, b"k", value)


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
        assert self.connects.wait(PATIENCE_S)
        if self.trouble is not None:
            raise self.trouble
        self.producers.append(FakeProducer())
        return self.producers[-1]

    def find_absent(self, names: Collection[str]) -> Mapping[str, Absent]:
        self.asked.append(tuple(names))
        assert self.finds.wait(PATIENCE_S)
        return {name: self.absent[name] for name in names if name in self.absent}

    def send(self, one: RawRecord) -> KafkaSending:
        sending = self.sender.send(one)
        assert sending is not None
        return sending

    def handed(self, count: int, producer: int = 0) -> list[tuple[str, bytes, Any]]:
        wait_until(lambda: len(self.producers) > producer and len(self.producers[producer].sent) >= count)
        return self.producers[producer].sent


def outcome(sending: KafkaSending) -> SendFailure | None:
    wait_until(sending.done)
    return sending.failure()
