import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka.local import KafkaPlan, free_port
from referral_bus.broker.kafka import Connection, KafkaBroker, KafkaTopicAdmin, SenderLimits
from referral_bus.broker.memory import MemoryBroker
from tests.contract.broker.crafted import abort_transaction, committed, delete_records, in_snappy, plain, produce
from tests.contract.broker.lab import ANSWER_WITHIN_S, BOUND_BYTES, FRAGILE, Bench, Host, KafkaHost, MemoryHost

BOTH = ["memory", pytest.param("kafka", marks=pytest.mark.kafka)]


def _memory_bench(memory: MemoryBroker) -> Bench:
    return Bench(
        memory,
        memory,
        lambda topic: memory.append_unreadable(topic.name, 0),
        lambda topic: memory.append_marker(topic.name, 0),
        lambda topic: memory.delete_records(topic.name, 0),
        lambda group, topic: memory.committed(group, topic.name, 0),
    )


def _kafka_bench(bootstrap: str, broker: KafkaBroker) -> Bench:
    return Bench(
        broker,
        KafkaTopicAdmin(Connection(bootstrap, "contract")),
        lambda topic: produce(bootstrap, topic.name, in_snappy(plain([b"v"]))),
        lambda topic: abort_transaction(bootstrap, topic.name),
        lambda topic: delete_records(bootstrap, topic.name),
        lambda group, topic: committed(bootstrap, group, topic.name),
    )


@pytest.fixture(params=BOTH)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "memory":
        bench = _memory_bench(MemoryBroker())
    else:
        bootstrap = request.getfixturevalue("kafka_bootstrap")
        bench = _kafka_bench(bootstrap, KafkaBroker(bootstrap, "contract"))
    yield bench
    bench.close()


@pytest.fixture
def kafka_bench(kafka_bootstrap: str) -> Iterator[Bench]:
    bench = _kafka_bench(kafka_bootstrap, KafkaBroker(kafka_bootstrap, "contract"))
    yield bench
    bench.close()


@pytest.fixture(scope="session")
def spare_kafka() -> Iterator[KafkaHost]:
    """A Kafka that tests may stop and wipe. Not started yet."""
    port = free_port(2)
    with tempfile.TemporaryDirectory(prefix="referral-bus-spare-") as folder:
        host = KafkaHost(KafkaPlan(Path(folder) / "kafka", port, port + 1, ready_within_s=180, owner_pid=os.getpid()))
        yield host
        host.down()


@pytest.fixture(params=BOTH)
def host(request: pytest.FixtureRequest) -> Host:
    """Up and running when a test gets it."""
    if request.param == "memory":
        return MemoryHost(MemoryBroker(in_flight_bytes=BOUND_BYTES))
    spare: KafkaHost = request.getfixturevalue("spare_kafka")
    spare.be_up()
    return spare


@pytest.fixture
def fragile(host: Host) -> Iterator[Bench]:
    """On that host, with little room in flight and little time for an answer."""
    if isinstance(host, MemoryHost):
        bench = _memory_bench(host.broker)
    else:
        assert isinstance(host, KafkaHost)
        limits = SenderLimits(in_flight_bytes=BOUND_BYTES, no_progress_s=6)
        bench = _kafka_bench(
            host.bootstrap, KafkaBroker(host.bootstrap, FRAGILE, limits=limits, answer_within_s=ANSWER_WITHIN_S)
        )
    yield bench
    bench.close()


@pytest.fixture
def patient(spare_kafka: KafkaHost) -> Iterator[Bench]:
    """On a Kafka that may be stopped and wiped, with the limits that a service has."""
    spare_kafka.be_up()
    bench = _kafka_bench(spare_kafka.bootstrap, KafkaBroker(spare_kafka.bootstrap, FRAGILE))
    yield bench
    bench.close()
