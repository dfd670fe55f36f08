"""Which topics an agency reads, and where in each of them it goes on."""

from collections.abc import Callable, Mapping, Sequence

from referral_bus.broker.protocols import Broker, Delivery, Position, Topic, Unreadable
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.ledger import receiving, sending
from referral_bus.ledger.store import Ledger


class OurTopics:
    """Our inbox, the announcements of everybody we have an agreement with, and the register's; as they were when we
    looked last."""

    def __init__(self, ledger: Ledger, broker: Broker, register: Callable[[], Register], clock: Clock) -> None:
        self._ledger = ledger
        self._broker = broker
        self._register = register
        self._clock = clock
        self._there: dict[str, Topic] = {}
        self._inboxes: dict[str, str] = {}

    def look(self) -> None:
        self._there = self._find()

    def changed(self) -> bool:
        """Whether topics have come, gone, or were made anew."""
        return self._find() != self._there

    @property
    def inbox_is_there(self) -> bool:
        return self._register().inbox(self._ledger.code) in self._there

    def positions(self) -> list[Position]:
        """Where to go on. A topic made anew under the same name is read from its start; so is the register's each time,
        because what it tells is not kept in the ledger."""
        with self._ledger.read() as tx:
            saved = receiving.positions(tx)
        wanted = []
        for topic in self._there.values():
            for partition in range(topic.partitions):
                known = saved.get((topic.name, partition))
                same = known is not None and known.topic_id == topic.topic_id
                same = same and topic.name != self._register().register_topic
                wanted.append(
                    known if known is not None and same else Position(topic.name, topic.topic_id, partition, 0)
                )
        return wanted

    def reached(self, batch: Sequence[Delivery], passed: Sequence[Unreadable]) -> list[Position]:
        """The furthest in each partition."""
        ends = [(one.record.topic, one.partition, one.offset + 1) for one in batch]
        ends += [(one.topic, one.partition, one.next_offset) for one in passed]
        furthest = {(name, partition): offset for name, partition, offset in sorted(ends)}
        return [
            Position(name, self._there[name].topic_id, partition, offset)
            for (name, partition), offset in furthest.items()
            if name in self._there
        ]

    def _find(self) -> dict[str, Topic]:
        register, here = self._register(), self._ledger.code
        names = [register.inbox(here), *(register.announcement(peer) for peer in sorted(register.parties(here)))]
        names.append(register.register_topic)
        inboxes = {register.inbox(peer): peer for peer in register.parties(here)}
        found = dict(self._broker.topics([name for name in (*names, *inboxes) if name is not None]))
        self._look_at_inboxes({peer: found.pop(name).topic_id for name, peer in inboxes.items() if name in found})
        return found

    def _look_at_inboxes(self, topic_ids: Mapping[str, str]) -> None:
        """What stood in an inbox that was made anew is sent again."""
        if topic_ids != self._inboxes:
            with self._ledger.write() as tx:
                for peer, topic_id in topic_ids.items():
                    sending.inbox_seen(tx, peer, topic_id, self._clock())
            self._inboxes = dict(topic_ids)
