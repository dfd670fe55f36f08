"""How far agencies have read, as the operators' monitor asks a broker. `MemoryLag` and `kafka.lag.KafkaLag` implement
it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.protocols import Delivery, Position

Partition = tuple[str, int]
"""A topic's name and a partition's number."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The offsets of a partition: `begin` is that of the first record still there, `end` the one that the next record
    will get."""

    begin: int
    end: int


class LagSource(Protocol):
    """Safe to use from several threads. Every call raises `errors.Unreachable` when the broker does not answer in
    time. Call `committed` before `extents`: in the other order a group can seem to have read beyond the end."""

    def committed(self, groups: Collection[str]) -> Mapping[str, Mapping[Partition, int]]:
        """For each group the next offset that it will read in each partition in which it has committed one."""
        ...

    def extents(self, partitions: Collection[Partition]) -> Mapping[Partition, Extent]:
        """The extents of those partitions that exist."""
        ...

    def appended_at(self, positions: Collection[Position]) -> Mapping[Position, datetime]:
        """When the first record at or after each position was appended (LogAppendTime), without the positions that
        cannot be read in time."""
        ...

    def close(self) -> None: ...


class MemoryLag:
    """The `LagSource` of a memory broker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def committed(self, groups: Collection[str]) -> Mapping[str, Mapping[Partition, int]]:
        found: dict[str, dict[Partition, int]] = {group: {} for group in groups}
        for group in groups:
            for name, plan in self._broker.live_topics().items():
                for partition in range(plan.partitions):
                    offset = self._broker.committed(group, name, partition)
                    if offset is not None:
                        found[group][name, partition] = offset
        return found

    def extents(self, partitions: Collection[Partition]) -> Mapping[Partition, Extent]:
        topics = self._broker.topics({topic for topic, _ in partitions})
        found: dict[Partition, Extent] = {}
        for name, partition in partitions:
            topic = topics.get(name)
            log = None if topic is None else self._broker.log(name, topic.topic_id, partition)
            if log is not None:
                begin = next((offset for offset, entry in enumerate(log) if entry != "deleted"), len(log))
                found[name, partition] = Extent(begin, len(log))
        return found

    def appended_at(self, positions: Collection[Position]) -> Mapping[Position, datetime]:
        found: dict[Position, datetime] = {}
        for position in positions:
            log = self._broker.log(position.topic, position.topic_id, position.partition) or []
            record = next((entry for entry in log[position.offset :] if isinstance(entry, Delivery)), None)
            if record is not None:
                found[position] = record.appended_at
        return found

    def close(self) -> None:
        """Does nothing: the memory broker is its owner's to close."""
