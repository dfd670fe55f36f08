"""Makes the clients of the Kafka library, and mends what the library does wrong when it makes or closes them. No other
module makes one."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, RetriableError
from kafka.net.compat import KafkaNetClient

from referral_bus.broker.kafka.internals import update_under_way
from referral_bus.broker.kafka.logs import pin_kafka_loggers
from referral_bus.broker.kafka.settings import Connection
from referral_bus.broker.kafka.sockets import DIRECT
from referral_bus.errors import Reason, Unreachable

BOOTSTRAP_S = 5.0
RECONNECT_MAX_MS = 1000
"""The library's default of 30 s would prolong every outage by that much."""

FRAME_BYTES = 16 * 1024 * 1024
"""The largest answer taken from a broker; by default the library takes 100 MB from any host that answers at the
address."""

CLOSE_S = 1.0

RESTS_MS = 50.0
"""The shortest pause of a producer before it asks again a broker that it cannot send to yet; an event of the broker's
connection ends the pause."""


class Network(KafkaNetClient):  # type: ignore[misc]
    """Makes a producer pause while it cannot send. With the library's own class the producer asks without a pause, and
    uses a whole processor while Kafka or a topic is away: `connection_delay` returns seconds where the producer expects
    milliseconds, and 0 while it connects; and each request for newer metadata wakes the producer, even while one is
    under way."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._wish = self.cluster.request_update
        self.cluster.request_update = self._wish_once

    def connection_delay(self, node_id: Any) -> float:
        return max(float(super().connection_delay(node_id)) * 1000, RESTS_MS)

    def _wish_once(self) -> Any:
        return update_under_way(self.cluster) or self._wish()


class Producer(KafkaProducer):  # type: ignore[misc]  # the library has no types
    """A producer that `end` ends for certain. The library's own `close` waits for records that never land, raises, and
    leaves its thread alive; its `__del__` silences its module's logger for the whole process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._unregister_cleanup()

    def __del__(self) -> None:
        """Does nothing: the code that makes a producer calls `end`."""

    def know(self, topics: Iterable[str], timeout_s: float) -> set[str]:
        """The topics whose partitions the producer knows when this returns. Blocks for `timeout_s` at most, so that a
        later `send` does not block."""
        deadline, known = time.monotonic() + timeout_s, set()
        for topic in topics:
            self._sender.add_topic(topic)
        for topic in topics:
            try:
                self._wait_on_metadata(topic, max(0.0, deadline - time.monotonic()) * 1000)
                known.add(topic)
            except KafkaError:
                continue  # the caller asks again, or gives up the topic's records
        return known

    def end(self, timeout_s: float = CLOSE_S) -> None:
        """Ends the producer; records in flight fail. Blocks for three times `timeout_s` at most."""
        self._sender.force_close()
        self._sender.join(timeout_s)
        if not self._sender.is_alive():
            self.close(timeout=timeout_s)


def open_producer(connection: Connection, **options: Any) -> Any:
    return _opened(Producer, Producer.end, connection, metrics_enabled=False, **options)


def open_consumer(connection: Connection, **options: Any) -> Any:
    return _opened(KafkaConsumer, close_consumer, connection, metrics_enabled=False, **options)


def open_admin(connection: Connection, **options: Any) -> Any:
    return _opened(KafkaAdminClient, KafkaAdminClient.close, connection, **options)


def close_consumer(consumer: Any) -> None:
    consumer.close(autocommit=False, timeout_ms=int(CLOSE_S * 1000))


def as_unreachable(error: KafkaError) -> Unreachable:
    if isinstance(error, RetriableError):
        return Unreachable(Reason.KAFKA_UNREACHABLE, "Kafka does not answer: check its address, TLS and password.")
    return Unreachable(Reason.KAFKA_FAILED, f"Kafka answered {type(error).__name__}.")


def _opened(kind: Callable[..., Any], close: Callable[[Any], None], connection: Connection, **options: Any) -> Any:
    """Makes a client of this kind. Blocks until Kafka has answered; raises `Unreachable` after `BOOTSTRAP_S`. A
    constructor of the library that raises leaves its network thread and sockets open, so this closes them."""
    pin_kafka_loggers()
    networks: list[Any] = []

    def network(**settings: Any) -> Any:
        client = Network(**{**settings, "proxy_url": DIRECT})
        networks.append(client)
        # The library ignores its option of this name: without this line every look at a topic would create it.
        client.cluster.config["allow_auto_create_topics"] = False
        return client

    try:
        client = kind(
            **connection.options(),
            kafka_client=network,
            bootstrap_timeout_ms=int(BOOTSTRAP_S * 1000),
            reconnect_backoff_max_ms=RECONNECT_MAX_MS,
            receive_message_max_bytes=FRAME_BYTES,
            **options,
        )
    except KafkaError as error:
        for opened in networks:
            opened.close()
        raise as_unreachable(error) from error
    try:
        for broker in networks[0].cluster.brokers():
            connection.refuse_unprotected(broker.host)
    except BaseException:
        close(client)
        raise
    return client
