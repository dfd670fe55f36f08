"""What the host of Kafka can do to a topic: read every byte of it, and append a copy of a record."""

from collections.abc import Callable

from deploy.demo.narrator import wait_for
from referral_bus.broker.protocols import Broker, Position, Topic
from referral_bus.errors import Reason, Unreachable
from referral_bus.wire.raw import RawRecord

WITHIN_S = 30.0


class Host:
    """Acts as the host of Kafka on topics of one partition. Raises `Unreachable` for what does not happen within
    `within_s` seconds."""

    def __init__(self, broker: Broker, within_s: float = WITHIN_S) -> None:
        self._broker = broker
        self._within_s = within_s

    def end(self, name: str) -> int:
        """The offset that the next record in a topic will get."""
        return self._broker.ends(self._topic(name))[0]

    def find(self, name: str, wanted: Callable[[RawRecord], bool], start: int = 0) -> RawRecord:
        """Waits for the first record from offset `start` on that `wanted` accepts, and returns it."""
        found: list[RawRecord] = []

        def read() -> bool:
            found.extend(each.record for each in reader.poll(0.1, 500) if wanted(each.record))
            return bool(found)

        reader = self._broker.reader("host")
        try:
            reader.assign([Position(name, self._topic(name).topic_id, 0, start)])
            self._in_time(wait_for(read, self._within_s))
        finally:
            reader.close()
        return found[0]

    def replay(self, record: RawRecord) -> None:
        """Appends a copy of a record to its topic. It may be there twice: after a failed attempt, which may have
        succeeded at the broker, it is sent again."""

        def sent() -> bool:
            sending = sender.send(record)
            return sending is not None and wait_for(sending.done, self._within_s) and sending.failure() is None

        sender = self._broker.sender()
        try:
            self._in_time(wait_for(sent, self._within_s))
        finally:
            sender.close()

    def _topic(self, name: str) -> Topic:
        return self._broker.topics([name])[name]

    @staticmethod
    def _in_time(done: bool) -> None:
        if not done:
            raise Unreachable(Reason.KAFKA_FAILED, "Kafka did not answer in time")
