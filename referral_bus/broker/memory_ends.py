"""The ends of the memory broker: what its callers hold in their hands. All state is the broker's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from referral_bus.broker.protocols import Delivery, Position, ReaderBroken, SendFailure, Unreadable
from referral_bus.wire.raw import RawRecord

if TYPE_CHECKING:
    from referral_bus.broker.memory import MemoryBroker


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
        self._offsets = {(one.topic, one.topic_id, one.partition): one.offset for one in positions}
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
        self._passed_over = [one for one in found if isinstance(one, Unreadable)]
        self._reached = [Position(*partition, offset) for partition, offset in self._offsets.items()]
        return [one for one in found if isinstance(one, Delivery)]

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
            for at, one in enumerate(taken, start):
                if isinstance(one, Delivery):
                    found.append(one)
                elif one == "unreadable":
                    found.append(Unreadable(topic, partition, at, at + 1, "None"))
            del self._offsets[topic, topic_id, partition]  # to the end of the row: none starves another
            self._offsets[topic, topic_id, partition] = start + len(taken)
        return bool(found)
