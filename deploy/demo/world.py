"""Builds what the demonstration runs on: a local Kafka, agencies' homes with new keys, and their services as
processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from consumers.monitor.home import MonitorHome
from deploy.app.agency_client import AgencyClient, open_client
from deploy.app.service.service_status import read_status, service_pid
from deploy.demo.federation import agency_key
from deploy.demo.monitored import make_monitor
from deploy.demo.narrator import wait_for
from deploy.demo.stewards import FEDERATION, DemoStewards
from deploy.kafka.local import KafkaPlan, RunningKafka, free_port, start, status, stop
from deploy.kafka.plan import HOST
from deploy.provision.register_topic import publish_register
from deploy.provision.topic_changes import apply, difference
from deploy.provision.topics import wanted_topics
from referral_bus.broker.kafka import Connection, KafkaBroker, KafkaTopicAdmin
from referral_bus.clock import system_clock
from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.federation.register import Register, parse_register
from referral_bus.federation.trust import parse_signatures
from referral_bus.home import Home, accept_register, create_home, known_services
from referral_bus.settings import Settings

MONITOR = "monitor"
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 12.0
CLERK = "deploy.demo.clerk:clerk"

Say = Callable[[str], None]


@dataclass
class World:
    """A running federation. `clients`: by agency code, the clients with which the demonstration's people work beside
    the running services."""

    folder: Path
    kafka: KafkaPlan
    register: Register
    clients: dict[str, AgencyClient]
    stewards: DemoStewards
    monitor: MonitorHome
    services: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        return _bootstrap(self.kafka)

    def start_services(self, codes: Sequence[str]) -> None:
        for code in codes:
            self._start(code, "agency")

    def start_monitor(self) -> None:
        self._start(MONITOR, "monitor")

    def _start(self, name: str, kind: str) -> None:
        command = [sys.executable, "-m", "deploy.app", kind, "run", "--home", str(self.home(name))]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.services[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def home(self, code: str) -> Path:
        return self.folder / code

    def wait_until_ready(self, codes: Sequence[str]) -> None:
        """Waits until these agencies' services are ready. Raises `Unreachable` when one ends or is not ready in
        time."""
        deadline = time.monotonic() + READY_WITHIN_S
        for code in codes:
            while not read_status(Home(self.home(code))).ready:
                if self.services[code].poll() is not None or time.monotonic() > deadline:
                    raise Unreachable(Reason.KAFKA_FAILED, "an agency's service did not become ready", code)
                time.sleep(0.05)

    def stop_service(self, code: str) -> None:
        self._stop([self.services.pop(code)])

    def kill_service(self, code: str) -> None:
        """Ends a service with SIGKILL, so that it can finish nothing."""
        service = self.services.pop(code)
        os.killpg(service.pid, signal.SIGKILL)
        service.wait()

    def kill_kafka(self) -> None:
        """Ends all brokers with SIGKILL, and returns when none of their processes is left."""
        running = status(self.kafka.data_folder)
        if isinstance(running, RunningKafka):
            for node in running.nodes:
                os.kill(node.process.pid, signal.SIGKILL)
        stop(self.kafka.data_folder)

    def wipe_kafka(self, say: Say) -> None:
        """Deletes all data of the stopped Kafka, starts it again empty, and makes the topics of the register, as
        `register apply` does."""
        shutil.rmtree(self.kafka.data_folder)
        start(self.kafka, say)
        self.make_topics()

    def make_topics(self) -> None:
        """Makes the topics of the register that do not exist yet."""
        admin = KafkaTopicAdmin(Connection(self.bootstrap, "referral-bus-demo"))
        try:
            prefix = self.register.content.cluster.topic_prefix
            apply(difference(wanted_topics(self.register), admin.live_topics(), prefix), admin)
        finally:
            admin.close()

    def stop_services(self) -> None:
        """Sends SIGTERM to all services, then SIGKILL to the process group of each that has not ended in time."""
        self._stop(list(self.services.values()))

    def close_agency(self, code: str, successor: str) -> None:
        """Has the stewards sign a new version of the register, in which an agency takes no new referrals, and send it
        to all agencies."""
        register = self.stewards.closed(self.register, code, successor, system_clock())
        broker = KafkaBroker(self.bootstrap, "referral-bus-stewards")
        try:
            parsed = parse_register(register.register, known_services())
            signatures = parse_signatures(register.signatures)
            publish_register(broker, parsed, register.register, signatures, self.stewards.first)
        finally:
            broker.close()
        self.register = parsed

    @staticmethod
    def _stop(services: Sequence[subprocess.Popen[bytes]]) -> None:
        for service in services:
            service.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        for service in services:
            try:
                service.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(service.pid, signal.SIGKILL)
                service.wait()


@contextmanager
def world(codes: Sequence[str], say: Say, keep: bool = False) -> Iterator[World]:
    """Builds the world and removes it again: processes, ports and files. With `keep` it stays and keeps running if the
    wrapped code raises nothing; `tear_down` then ends it."""
    folder = Path(tempfile.mkdtemp(prefix="referral-bus-demo-"))
    built: World | None = None
    kept = False
    try:
        plan = KafkaPlan(folder / "kafka", free_port(), free_port(), owner_pid=None if keep else os.getpid())
        say(f"Making keys for {len(codes)} agencies and their stewards, and meanwhile:")
        with ThreadPoolExecutor(1) as pool:
            building = pool.submit(_build, folder, plan, codes)
            start(plan, say)
            built = building.result()
        say("Kafka is there. Making the topics of the register.")
        built.make_topics()
        yield built
        kept = keep
    finally:
        if built is not None:
            for client in built.clients.values():
                client.close()
        if not kept:
            if built is not None:
                built.stop_services()
            stop(folder / "kafka", grace_s=10.0)
            shutil.rmtree(folder, ignore_errors=True)


def tear_down(folder: Path) -> None:
    """Ends the processes of a demonstration that was kept, and removes its folder. Raises `Refused` for another
    folder."""
    if not (folder / "kafka").is_dir() or not folder.name.startswith("referral-bus-demo-"):
        raise Refused(Reason.DATA_FOLDER_INVALID, "this is no folder of a demonstration that was kept", "folder")
    for written in folder.glob("*/run.json"):
        home = Home(written.parent)
        if read_status(home).running:
            pid = service_pid(home)
            if pid is None:
                raise Refused(Reason.HOME_INVALID, "this file is damaged; end the service yourself", written.name)
            os.kill(pid, signal.SIGTERM)
            wait_for(partial(_stopped, home), STOP_WITHIN_S)
    stop(folder / "kafka", grace_s=10.0)
    shutil.rmtree(folder, ignore_errors=True)


def _stopped(home: Home) -> bool:
    return not read_status(home).running


def _build(folder: Path, kafka: KafkaPlan, codes: Sequence[str]) -> World:
    """Makes everything that needs no running Kafka: homes, keys, the register, the monitor's home."""
    now, bootstrap = system_clock(), _bootstrap(kafka)
    homes = {code: create_home(folder / code, _settings(code, bootstrap), now) for code in codes}
    signing = {code: home.keyring(now).signing for code, home in homes.items()}
    keys = {code: agency_key(FEDERATION, code, key) for code, key in signing.items()}
    stewards = DemoStewards()
    files = stewards.first_register(keys)
    register = parse_register(files.register, known_services())
    for home in homes.values():
        accept_register(home, files.register, files.signatures, now, register.sha256)
    monitor = make_monitor(folder / MONITOR, FEDERATION, bootstrap, files, register)
    return World(folder, kafka, register, {code: open_client(folder / code) for code in codes}, stewards, monitor)


def _bootstrap(kafka: KafkaPlan) -> str:
    return f"{HOST}:{kafka.port}"


def _settings(code: str, bootstrap: str) -> Settings:
    return Settings(
        agency=code,
        federation=FEDERATION,
        kafka=bootstrap,
        handler=CLERK,
        resend_after_s=5,
        announce_every_s=10,
        http_port=0,
    )
