"""What whoever runs Kafka can do to a topic: read every byte of it, and put a copy of a record there once more."""

from collections.abc import Callable

from deploy.demo.narrator import wait_for
from referral_bus.broker.protocols import Broker, Position, Topic
from referral_bus.errors import Reason, Unreachable
from referral_bus.wire.raw import RawRecord

WITHIN_S = 30.0


class Host:
    """Topics here have one partition. Raises `Unreachable` for what does not happen in time."""

    def __init__(self, broker: Broker, within_s: float = WITHIN_S) -> None:
        self._broker = broker
        self._within_s = within_s

    def end(self, name: str) -> int:
        """The place that the next record in a topic will get."""
        return self._broker.ends(self._topic(name))[0]

    def find(self, name: str, wanted: Callable[[RawRecord], bool], start: int = 0) -> RawRecord:
        """The first record from `start` on that is wanted, as soon as it is there."""
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
        """When this returns the copy is in its topic, perhaps twice: after a failure nobody knows."""

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
