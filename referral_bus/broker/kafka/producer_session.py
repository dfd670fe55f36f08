"""One producer of the library, the topics it knows, and what its failures mean."""

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
"""Under load a batch fills while the one before it is on its way, so a longer wait gains nothing: 0, 2, 5 and 20 ms
send the same 28 thousand records a second, and one record alone lands after 4, 6, 9 and 23 ms."""

BATCH_BYTES = 128 * 1024


def connect_line(connection: Connection, answer_within_s: float) -> Any:
    """A producer that keeps order and asks for every replica in sync. Blocks; raises `Unreachable`.

    Not the idempotent one. A broker that was wiped gives out producer ids from 0 again, which producers from before
    still use: it then takes one's first record for a repetition of the other's, and acknowledges what it does not
    store. Copies do no harm here, so nothing is gained by it. One request at a time keeps order through retries."""
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
    """In use until a failure that says nothing about the record itself, which leaves it `spent`: after an outage or a
    wiped broker the library's producer may be stuck, and does not say so."""

    def __init__(self, producer: Any, flight: InFlight, clock: Callable[[], float]) -> None:
        self.known: set[str] = set()
        self.spent = False
        self._producer = producer
        self._flight = flight
        self._clock = clock

    def learn(self, topics: Collection[str], timeout_s: float) -> Collection[str]:
        """Those of them that can be sent to now. Blocks."""
        return self._producer.know(topics, timeout_s)  # type: ignore[no-any-return]

    def hand(self, sending: KafkaSending) -> bool:
        """False when the producer does not know the topic any more. Takes about 35 us, and never longer than 1 ms."""
        record = sending.record
        try:
            future = self._producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
        except MessageSizeTooLargeError:
            self._flight.settle(sending, "too_large")
            return True
        except (KafkaTimeoutError, ValueError):  # which of them depends on when its metadata went away
            return False
        sending.since = self._clock()
        sending.handed = True
        future.add_callback(partial(self._stored, sending))
        future.add_errback(partial(self._failed, sending))
        return True

    def end(self) -> None:
        """Blocks for seconds at most."""
        self._producer.end()

    def _stored(self, sending: KafkaSending, _metadata: object) -> None:
        self._flight.settle(sending, "stored")

    def _failed(self, sending: KafkaSending, error: Exception) -> None:
        failure = _meaning(error)
        self._flight.settle(sending, failure)
        if failure in ("timed_out", "abandoned"):
            self.spent = True  # not before: the sender abandons what has no outcome yet


def _meaning(error: Exception) -> SendFailure:
    if isinstance(error, RetriableError):
        return "timed_out"
    if isinstance(error, TOO_LARGE):  # alone in its batch: a larger batch is split
        return "too_large"
    if isinstance(error, POLICY):
        return "policy"
    return "refused" if isinstance(error, AuthorizationError) else "abandoned"
