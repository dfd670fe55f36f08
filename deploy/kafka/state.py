"""Tells whether a local Kafka runs, by the files that its start has written."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.kafka.failure import why_ended
from deploy.kafka.folder import read_marker, write_whole
from deploy.kafka.plan import HOST, NodePlan, node_folder
from deploy.kafka.process import ProcessId, is_alive
from referral_bus.files import read_bounded
from schemas.bounded_json import SMALL_FILE, load_json

RECORD = "process.json"


@dataclass(frozen=True, slots=True)
class StartedNode:
    """A process that was started; `is_alive` tells whether it still runs."""

    plan: NodePlan
    process: ProcessId
    since: datetime


@dataclass(frozen=True, slots=True)
class RunningKafka:
    """A Kafka of which at least one node runs. `nodes`: those that run; fewer than `brokers` when some have ended."""

    data_folder: Path
    version: str
    brokers: int
    nodes: tuple[StartedNode, ...]

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{node.plan.port}" for node in self.nodes)

    @property
    def since(self) -> datetime:
        return min(node.since for node in self.nodes)


@dataclass(frozen=True, slots=True)
class StoppedKafka:
    """A Kafka that does not run. `version` is None when none was ever started in this folder. `ended`: why it ended,
    unless `stop` ended it."""

    data_folder: Path
    version: str | None
    ended: str | None


def status(data_folder: Path) -> RunningKafka | StoppedKafka:
    """Whether a Kafka runs in a data folder. Raises `Refused` when the folder is not ours."""
    marker = read_marker(data_folder)
    if marker is None:
        return StoppedKafka(data_folder, None, None)
    started = started_nodes(data_folder, marker.brokers)
    alive = tuple(node for node in started if is_alive(node.process))
    if alive:
        return RunningKafka(data_folder, marker.version, marker.brokers, alive)
    return StoppedKafka(data_folder, marker.version, why_ended(started[0].plan).advice if started else None)


def started_nodes(data_folder: Path, brokers: int) -> tuple[StartedNode, ...]:
    """The nodes that were started in a data folder and not stopped by `stop` since."""
    return tuple(_read(data_folder, brokers))


def _read(data_folder: Path, brokers: int) -> Iterator[StartedNode]:
    for node_id in range(1, brokers + 1):
        folder = node_folder(data_folder, node_id)
        try:
            record = load_json(read_bounded(folder / RECORD), SMALL_FILE)
            yield _node(record, node_id, folder)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            continue  # the file is missing or incomplete: the node was stopped, or went down with the machine


def _node(record: Any, node_id: int, folder: Path) -> StartedNode:
    """The node in a document that `remember` wrote. Raises `KeyError`, `TypeError` or `ValueError` for any other
    one."""
    pid, port, controller_port = (record[name] for name in ("pid", "port", "controller_port"))
    if not all(type(number) is int for number in (pid, port, controller_port)) or pid <= 1:
        raise ValueError("no node")  # to kill(2) 0 and -1 mean many processes
    plan = NodePlan(node_id, port, controller_port, folder)
    return StartedNode(plan, ProcessId(pid, record["started"]), datetime.fromisoformat(record["since"]))


def remember(node: NodePlan, process: ProcessId) -> None:
    """Writes down the process that runs a node, its ports and its start time, for a later `status` or `stop`."""
    record = {
        "pid": process.pid,
        "started": process.started,
        "port": node.port,
        "controller_port": node.controller_port,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_whole(node.folder / RECORD, json.dumps(record))


def forget(node: NodePlan) -> None:
    (node.folder / RECORD).unlink(missing_ok=True)
