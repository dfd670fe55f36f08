import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.protocol.metadata import MetadataResponse

from referral_bus.broker.kafka import Connection, client
from referral_bus.errors import Reason, Refused, Unreachable
from tests.kit.waiting import wait_until


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """An address that is taken, so that nobody else can take it, and where nothing listens."""
    monkeypatch.setattr(client, "BOOTSTRAP_S", 0.3)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield Connection(f"127.0.0.1:{held.getsockname()[1]}", "test")


@pytest.mark.parametrize("opening", [client.open_producer, client.open_consumer, client.open_admin])
def test_what_cannot_connect_leaves_nothing_behind(opening: Any, nobody: Connection) -> None:
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(Unreachable) as unreachable:
            opening(nobody)
        assert unreachable.value.reason is Reason.KAFKA_UNREACHABLE

    wait_until(lambda: threading.active_count() <= before)


class Redirecting:
    """A client whose Kafka names another machine as the one to talk to."""

    closed = False

    def __init__(self, kafka_client: Any, **options: Any) -> None:
        self.network = kafka_client(bootstrap_servers=options["bootstrap_servers"])
        elsewhere = MetadataResponse.MetadataResponseBroker(1, "10.1.2.3", 9092, None)
        self.network.cluster._brokers = {1: elsewhere}

    def close(self) -> None:
        Redirecting.closed = True
        self.network.close()


def test_kafka_cannot_lead_plaintext_to_another_machine(nobody: Connection) -> None:
    with pytest.raises(Refused) as refused:
        client._opened(Redirecting, Redirecting.close, nobody)
    assert refused.value.reason is Reason.NOT_LOOPBACK
    assert Redirecting.closed


def test_no_question_about_a_topic_makes_it(nobody: Connection) -> None:
    networks: list[Any] = []

    class Quiet:
        def __init__(self, kafka_client: Any, **options: Any) -> None:
            networks.append(kafka_client(bootstrap_servers=options["bootstrap_servers"], allow_auto_create_topics=True))

    client._opened(Quiet, lambda _: None, nobody)
    assert networks[0].cluster.metadata_request().allow_auto_topic_creation is False
    networks[0].close()


def test_a_producer_is_told_in_milliseconds_how_long_a_broker_is_to_be_left_alone() -> None:
    network = client.Network(bootstrap_servers="127.0.0.1:1", reconnect_backoff_ms=5000)
    try:
        assert network.connection_delay(1) == client.RESTS_MS  # as while it connects
        network._manager.update_backoff(1)
        assert network.connection_delay(1) > 1000
    finally:
        network.close()


def test_a_wish_for_newer_metadata_that_was_made_before_wakes_nobody() -> None:
    network = client.Network(bootstrap_servers="127.0.0.1:1")
    woken: list[bool] = []

    class Counting:
        def notify(self) -> None:
            woken.append(True)

    try:
        network.cluster._wakeup = Counting()
        first = network.cluster.request_update()
        assert network.cluster.request_update() is first
        assert len(woken) == 1
        first.success(None)
        network.cluster.request_update()
        assert len(woken) == 2
    finally:
        network.close()
