"""Kafka as a `Broker`."""

from collections.abc import Collection, Mapping
from functools import partial

from referral_bus.broker.kafka.client import open_admin
from referral_bus.broker.kafka.commits import Commits
from referral_bus.broker.kafka.producer_session import connect_session
from referral_bus.broker.kafka.reader import KafkaReader, connect_reader
from referral_bus.broker.kafka.sender import KafkaSender, SenderLimits
from referral_bus.broker.kafka.settings import Connection, Security
from referral_bus.broker.kafka.timed_calls import AdminCalls
from referral_bus.broker.kafka.topics import Absent, find_absent, find_ends, find_topics
from referral_bus.broker.kafka.unpacking import Unpacking
from referral_bus.broker.protocols import Topic

ANSWER_WITHIN_S = 5.0


class KafkaBroker:
    """Connects at the first call, whose time is bounded by `answer_within_s` seconds, as is every later one. Safe to
    use from several threads. The caller closes the senders and readers that it asks for. With `unpacking` a later
    process passes over a batch at which earlier ones have ended."""

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        security: Security | None = None,
        limits: SenderLimits | None = None,
        answer_within_s: float = ANSWER_WITHIN_S,
        unpacking: Unpacking | None = None,
    ) -> None:
        self._connection = Connection(bootstrap, client_id, security or Security())
        self._limits = limits or SenderLimits()
        self._answer_within_s = answer_within_s
        self._unpacking = unpacking or Unpacking()
        self._calls = AdminCalls(partial(open_admin, self._connection, request_timeout_ms=int(answer_within_s * 1000)))

    def topics(self, names: Collection[str]) -> Mapping[str, Topic]:
        return self._calls.call(lambda admin: find_topics(admin, names), self._answer_within_s)

    def ends(self, topic: Topic) -> Mapping[int, int]:
        return self._calls.call(lambda admin: find_ends(admin, topic), self._answer_within_s)

    def sender(self) -> KafkaSender:
        connect = partial(connect_session, self._connection, self._limits.answer_within_s)
        return KafkaSender(connect, self._absent, self._limits)

    def reader(self, group: str) -> KafkaReader:
        place = self._unpacking.place()
        return KafkaReader(
            partial(connect_reader, self._connection, place), Commits(self._calls, group), on_close=place.release
        )

    def close(self) -> None:
        self._calls.close()

    def _absent(self, names: Collection[str]) -> Mapping[str, Absent]:
        return self._calls.call(lambda admin: find_absent(admin, names), self._answer_within_s)
