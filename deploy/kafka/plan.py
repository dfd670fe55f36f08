"""The plan of a local Kafka as plain values: number of brokers, ports, settings."""

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from referral_bus.errors import Reason, Refused

HOST = "127.0.0.1"
DATA = "data"
"""Kafka's data folder, relative to its node's folder: so the settings file holds no path that would need escaping."""

TOPIC_RETENTION_DAYS = 14
OFFSETS_RETENTION_DAYS = 30
"""Longer than any topic keeps records, so that a group that was away for weeks still has its committed offsets."""

MESSAGE_MAX_BYTES = 1024 * 1024
"""Largest batch that the broker takes. It bounds the memory of readers, since their decompression has no bound."""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """The plan of one process, which is broker and controller."""

    node_id: int
    port: int
    controller_port: int
    folder: Path


@dataclass(frozen=True, slots=True)
class KafkaPlan:
    """Node i, counted from 0, takes the ports `port` + i and `controller_port` + i; they may differ at each start.
    `owner_pid`: Kafka ends soon after that process has ended. `told_port`: the port that a single broker tells its
    clients, where a proxy is between them. Raises `Refused` for values that do not fit together."""

    data_folder: Path
    port: int = 9092
    controller_port: int = 19092
    brokers: int = 1
    heap_mb: int = 512
    min_free_mb: int = 300
    ready_within_s: float = 60.0
    owner_pid: int | None = None
    told_port: int | None = None

    def __post_init__(self) -> None:
        if self.brokers not in (1, 3):
            raise Refused(Reason.SETTINGS_INVALID, "A local Kafka has 1 broker or 3.", "brokers")
        if self.brokers > 1 and self.told_port is not None:
            raise Refused(Reason.SETTINGS_INVALID, "Clients of several brokers must reach each of them.", "told_port")
        if self.heap_mb < 128:
            raise Refused(Reason.SETTINGS_INVALID, "Kafka needs at least 128 MB of heap.", "heap_mb")
        ports = [port for node in self.nodes for port in (node.port, node.controller_port)]
        if len(set(ports)) < len(ports) or not all(0 < port < 65536 for port in ports):
            raise Refused(Reason.SETTINGS_INVALID, "Each node needs two ports of its own between 1 and 65535.", "port")

    @property
    def nodes(self) -> tuple[NodePlan, ...]:
        return tuple(
            NodePlan(i + 1, self.port + i, self.controller_port + i, node_folder(self.data_folder, i + 1))
            for i in range(self.brokers)
        )


def node_folder(data_folder: Path, node_id: int) -> Path:
    return data_folder / f"node-{node_id}"


def server_properties(plan: KafkaPlan, node: NodePlan) -> Mapping[str, str]:
    """Kafka's settings for one node, by name. The voters are static (`controller.quorum.voters`): dynamic voters keep
    each other's ports in their log, so three that restart on other ports would not find each other."""
    replicas, in_sync = str(plan.brokers), str(plan.brokers // 2 + 1)
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.node_id),
        "controller.quorum.voters": ",".join(f"{n.node_id}@{HOST}:{n.controller_port}" for n in plan.nodes),
        "listeners": f"CLIENTS://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"CLIENTS://{HOST}:{plan.told_port or node.port}",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": DATA,
        "auto.create.topics.enable": "false",
        "log.message.timestamp.type": "LogAppendTime",
        "message.max.bytes": str(MESSAGE_MAX_BYTES),
        "log.retention.hours": str(TOPIC_RETENTION_DAYS * 24),
        "offsets.retention.minutes": str(OFFSETS_RETENTION_DAYS * 24 * 60),
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": "0",
        # After a kill -9 a broker serves again only when its old registration has expired: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # 128 MB by default, a quarter of our heap
        "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
    }


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(count: int = 1) -> int:
    """The first of `count` neighbouring free ports. It is drawn at random, so that parallel runs rarely collide, and
    from below the range of ephemeral ports, so that the system gives none of them to a client before Kafka binds it."""
    while True:
        first = 20_000 + secrets.randbelow(12_000)
        if all(is_free(first + i) for i in range(count)):
            return first
