"""Which topics an agency reads, and the position at which it resumes in each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from referral_bus.broker.protocols import Broker, Delivery, Position, Topic
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.ledger import outbox_sweep, received_events
from referral_bus.ledger.store import Ledger

NEWEST = 1_000
"""How many records of an announcement topic that we have never read are read. Only the newest announcement counts, and
a month has 43,000."""


class Subscriptions:
    """Our inbox, the announcement topics of all agencies that we have an agreement with, and the register topic; those
    that existed at the last `look`."""

    def __init__(self, ledger: Ledger, broker: Broker, register: Callable[[], Register], clock: Clock) -> None:
        self._ledger = ledger
        self._broker = broker
        self._register = register
        self._clock = clock
        self._there: dict[str, Topic] = {}
        self._inboxes: dict[str, str] = {}
        self._saved: dict[tuple[str, int], int] = {}

    def look(self) -> None:
        self._there = self._find()

    def changed(self) -> bool:
        """Whether topics have come, gone, or were made anew."""
        return self._find() != self._there

    @property
    def inbox_is_there(self) -> bool:
        return self._register().inbox(self._ledger.code) in self._there

    def positions(self) -> list[Position]:
        """The position at which to resume in each partition. A topic that was made anew under the same name is read
        from its start; so is the register topic each time, because the ledger does not keep registers. Of an
        announcement topic that we have never read the last `NEWEST` records are read."""
        with self._ledger.read() as tx:
            saved = received_events.positions(tx)
        wanted = [
            self._from_here(saved.get((topic.name, partition)), topic, partition)
            for topic in self._there.values()
            for partition in range(topic.partitions)
        ]
        self._saved = {(one.topic, one.partition): one.offset for one in wanted}
        return wanted

    def _from_here(self, saved: Position | None, topic: Topic, partition: int) -> Position:
        start = Position(topic.name, topic.topic_id, partition, 0)
        if topic.name == self._register().register_topic:
            return start
        if saved is not None and saved.topic_id == topic.topic_id:
            return saved
        if topic.name == self._register().inbox(self._ledger.code):
            return start
        return replace(start, offset=max(0, self._broker.ends(topic).get(partition, 0) - NEWEST))

    def reached(self, batch: Sequence[Delivery], standing: Sequence[Position]) -> list[Position]:
        """The position after a batch in each partition that it moved: where the reader stands (`standing`), or, for a
        part of a batch, behind its last record."""
        ends = [(one.record.topic, one.partition, one.offset + 1) for one in batch]
        ends += [(one.topic, one.partition, one.offset) for one in standing]
        furthest = {(name, partition): offset for name, partition, offset in sorted(ends)}
        return [
            Position(name, self._there[name].topic_id, partition, offset)
            for (name, partition), offset in furthest.items()
            if name in self._there
        ]

    def moved(self, standing: Sequence[Position]) -> list[Position]:
        """Those of the reader's positions that the ledger does not hold yet."""
        return [one for one in standing if self._saved.get((one.topic, one.partition)) != one.offset]

    def saved(self, reached: Sequence[Position]) -> None:
        self._saved |= {(one.topic, one.partition): one.offset for one in reached}

    def _find(self) -> dict[str, Topic]:
        register, here = self._register(), self._ledger.code
        names = [register.inbox(here), *(register.announcement(peer) for peer in sorted(register.parties(here)))]
        names.append(register.register_topic)
        inboxes = {register.inbox(peer): peer for peer in register.parties(here)}
        found = dict(self._broker.topics([name for name in (*names, *inboxes) if name is not None]))
        self._look_at_inboxes({peer: found.pop(name).topic_id for name, peer in inboxes.items() if name in found})
        return found

    def _look_at_inboxes(self, topic_ids: Mapping[str, str]) -> None:
        """Where a peer's inbox was made anew under the same name, marks what stood in the old one to be sent again."""
        if topic_ids != self._inboxes:
            with self._ledger.write() as tx:
                for peer, topic_id in topic_ids.items():
                    outbox_sweep.inbox_seen(tx, peer, topic_id, self._clock())
            self._inboxes = dict(topic_ids)
