"""A Kafka of its own for each of these tests: they stop it, kill it and take its disk away."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from deploy.kafka.local import KafkaPlan, RunningKafka, StoppedKafka, free_port, start, status, stop
from deploy.kafka.plan import is_free
from deploy.kafka.process import is_alive
from referral_bus.broker.kafka import Connection, KafkaBroker, KafkaTopicAdmin
from referral_bus.broker.protocols import Position, TopicPlan
from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.wire.raw import RawRecord
from tests.faults.brokers import READY_WITHIN_S
from tests.kit.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.kafka

TOPIC = "kept"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "kafka"
    stop(tmp_path / "kafka", grace_s=0)


def plan(folder: Path, brokers: int = 1) -> KafkaPlan:
    port = free_port(2 * brokers)
    return KafkaPlan(
        folder, port, port + brokers, brokers, min_free_mb=0, ready_within_s=READY_WITHIN_S, owner_pid=os.getpid()
    )


def quiet(_: str) -> None: ...


def create_topic(kafka: RunningKafka, answer_within_s: float = PATIENCE_S) -> None:
    admin = KafkaTopicAdmin(Connection(kafka.bootstrap, "test"), answer_within_s=answer_within_s)
    with closing(admin):
        admin.create_topic(TopicPlan(TOPIC, 1, kafka.brokers))


def write(kafka: RunningKafka, value: bytes) -> None:
    with closing(KafkaBroker(kafka.bootstrap, "test")) as broker, closing(broker.sender()) as sender:

        def stored() -> bool:
            sending = sender.send(RawRecord(TOPIC, b"key", value))
            assert sending is not None
            wait_until(sending.done)
            return sending.failure() is None

        wait_until(stored)


def read(kafka: RunningKafka, expected: int) -> list[bytes]:
    """Each value once: what was sent again may be there twice."""
    values: dict[bytes, None] = {}
    with closing(KafkaBroker(kafka.bootstrap, "test")) as broker, closing(broker.reader("test")) as reader:

        def enough() -> bool:
            values.update((delivery.record.value, None) for delivery in reader.poll(0.2, 100))
            return len(values) >= expected

        reader.assign([Position(TOPIC, broker.topics([TOPIC])[TOPIC].topic_id, 0, 0)])
        wait_until(enough)
    return list(values)


def test_a_second_start_says_that_it_runs_and_changes_nothing(folder: Path) -> None:
    said: list[str] = []
    first = start(plan(folder), quiet)

    second = start(plan(folder), said.append)

    assert second == first == status(folder)
    assert said == [f"Kafka 4.3.1 already runs on port {first.nodes[0].plan.port}."]


def test_what_was_written_is_there_after_a_stop_and_a_start_on_other_ports(folder: Path) -> None:
    first = start(plan(folder), quiet)
    create_topic(first)
    write(first, b"before")

    assert stop(folder)
    assert status(folder) == StoppedKafka(folder, "4.3.1", None)
    assert all(is_free(port) for port in (first.nodes[0].plan.port, first.nodes[0].plan.controller_port))

    second = start(plan(folder), quiet)
    write(second, b"after")
    assert second.bootstrap != first.bootstrap
    assert read(second, 2) == [b"before", b"after"]


def test_after_a_kill_it_starts_again_with_everything_it_had(folder: Path) -> None:
    first = start(plan(folder), quiet)
    create_topic(first)
    write(first, b"before")

    os.kill(first.nodes[0].process.pid, signal.SIGKILL)
    wait_until(lambda: isinstance(status(folder), StoppedKafka))
    state = status(folder)
    second = start(plan(folder), quiet)

    assert isinstance(state, StoppedKafka)
    assert state.ended is not None
    assert state.ended.startswith("Kafka ended by itself")
    assert read(second, 1) == [b"before"]


def test_of_three_brokers_one_that_was_killed_joins_again(folder: Path) -> None:
    three = start(plan(folder, brokers=3), quiet)
    create_topic(three)

    os.kill(three.nodes[0].process.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(three.nodes[0].process))
    two = status(folder)
    assert isinstance(two, RunningKafka)
    assert len(two.nodes) == 2
    write(two, b"with two")
    again = start(plan(folder, brokers=3), quiet)

    assert again.bootstrap == three.bootstrap
    assert again.nodes[1:] == two.nodes
    assert read(again, 1) == [b"with two"]


def test_a_start_that_is_killed_leaves_a_folder_from_which_start_works(folder: Path) -> None:
    wanted = plan(folder)
    script = (
        "import sys; from pathlib import Path; from deploy.kafka.local import KafkaPlan, start;"
        "start(KafkaPlan(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), print)"
    )
    arguments = [str(folder), str(wanted.port), str(wanted.controller_port)]
    with subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.DEVNULL) as starting:
        wait_until(lambda: (folder / "node-1" / "process.json").exists())
        starting.kill()

    kafka = start(wanted, quiet)

    create_topic(kafka)
    write(kafka, b"works")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], capture_output=True).returncode:
        pytest.fail("this test mounts a small disk: run make test as root")
    yield disk
    stop(disk / "kafka", grace_s=0)
    subprocess.run(["umount", disk], check=True)


def test_a_broker_whose_disk_becomes_full_says_so(small_disk: Path) -> None:
    kafka = start(plan(small_disk / "kafka"), quiet)
    with (small_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):  # until it is full
        while filler.write(bytes(4096)):
            pass

    with suppress(Unreachable):  # it may have been taken before the broker noticed
        create_topic(kafka, answer_within_s=5)
    wait_until(lambda: isinstance(status(kafka.data_folder), StoppedKafka))

    state = status(kafka.data_folder)
    assert isinstance(state, StoppedKafka)
    assert "the disk is full" in (state.ended or "")
    with pytest.raises(Refused) as refused:
        start(plan(kafka.data_folder), quiet)
    assert refused.value.reason is Reason.DISK_FULL
