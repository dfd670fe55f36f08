"""What each broker needs so that one suite runs on both."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from deploy.kafka.local import KafkaPlan, StoppedKafka, start, status, stop
from deploy.kafka.plan import is_free
from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.protocols import (
    Broker,
    Delivery,
    Position,
    Reader,
    Sender,
    SendFailure,
    Sending,
    Topic,
    TopicAdmin,
    TopicPlan,
)
from referral_bus.wire.raw import RawRecord
from tests.kit.waiting import wait_until

BOUND_BYTES = 20_000
"""In flight, where a test is about the bound."""

ANSWER_WITHIN_S = 3.0
"""From a broker that may be away."""

FRAGILE = "fragile"
"""The name under which such a test's clients, and their threads, are known."""


def record(topic: str, key: bytes = b"k", value: bytes = b"v", *headers: tuple[str, bytes]) -> RawRecord:
    return RawRecord(topic, key, value, headers)


@dataclass
class Bench:
    """A broker with topics under names of its own, and the few steps that every test here takes."""

    broker: Broker
    admin: TopicAdmin
    spoil: Callable[[Topic], None]
    """Writes one batch to partition 0 that nobody can unpack."""

    mark: Callable[[Topic], None]
    """Aborts a transaction in partition 0: a marker that no reader is given is the last thing there. Readers that do
    not wait for transactions may be given a record before it."""

    empty: Callable[[Topic], None]
    """Deletes all records of partition 0; its end stays where it is."""

    committed: Callable[[str, Topic], int | None]
    """What others see of a group's position in partition 0."""

    prefix: str = field(default_factory=lambda: f"t{uuid4().hex[:12]}")
    _closers: list[Callable[[], None]] = field(default_factory=list)

    def topic(self, name: str = "inbox", partitions: int = 1) -> Topic:
        full = f"{self.prefix}.{name}"
        self.admin.create_topic(TopicPlan(full, partitions, 1, {}))
        return self.broker.topics([full])[full]

    def sender(self) -> Sender:
        sender = self.broker.sender()
        self._closers.append(sender.close)
        return sender

    @property
    def group(self) -> str:
        return f"{self.prefix}.readers"

    def reader(self, *positions: Position) -> Reader:
        reader = self.broker.reader(self.group)
        self._closers.append(reader.close)
        reader.assign(positions)
        return reader

    def start_of(self, *topics: Topic) -> list[Position]:
        return [Position(one.name, one.topic_id, number, 0) for one in topics for number in range(one.partitions)]

    def outcomes(self, sendings: Sequence[Sending | None]) -> list[SendFailure | None]:
        taken = [sending for sending in sendings if sending is not None]
        assert len(taken) == len(sendings), "no room in flight"
        wait_until(lambda: all(sending.done() for sending in taken))
        return [sending.failure() for sending in taken]

    def store(self, *records: RawRecord) -> None:
        sender = self.sender()
        assert self.outcomes([sender.send(record) for record in records]) == [None] * len(records)

    def store_in_the_end(self, sender: Sender, record: RawRecord) -> None:
        """Sends it again, as the relay would, until it is stored."""
        wait_until(lambda: self.outcomes([sender.send(record)]) == [None])

    def read(self, reader: Reader, count: int) -> list[Delivery]:
        deliveries: list[Delivery] = []

        def enough() -> bool:
            deliveries.extend(reader.poll(0.5, 1000))
            return len(deliveries) >= count

        wait_until(enough)
        return deliveries

    def close(self) -> None:
        for close in self._closers:
            close()
        self.broker.close()
        self.admin.close()


class Host(Protocol):
    """The machine below a broker, in the hands of somebody careless."""

    def down(self) -> None: ...

    def up(self) -> None: ...

    def lose_everything(self) -> None:
        """While it is down."""
        ...


@dataclass
class MemoryHost:
    broker: MemoryBroker

    def down(self) -> None:
        self.broker.go_down()

    def up(self) -> None:
        self.broker.come_up()

    def lose_everything(self) -> None:
        self.broker.wipe(keep_topics=False)


@dataclass
class KafkaHost:
    plan: KafkaPlan

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.plan.port}"

    def down(self) -> None:
        stop(self.plan.data_folder, grace_s=0)

    def up(self) -> None:
        """Another run may look at the port at the very moment at which it is free."""
        wait_until(lambda: all(is_free(port) for port in (self.plan.port, self.plan.controller_port)))
        start(self.plan, print)

    def be_up(self) -> None:
        """Whatever happened before. A new Kafka serves sooner than one that was killed."""
        if isinstance(status(self.plan.data_folder), StoppedKafka):
            if self.plan.data_folder.exists():
                self.lose_everything()
            self.up()

    def lose_everything(self) -> None:
        for entry in self.plan.data_folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
