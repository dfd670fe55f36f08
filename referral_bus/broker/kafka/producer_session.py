"""One producer of the library: the topics that it knows, and the meaning of its failures."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from kafka.errors import (
    AuthorizationError,
    InvalidRecordError,
    InvalidTopicError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    RetriableError,
)

from referral_bus.broker.kafka.client import open_producer
from referral_bus.broker.kafka.in_flight import InFlight, KafkaSending
from referral_bus.broker.kafka.settings import Connection
from referral_bus.broker.protocols import SendFailure

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
POLICY = (InvalidRecordError, InvalidTopicError, PolicyViolationError)

LINGER_MS = 2
"""Under load a batch fills while the one before it is under way, so a longer linger gains nothing. Measured: 0, 2, 5
and 20 ms send the same 28 thousand records a second, and one record alone lands after 4, 6, 9 and 23 ms."""

BATCH_BYTES = 128 * 1024


def connect_session(connection: Connection, answer_within_s: float) -> Any:
    """A producer that keeps order and waits for every replica in sync; a record fails after `answer_within_s`. Blocks;
    raises `Unreachable`.

    It is not idempotent. A broker that was wiped gives out producer ids from 0 again, while older producers still use
    theirs: it takes the first record of one producer for a repetition of another's, and acknowledges it without storing
    it. Duplicates do no harm here, so idempotence would gain nothing. One request at a time keeps order through
    retries."""
    return open_producer(
        connection,
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,
        acks="all",
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
        compression_type="zstd",
        allow_auto_create_topics=False,
        max_block_ms=1,
        request_timeout_ms=int(answer_within_s * 500),
        delivery_timeout_ms=int(answer_within_s * 1000),
    )


class ProducerSession:
    """Uses a producer until a record fails for a cause that is not the record's; then the session is `spent`. After an
    outage or with a wiped broker the library's producer may be stuck without an error."""

    def __init__(self, producer: Any, in_flight: InFlight, clock: Callable[[], float]) -> None:
        self.known: set[str] = set()
        self.spent = False
        self._producer = producer
        self._in_flight = in_flight
        self._clock = clock

    def learn(self, topics: Collection[str], timeout_s: float) -> Collection[str]:
        """The topics that can be sent to when this returns. Blocks for `timeout_s` at most."""
        return self._producer.know(topics, timeout_s)  # type: ignore[no-any-return]

    def hand(self, sending: KafkaSending) -> bool:
        """Hands a record to the producer; False when the producer does not know the topic any more. Takes about 35 us,
        and 1 ms at most."""
        record = sending.record
        try:
            future = self._producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
        except MessageSizeTooLargeError:
            self._in_flight.settle(sending, "too_large")
            return True
        except (KafkaTimeoutError, ValueError):  # either, by the moment at which the metadata expired
            return False
        sending.since = self._clock()
        sending.handed = True
        future.add_callback(partial(self._stored, sending))
        future.add_errback(partial(self._failed, sending))
        return True

    def end(self) -> None:
        """Ends the producer. Blocks for some seconds at most; see `Producer.end`."""
        self._producer.end()

    def _stored(self, sending: KafkaSending, _metadata: object) -> None:
        self._in_flight.settle(sending, "stored")

    def _failed(self, sending: KafkaSending, error: Exception) -> None:
        failure = _meaning(error)
        self._in_flight.settle(sending, failure)
        if failure in ("timed_out", "abandoned"):
            self.spent = True  # after `settle`: the sender then abandons all that has no outcome yet


def _meaning(error: Exception) -> SendFailure:
    if isinstance(error, RetriableError):
        return "timed_out"
    if isinstance(error, TOO_LARGE):  # the record's own fault: the library splits a batch of several
        return "too_large"
    if isinstance(error, POLICY):
        return "policy"
    return "refused" if isinstance(error, AuthorizationError) else "abandoned"
