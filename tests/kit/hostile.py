"""A host that is an adversary: it acknowledges what it likes, and delivers what, when and as often as it likes."""

from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.memory_ends import MemorySending
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

    def accept(self, sending: MemorySending) -> None:
        if not self.hostile:
            super().accept(sending)
            return
        self.kept.append(sending.record)
        sending.end("timed_out" if self.lying else None)

    def deliver(self, number: int) -> None:
        if self.kept:
            self._show(self.kept.pop(number % len(self.kept)))

    def deliver_all(self) -> None:
        while self.kept:
            self.deliver(0)

    def drop(self, number: int) -> None:
        if self.kept:
            self.kept.pop(number % len(self.kept))

    def replay(self, number: int) -> None:
        """Anything that was delivered before, however old."""
        if self.shown:
            self._show(self.shown[number % len(self.shown)])

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
