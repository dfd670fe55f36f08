"""A host that is an adversary: it acknowledges what it likes, and delivers what, when and as often as it likes."""

from collections.abc import Collection

from referral_bus.broker.memory import MemoryBroker, MemorySending
from referral_bus.wire.raw import RawRecord


class HostileBroker(MemoryBroker):
    """While it is hostile nothing that is sent stands in a topic before it is delivered by hand. Numbers choose among
    what is there; where nothing is, nothing happens."""

    hostile = False
    lying = False

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[RawRecord] = []
        self.shown: list[RawRecord] = []
        self.seen: list[RawRecord] = []  # all that it was ever given

    def accept(self, sending: MemorySending) -> None:
        self.seen.append(sending.record)
        if not self.hostile:
            super().accept(sending)
            return
        self.kept.append(sending.record)
        sending.end("timed_out" if self.lying else None)

    def deliver(self, number: int, topics: Collection[str] | None = None) -> None:
        """One of those that it keeps; of these topics only, where any are named."""
        there = [place for place, record in enumerate(self.kept) if topics is None or record.topic in topics]
        if there:
            self._show(self.kept.pop(there[number % len(there)]))

    def deliver_all(self) -> None:
        while self.kept:
            self.deliver(0)

    def drop(self, number: int) -> None:
        if self.kept:
            self.kept.pop(number % len(self.kept))

    def replay(self, number: int, topics: Collection[str] | None = None) -> None:
        """Anything that was delivered before, however old; of these topics only, where any are named."""
        there = [record for record in self.shown if topics is None or record.topic in topics]
        if there:
            self._show(there[number % len(there)])

    def lie(self) -> None:
        """From now on it says of everything that it was not taken, and keeps it all the same; or no more so."""
        self.lying = not self.lying

    def become_honest(self) -> None:
        """From now on it does what it promises; what it has kept so far is lost."""
        self.hostile = self.lying = False
        self.kept.clear()

    def _show(self, record: RawRecord) -> None:
        self.shown.append(record)
        with self.changed:
            self._append(MemorySending(record))
