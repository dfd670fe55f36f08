"""A Kafka that a fault may kill, wipe and start again."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.kafka.local import KafkaPlan, RunningKafka, StoppedKafka, free_port, start, status, stop
from deploy.kafka.plan import is_free, node_folder
from referral_bus.broker.kafka.client import open_admin
from referral_bus.broker.kafka.settings import Connection
from tests.kit.waiting import wait_until

READY_WITHIN_S = 180.0  # the services and the load use the same two cores


@dataclass(frozen=True, slots=True)
class OwnKafka:
    """One broker, or three."""

    plan: KafkaPlan

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.plan.nodes)

    def start(self) -> None:
        """Whatever is not running. Somebody else may look at a port at the very moment at which it is free."""
        running = self.running()
        missing = [node for node in self.plan.nodes if node.node_id not in running]
        wait_until(lambda: all(is_free(port) for node in missing for port in (node.port, node.controller_port)))
        start(self.plan, lambda _: None)

    def running(self) -> dict[int, int]:
        """Process ids by node."""
        found = status(self.plan.data_folder) if self.plan.data_folder.exists() else None
        if not isinstance(found, RunningKafka):
            return {}
        return {node.plan.node_id: node.process.pid for node in found.nodes}

    def kill(self, *nodes: int) -> None:
        """kill -9; all of them unless some are named."""
        killed = {node: pid for node, pid in self.running().items() if node in nodes or not nodes}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not killed.keys() & self.running().keys())

    def wipe(self, *, same_cluster: bool) -> None:
        """Its disk is new; so is its name, or it was given the old one. Only while it does not run."""
        assert isinstance(status(self.plan.data_folder), StoppedKafka)
        if not same_cluster:
            shutil.rmtree(self.plan.data_folder)
            return
        for node in self.plan.nodes:
            shutil.rmtree(node_folder(self.plan.data_folder, node.node_id))

    def leader(self, topic: str) -> int:
        """The node that everybody writes the topic to."""
        with closing(open_admin(Connection(self.bootstrap, "faults"))) as admin:
            return int(admin.describe_topics([topic])[0]["partitions"][0]["leader_id"])


@contextmanager
def own_kafka(folder: Path, brokers: int = 1, told_port: int | None = None) -> Iterator[OwnKafka]:
    """Running when it is given; never left running."""
    port = free_port(2 * brokers)
    plan = KafkaPlan(
        folder / "kafka",
        port,
        port + brokers,
        brokers,
        ready_within_s=READY_WITHIN_S,
        owner_pid=os.getpid(),
        told_port=told_port,
    )
    kafka = OwnKafka(plan)
    try:
        kafka.start()
        yield kafka
    finally:
        stop(plan.data_folder, grace_s=0)
