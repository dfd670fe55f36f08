"""Starts and stops a real Apache Kafka on this machine, reachable from this machine only, and tells its status."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from deploy.kafka import keeper
from deploy.kafka.failure import why_ended
from deploy.kafka.folder import check_space, claimed, locked, read_marker, writing
from deploy.kafka.jars import KAFKA_VERSION, Progress, default_cache, ensure_jars
from deploy.kafka.java import broker_command, check_java, format_storage, write_settings
from deploy.kafka.plan import KafkaPlan, NodePlan, free_port, is_free
from deploy.kafka.ports import remember_ports
from deploy.kafka.probe import serving_brokers
from deploy.kafka.process import end, identify, is_alive, spawn
from deploy.kafka.state import RunningKafka, StoppedKafka, forget, remember, started_nodes, status
from referral_bus.errors import Reason, Refused, Unreachable

__all__ = ["KafkaPlan", "RunningKafka", "StoppedKafka", "free_port", "start", "status", "stop"]

STOP_GRACE_S = 20.0
POLL_S = 0.05


def _cached_jars(progress: Progress) -> Path:
    return ensure_jars(default_cache(), progress)


def start(plan: KafkaPlan, progress: Progress, fetch_jars: Callable[[Progress], Path] = _cached_jars) -> RunningKafka:
    """Starts the brokers of a plan that do not run yet, and returns when every broker serves. A broker that runs
    already keeps its ports. Raises `Refused` or `Unreachable`; then no process that this call started is left
    running."""
    with claimed(plan) as marker:
        before = status(plan.data_folder)
        running: set[int] = set()
        if isinstance(before, RunningKafka):
            plan = _on_the_ports_of(before, plan)
            running = {node.plan.node_id for node in before.nodes}
        missing = [node for node in plan.nodes if node.node_id not in running]
        if missing:
            check_java()
            check_space(plan)
            _check_ports(missing)
            jars = fetch_jars(progress)
            progress(f"Starting Kafka {KAFKA_VERSION} on port {', '.join(str(node.port) for node in missing)} ...")
            _prepare(plan, missing, jars, marker.cluster_id)
            _launch(plan, missing, jars)
            remember_ports(plan)
        else:
            progress(f"Kafka {marker.version} already runs on port {', '.join(str(node.port) for node in plan.nodes)}.")
            _wait_until_serving(plan)  # it may be starting still, or its start was killed before it served
    after = status(plan.data_folder)
    if isinstance(after, StoppedKafka):  # it has ended since it served
        raise why_ended(plan.nodes[0])
    return after


def stop(data_folder: Path, grace_s: float = STOP_GRACE_S) -> bool:
    """Stops the Kafka in a data folder; returns whether one was running. When this returns no process is left and the
    ports are free: a process that does not end within `grace_s` seconds is killed."""
    marker = read_marker(data_folder)
    if marker is None:
        return False
    with locked(data_folder):
        started = started_nodes(data_folder, marker.brokers)
        alive = [node.process for node in started if is_alive(node.process)]
        end(alive, grace_s)
        for node in started:
            forget(node.plan)
    return bool(alive)


def _on_the_ports_of(running: RunningKafka, plan: KafkaPlan) -> KafkaPlan:
    """The plan with the ports of the brokers that run already, so that the missing ones join them."""
    node = running.nodes[0].plan
    return replace(plan, port=node.port - node.node_id + 1, controller_port=node.controller_port - node.node_id + 1)


def _check_ports(nodes: Sequence[NodePlan]) -> None:
    for port in (port for node in nodes for port in (node.port, node.controller_port)):
        if not is_free(port):
            raise Refused(Reason.PORT_TAKEN, f"Port {port} is taken: stop what uses it, or choose another.")


def _prepare(plan: KafkaPlan, nodes: Sequence[NodePlan], jars: Path, cluster_id: str) -> None:
    with writing(plan.data_folder):
        for node in nodes:
            write_settings(plan, node)
    with ThreadPoolExecutor(len(nodes)) as pool:
        for formatted in [pool.submit(format_storage, node, jars, cluster_id) for node in nodes]:
            formatted.result()


def _launch(plan: KafkaPlan, nodes: Sequence[NodePlan], jars: Path) -> None:
    pids: list[int] = []
    try:
        for node in nodes:
            pids.append(spawn(broker_command(plan, jars), node.folder, "console.log"))
            if (process := identify(pids[-1])) is None:
                raise why_ended(node)
            with writing(plan.data_folder):
                remember(node, process)
            if plan.owner_pid is not None:
                _keep(process.pid, plan.owner_pid)
        _wait_until_serving(plan)
    except BaseException:  # also after Ctrl-C
        end([process for pid in pids if (process := identify(pid)) is not None], STOP_GRACE_S)
        for node in nodes:
            forget(node)
        raise


def _keep(pid: int, owner_pid: int) -> None:
    """Starts a keeper process that ends this Kafka when its owner process has ended."""
    handles: list[int] = []
    try:
        handles.extend(map(os.pidfd_open, (owner_pid, pid)))
        spawn([sys.executable, "-IS", keeper.__file__, *map(str, handles)], Path("/"), os.devnull, pass_fds=handles)
    except ProcessLookupError as error:
        raise Unreachable(Reason.KAFKA_FAILED, "Kafka, or the process that it should end with, ended early.") from error
    finally:
        for handle in handles:
            os.close(handle)


def _wait_until_serving(plan: KafkaPlan) -> None:
    deadline = time.monotonic() + plan.ready_within_s
    while time.monotonic() < deadline:
        alive = {node.plan.node_id for node in started_nodes(plan.data_folder, plan.brokers) if is_alive(node.process)}
        for node in plan.nodes:
            if node.node_id not in alive:
                raise why_ended(node)
        if all(serving_brokers(node.port) == plan.brokers for node in plan.nodes):
            return
        time.sleep(POLL_S)
    raise Unreachable(
        Reason.KAFKA_FAILED, f"Kafka did not serve within {plan.ready_within_s:.0f} s (logs in {plan.data_folder})."
    )
