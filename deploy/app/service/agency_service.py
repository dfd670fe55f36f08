"""An agency's service: runs relay, ingest, announcer, keeper and hand-over, each in a supervised thread, over one
ledger and one broker. This module is the only one that puts them together.
"""

import os
import time
from collections.abc import Callable
from importlib.metadata import version
from threading import Event
from uuid import uuid4

from consumers.agency.announcer import next_announcement
from consumers.agency.handover import Endpoint, Handover
from consumers.agency.ingest import Ingest
from consumers.agency.maintenance import Keeper
from deploy.app.agency_client import AgencyClient
from deploy.app.backups import forget_broken_off
from deploy.app.service.gauges import refresh_gauges
from deploy.app.service.handover_endpoint import load_endpoint
from deploy.app.service.health_http import health_server, serve
from deploy.app.service.own_announcements import announced_before
from deploy.app.service.service_status import forget_status, write_status
from deploy.app.service.shutdown import end_when_told
from deploy.app.service.supervisor import Supervisor
from deploy.app.service.watchdog import Watchdog
from producers.relay import Relay
from referral_bus.broker.protocols import Broker, ReaderBroken
from referral_bus.errors import BusError, Reason, Refused, Unreachable
from referral_bus.federation.trust import render_signatures
from referral_bus.home import check_own_key, running
from referral_bus.ledger.audit import SERVICE
from referral_bus.ledger.handovers import Retries
from referral_bus.ledger.own_agency import own_incarnation
from referral_bus.ledger.store import Changes
from referral_bus.logs import Log, Seldom
from referral_bus.metrics import ServiceMetrics
from schemas.events import RegisterVersion

TOLD_AFTER_S = 3.0  # a longer wait for our own announcements is logged
THREADS_END_S = 9.0  # a Kafka that does not answer keeps a reader from ending for so long


class Service:
    """The running service of one agency."""

    def __init__(self, client: AgencyClient, broker: Broker, log: Log) -> None:
        self.client = client
        self.log = log
        self.metrics = ServiceMetrics()
        self.metrics.set("build_info", 1, version("referral-bus"), client.settings.agency)
        self.supervisor = Supervisor(log, self._progress, self.metrics.thread_restarted)
        self._broker = broker
        self._looked_back = False  # whether our own announcements have been read; nothing is sent before
        self._seldom = Seldom(time.monotonic)
        check_own_key(client.register, client.keyring, client.settings.agency, client.clock())
        ledger, settings = client.ledger, client.settings
        self.changes = Changes(ledger.path)
        self.relay = Relay(
            ledger,
            broker,
            lambda: client.register,
            client.keyring.signing,
            client.clock,
            uuid4,
            settings.resend_after,
            self.metrics,
            log,
            lambda: client.rollback_guard.keep_up(ledger),
        )
        self.keeper = Keeper(ledger, settings.retention, lambda: client.writing(SERVICE), log, client.witnesses)
        self.ingest = Ingest(
            ledger,
            broker,
            lambda: client.register,
            lambda key_id: client.keyring.find_sealing(key_id),
            client.clock,
            uuid4,
            self.metrics,
            log,
            self._take_register,
            settings.dead_letters_kept,
        )
        endpoint = load_endpoint(client)
        self.handover = None if endpoint is None else self._make_handover(endpoint)

    def start(self, end: Callable[[int], object]) -> None:
        """Starts all threads. `end`: ends the process with an exit code; called when a thread hangs."""
        watchdog = Watchdog(self.client.settings.stuck_after_s)
        self.supervisor.start("watchdog", watchdog.work(self.supervisor.rounds, self.log, end))
        self.supervisor.start("changes", self.changes.run)
        self.supervisor.start("ingest", self.ingest.run)
        self.supervisor.start("announcer", self._announce)
        self.supervisor.start("keeper", self.keeper.run)
        self.supervisor.start("relay", self._relay)
        if self.handover is not None:
            self.supervisor.start("handover", self._hand_over)

    def ready(self) -> dict[str, bool]:
        """For each thing that the service needs, whether it has it; the content of /readyz."""
        parts = {f"thread_{name}": well for name, well in self.supervisor.healthy().items()}
        parts["broker"] = self.ingest.reading
        parts["own_announcements"] = self._looked_back
        parts["home"] = self.client.rollback_guard.writable
        parts["register"] = not self.client.register.expired(self.client.clock())
        try:
            with self.client.ledger.read() as tx:
                parts["ledger"] = own_incarnation(tx) > 0 and self.client.ledger.writable
        except BusError:
            parts["ledger"] = False
        return parts

    def close(self) -> bool:
        """Lets every thread finish its round; returns whether all did within `THREADS_END_S`."""
        finished = self.supervisor.finish(THREADS_END_S)
        self.relay.close()
        return finished

    def _ticks(self, tick: Callable[[], float], stop: Event, progress: Callable[[], None]) -> None:
        seen = 0
        while not stop.is_set():
            progress()
            wait_s = tick()
            seen = self.changes.wait(seen, wait_s)

    def _relay(self, stop: Event, progress: Callable[[], None]) -> None:
        """The relay's thread. Sends nothing before our own announcements in Kafka were read, so that a ledger which is
        behind them sends nothing."""
        try:
            if not self._looked_back:
                self._look_back(stop, progress)
                self._looked_back = True
            self._ticks(self.relay.tick, stop, progress)
        finally:
            if stop.is_set():  # else it is started again once the ledger answers
                self.relay.close()

    def _look_back(self, stop: Event, progress: Callable[[], None]) -> None:
        client = self.client
        now, code, began = client.clock(), client.settings.agency, time.monotonic()

        def waiting() -> None:
            progress()
            if time.monotonic() - began > TOLD_AFTER_S and self._seldom("look_back"):
                self.log.warning("waiting", thread="relay", code="OWN_ANNOUNCEMENTS")

        try:
            announced = announced_before(self._broker, client.register, code, now, stop, waiting)
        except ReaderBroken:
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "our own announcements cannot be read yet") from None
        client.rollback_guard.heard(client.ledger, announced, client.own_key_counts)

    def _make_handover(self, endpoint: Endpoint) -> Handover:
        settings = self.client.settings
        return Handover(
            self.client.ledger,
            endpoint,
            lambda: self.client.writing(SERVICE),
            Retries(settings.handover_attempts, settings.handover_retry),
            settings.handover_workers,
            self.metrics,
            self.log,
        )

    def _hand_over(self, stop: Event, progress: Callable[[], None]) -> None:
        """The hand-over's thread. While the ledger does not answer, handlers keep working; the thread collects their
        answers when it is started again."""
        if self.handover is not None:
            self._ticks(self.handover.tick, stop, progress)
            self.handover.close()

    def _announce(self, stop: Event, progress: Callable[[], None]) -> None:
        """The announcer's thread: queues an announcement at once, and then every `announce_every_s` seconds."""
        due = 0.0
        while not stop.is_set():
            progress()
            if time.monotonic() >= due:
                due = time.monotonic() + self.client.settings.announce_every_s
                self._announce_once()
            stop.wait(0.2)

    def _announce_once(self) -> None:
        """Renews the keys by the present clock and queues an announcement with them."""
        client, destroyed = self.client, self.client.renew_keys()
        if destroyed:
            self.log.info("sealing_keys_destroyed", epochs=destroyed)
        now = client.clock()
        keys = client.keyring.announced(now)
        self.metrics.set("sealing_key_expiry_timestamp_seconds", keys[-1].valid_until.timestamp())
        limits, software = client.settings.limits, version("referral-bus")
        self.relay.announce(next_announcement(client.ledger, client.register, keys, now, software, limits))
        self.changes.notify()

    def _take_register(self, version: RegisterVersion) -> None:
        """Accepts a newer register that came over the bus, if the pinned stewards have signed it; logs any other one as
        an error."""
        if version.version <= self.client.register.version:
            return
        try:
            self.client.take_register(version.register_file, render_signatures(version.signatures))
        except Refused as error:
            self.log.error("register_refused", code=error.reason, version=version.version)
            return
        self.log.info("register_taken", version=version.version)
        self.changes.notify()

    def _progress(self, thread: str) -> None:
        self.metrics.set("thread_last_progress_timestamp_seconds", time.time(), thread)


def run_service(
    client: AgencyClient, make_broker: Callable[[str], Broker], log: Log, end: Callable[[int], object] = os._exit
) -> bool:
    """Runs the service until SIGTERM or Ctrl-C; returns whether everything ended in time. Raises `LedgerUnusable` when
    the ledger cannot be used, `Refused` while another service runs on this home. `end`: ends the process when a thread
    hangs."""
    with running(client.home):
        forget_status(client.home)
        forget_broken_off(client.home)
        client.ledger.check()
        broker = make_broker(client.settings.kafka)
        service = Service(client, broker, log)
        server = health_server(
            client.settings.http_port,
            service.ready,
            service.metrics.registry,
            lambda: refresh_gauges(client, service.metrics),
        )
        supervisor = service.supervisor
        supervisor.start("http", lambda stop, progress: serve(server, stop, progress))
        service.start(end)
        write_status(client.home, server.server_port)
        log.info("started", http_port=server.server_port)

        def close() -> bool:
            finished = service.close()
            server.server_close()
            broker.close()
            client.close()
            return finished

        return end_when_told(supervisor, log, end, close)
