"""A broker in the memory of one process, for unit tests and the sandbox. It keeps the obligations of `protocols`, and
passes over unreadable batches as the Kafka reader does. Its records end with the process."""

import threading
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal
from uuid import uuid4

from referral_bus.broker.protocols import (
    TOPIC_MADE_ANEW,
    Delivery,
    Position,
    ReaderBroken,
    SendFailure,
    Topic,
    TopicPlan,
    Unreadable,
)
from referral_bus.errors import Reason, Unreachable
from referral_bus.wire.raw import RawRecord

Hidden = Literal["unreadable", "marker", "deleted"]
"""Entries that a reader never hands out. A marker ends a transaction; a deleted record keeps its offset."""

Log = list[Delivery | Hidden]
"""The entries of one partition; the index is the offset."""


@dataclass(slots=True)
class _LiveTopic:
    plan: TopicPlan
    topic_id: str = field(default_factory=lambda: str(uuid4()))
    logs: list[Log] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.grow(self.plan.partitions)

    def grow(self, partitions: int) -> None:
        self.logs += [[] for _ in range(partitions - len(self.logs))]


class MemorySending:
    def __init__(self, record: RawRecord) -> None:
        self.record = record
        self._done = False
        self._failure: SendFailure | None = None

    def done(self) -> bool:
        return self._done

    def failure(self) -> SendFailure | None:
        if not self._done:
            raise RuntimeError("failure() was asked before done()")
        return self._failure

    def end(self, failure: SendFailure | None) -> None:
        self._done, self._failure = True, failure


class MemorySender:
    def __init__(self, broker: "MemoryBroker") -> None:
        self._broker = broker
        self._in_flight: list[MemorySending] = []
        self._closed = False

    def send(self, record: RawRecord) -> MemorySending | None:
        with self._broker.changed:
            if self._closed:
                raise RuntimeError("this sender is closed")
            self._in_flight = [sending for sending in self._in_flight if not sending.done()]
            taken = sum(sending.record.size for sending in self._in_flight)
            if self._in_flight and taken + record.size > self._broker.in_flight_bytes:
                return None
            sending = MemorySending(record)
            self._in_flight.append(sending)
            self._broker.accept(sending)
            return sending

    def close(self) -> None:
        with self._broker.changed:
            self._closed = True
            for sending in self._in_flight:
                if not sending.done():
                    sending.end("abandoned")


class MemoryReader:
    def __init__(self, broker: "MemoryBroker", group: str) -> None:
        self._broker = broker
        self._group = group
        self._offsets: dict[tuple[str, str, int], int] = {}
        self._reached: Sequence[Position] = ()
        self._passed_over: Sequence[Unreadable] = ()
        self._finished = False

    def assign(self, positions: Sequence[Position]) -> None:
        self._offsets = {(each.topic, each.topic_id, each.partition): each.offset for each in positions}
        self._reached = ()

    def poll(self, timeout_s: float, max_records: int) -> Sequence[Delivery]:
        if self._finished:
            raise ReaderBroken("finished before")
        self._passed_over = ()
        found: list[Delivery | Unreadable] = []
        try:
            with self._broker.changed:
                self._broker.changed.wait_for(lambda: self._take(found, max_records), timeout_s)
        except ReaderBroken:
            self._finished = True
            raise
        self._passed_over = [entry for entry in found if isinstance(entry, Unreadable)]
        self._reached = [Position(*partition, offset) for partition, offset in self._offsets.items()]
        return [entry for entry in found if isinstance(entry, Delivery)]

    def passed_over(self) -> Sequence[Unreadable]:
        return self._passed_over

    def reached(self) -> Sequence[Position]:
        return self._reached

    def commit(self, positions: Sequence[Position]) -> None:
        with self._broker.changed:
            self._broker.note_commit(self._group, positions)

    def close(self) -> None:
        self._finished = True

    def _take(self, found: list[Delivery | Unreadable], limit: int) -> bool:
        for (topic, topic_id, partition), offset in list(self._offsets.items()):
            log = self._broker.log(topic, topic_id, partition)
            if log is None:
                continue
            start = offset if offset <= len(log) else 0
            taken = log[start : start + limit - len(found)]
            for at, entry in enumerate(taken, start):
                if isinstance(entry, Delivery):
                    found.append(entry)
                elif entry == "unreadable":
                    found.append(Unreadable(topic, partition, at, at + 1, "None"))
            del self._offsets[topic, topic_id, partition]  # moves it to the end, so that partitions take turns
            self._offsets[topic, topic_id, partition] = start + len(taken)
        return bool(found)


class MemoryBroker:
    """A `Broker` and a `TopicAdmin` in one object, which all services of a test or sandbox share. Safe to use from
    several threads."""

    def __init__(self, clock: Callable[[], datetime] | None = None, in_flight_bytes: int = 8 * 1024 * 1024) -> None:
        self.in_flight_bytes = in_flight_bytes
        self.changed = threading.Condition()
        self._clock = clock or partial(datetime.now, UTC)
        self._topics: dict[str, _LiveTopic] = {}
        self._committed: dict[str, dict[tuple[str, int], int]] = {}
        self._failing: SendFailure | None = None
        self._held: list[MemorySending] = []
        self._reachable = True

    def topics(self, names: Collection[str]) -> Mapping[str, Topic]:
        with self.changed:
            self._refuse_if_down()
            live = {name: self._topics[name] for name in names if name in self._topics}
            return {name: Topic(name, topic.topic_id, len(topic.logs)) for name, topic in live.items()}

    def ends(self, topic: Topic) -> Mapping[int, int]:
        with self.changed:
            self._refuse_if_down()
            live = self._topics.get(topic.name)
            return {} if live is None else {number: len(log) for number, log in enumerate(live.logs)}

    def sender(self) -> MemorySender:
        return MemorySender(self)

    def reader(self, group: str) -> MemoryReader:
        return MemoryReader(self, group)

    def close(self) -> None:
        """Does nothing: other services may share this object."""

    def live_topics(self) -> Mapping[str, TopicPlan]:
        with self.changed:
            self._refuse_if_down()
            return {name: topic.plan for name, topic in self._topics.items()}

    def create_topic(self, plan: TopicPlan) -> None:
        with self.changed:
            self._refuse_if_down()
            if plan.name in self._topics:
                raise Unreachable(Reason.KAFKA_FAILED, "The topic exists already.")
            self._topics[plan.name] = _LiveTopic(replace(plan, config=dict(plan.config)))

    def change_topic(self, plan: TopicPlan) -> None:
        with self.changed:
            self._refuse_if_down()
            topic = self._topics.get(plan.name)
            if topic is None:
                raise Unreachable(Reason.KAFKA_FAILED, "There is no such topic.")
            topic.grow(plan.partitions)
            topic.plan = replace(topic.plan, partitions=len(topic.logs), config=dict(plan.config))

    def wipe(self, keep_topics: bool = True) -> None:
        """Simulates the loss of the broker's disk: all records and commits are gone. Topics that are kept are empty and
        have new ids."""
        with self.changed:
            kept = self._topics if keep_topics else {}
            self._topics = {name: _LiveTopic(topic.plan) for name, topic in kept.items()}
            self._committed.clear()
            self.changed.notify_all()

    def go_down(self) -> None:
        """From now on every call raises `Unreachable`, readers find no records, and records that are sent stay in
        flight."""
        with self.changed:
            self._reachable = False

    def come_up(self) -> None:
        """Answers again, and appends the records that stayed in flight, in the order in which they were sent."""
        with self.changed:
            self._reachable = True
            held, self._held = self._held, []
            for sending in held:
                self._append(sending)
            self.changed.notify_all()

    def fail_sends(self, failure: SendFailure | None) -> None:
        """Has every later record fail like this; None ends it."""
        with self.changed:
            self._failing = failure

    def append_unreadable(self, topic: str, partition: int) -> None:
        with self.changed:
            self._topics[topic].logs[partition].append("unreadable")
            self.changed.notify_all()

    def append_marker(self, topic: str, partition: int) -> None:
        """Appends the marker that an aborted transaction leaves."""
        with self.changed:
            self._topics[topic].logs[partition].append("marker")
            self.changed.notify_all()

    def delete_records(self, topic: str, partition: int) -> None:
        """Deletes all records that the partition has now; the next record's offset stays the same."""
        with self.changed:
            log = self._topics[topic].logs[partition]
            log[:] = ["deleted"] * len(log)
            self.changed.notify_all()

    def committed(self, group: str, topic: str, partition: int) -> int | None:
        with self.changed:
            return self._committed.get(group, {}).get((topic, partition))

    # -- for this broker's senders and readers, which hold `changed` while they call

    def log(self, topic: str, topic_id: str, partition: int) -> Log | None:
        live = self._topics.get(topic) if self._reachable else None
        if live is not None and live.topic_id != topic_id:
            raise ReaderBroken(TOPIC_MADE_ANEW)
        return live.logs[partition] if live is not None and partition < len(live.logs) else None

    def accept(self, sending: MemorySending) -> None:
        if not self._reachable:
            self._held.append(sending)
        elif self._failing is not None:
            sending.end(self._failing)
        else:
            self._append(sending)

    def note_commit(self, group: str, positions: Sequence[Position]) -> None:
        if self._reachable:
            offsets = self._committed.setdefault(group, {})
            offsets.update({(position.topic, position.partition): position.offset for position in positions})

    def _append(self, sending: MemorySending) -> None:
        if sending.done():  # its sender was closed meanwhile
            return
        topic = self._topics.get(sending.record.topic)
        if topic is None:
            sending.end("topic_missing")
            return
        partition = zlib.crc32(sending.record.key) % len(topic.logs)
        log = topic.logs[partition]
        log.append(Delivery(sending.record, partition, len(log), self._clock()))
        sending.end(None)
        self.changed.notify_all()

    def _refuse_if_down(self) -> None:
        if not self._reachable:
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "The memory broker is down.")
