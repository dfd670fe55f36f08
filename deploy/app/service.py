"""An agency's service: relay, ingest, announcer and hand-over, each a supervised thread over one ledger and one broker.

This is the one place where the parts are put together.
"""

import importlib
import signal
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from threading import Event
from uuid import uuid4

from consumers.agency.announcer import next_announcement
from consumers.agency.handover import Handler, Handover
from consumers.agency.ingest import Ingest
from deploy.app.desk import Desk
from deploy.app.gauges import refresh_gauges
from deploy.app.http import health_server
from deploy.app.status import forget_status, write_status
from deploy.app.supervisor import Supervisor
from producers.relay import Relay
from referral_bus.broker.protocols import Broker
from referral_bus.errors import BusError, Reason, Refused
from referral_bus.federation.trust import render_signatures
from referral_bus.home import check_own_key, running
from referral_bus.ledger.sending import own_incarnation
from referral_bus.ledger.store import Changes
from referral_bus.logs import Log
from referral_bus.metrics import ServiceMetrics
from schemas.events import RegisterVersion

DRAIN_S = 10.0
KEYS_EVERY_S = 3600.0  # a new epoch's keys are made at most this late, and two epochs ahead


class Service:
    """One running agency."""

    def __init__(self, desk: Desk, broker: Broker, log: Log) -> None:
        self.desk = desk
        self.log = log
        self.metrics = ServiceMetrics()
        self.metrics.set("build_info", 1, version("referral-bus"))
        self.supervisor = Supervisor(log, self._progress)
        self._keyring = desk.keyring
        check_own_key(desk.register, self._keyring, desk.settings.agency, desk.clock())
        ledger, settings = desk.ledger, desk.settings
        self.changes = Changes(ledger.path)
        self.relay = Relay(
            ledger,
            broker,
            lambda: desk.register,
            self._keyring.signing,
            desk.clock,
            uuid4,
            settings.resend_after,
            self.metrics,
            log,
        )
        self.ingest = Ingest(
            ledger,
            broker,
            lambda: desk.register,
            lambda key_id: self._keyring.find_sealing(key_id),
            desk.clock,
            uuid4,
            self.metrics,
            log,
            self._take_register,
        )
        self._handler = load_handler(desk) if settings.consumer else None

    def start(self) -> None:
        self.supervisor.start("changes", self.changes.run)
        self.supervisor.start("ingest", self.ingest.run)
        self.supervisor.start("announcer", self._announce)
        self.supervisor.start("relay", lambda stop, progress: self._ticks(self.relay.tick, stop, progress))
        if self._handler is not None:
            self.supervisor.start("handover", self._hand_over)

    def ready(self) -> dict[str, bool]:
        """What the service needs in order to work, part by part."""
        parts = {f"thread_{name}": well for name, well in self.supervisor.healthy().items()}
        parts["broker"] = self.ingest.reading
        parts["register"] = not self.desk.register.expired(self.desk.clock())
        try:
            with self.desk.ledger.read() as tx:
                parts["ledger"] = own_incarnation(tx) > 0
        except BusError:
            parts["ledger"] = False
        return parts

    def close(self) -> bool:
        """Lets every thread finish its round; tells whether all did in time."""
        finished = self.supervisor.finish(DRAIN_S)
        self.relay.close()
        return finished

    def _ticks(self, tick: Callable[[], float], stop: Event, progress: Callable[[], None]) -> None:
        seen = 0
        while not stop.is_set():
            progress()
            wait_s = tick()
            seen = self.changes.wait(seen, wait_s)

    def _hand_over(self, stop: Event, progress: Callable[[], None]) -> None:
        if self._handler is None:
            return
        settings = self.desk.settings
        handover = Handover(
            self.desk.ledger,
            self._handler,
            self.desk.clock,
            settings.handover_retry,
            settings.handover_workers,
            self.log,
        )
        try:
            self._ticks(handover.tick, stop, progress)
        finally:
            handover.close()

    def _announce(self, stop: Event, progress: Callable[[], None]) -> None:
        """Tells the others how to seal to us, at once and then at every interval."""
        due, keys_due = 0.0, 0.0
        while not stop.is_set():
            progress()
            now = time.monotonic()
            if now >= keys_due:
                self._keyring = self.desk.home.keyring(self.desk.clock())
                keys_due = now + KEYS_EVERY_S
            if now >= due:
                due = now + self.desk.settings.announce_every_s
                moment = self.desk.clock()
                keys = self._keyring.announced(moment)
                self.metrics.set("sealing_key_expiry_timestamp_seconds", keys[-1].valid_until.timestamp())
                announcement = next_announcement(
                    self.desk.ledger, self.desk.register, keys, moment, version("referral-bus")
                )
                self.relay.announce(announcement)
                self.changes.notify()
            stop.wait(0.2)

    def _take_register(self, version: RegisterVersion) -> None:
        """A newer register that its stewards have signed is worked by from now on; any other is an alarm."""
        if version.version <= self.desk.register.version:
            return
        try:
            self.desk.take_register(version.register_file, render_signatures(version.signatures))
        except Refused as error:
            self.log.error("register_refused", code=error.reason, version=version.version)
            return
        self.log.info("register_taken", version=version.version)
        self.changes.notify()

    def _progress(self, thread: str) -> None:
        self.metrics.set("thread_last_progress_timestamp_seconds", time.time(), thread)


def load_handler(desk: Desk) -> Handler | None:
    """The agency's own handler: `module:factory` of the settings, called once with the desk."""
    name = desk.settings.handler
    if name is None:
        return None
    module, _, factory = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError):
        advice = "there is no such Python function, or a module that it needs"
        raise Refused(Reason.SETTINGS_INVALID, advice, "handler") from None
    made: Handler = make(desk)
    return made


def run_service(desk: Desk, make_broker: Callable[[str], Broker], log: Log) -> bool:
    """Runs until SIGTERM or Ctrl-C; tells whether everything ended in time."""
    stop = threading.Event()
    with running(desk.home):
        forget_status(desk.home)
        broker = make_broker(desk.settings.kafka)
        service = Service(desk, broker, log)
        server = health_server(
            desk.settings.http_port,
            service.ready,
            service.metrics.registry,
            lambda: refresh_gauges(desk, service.metrics),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
        service.start()
        write_status(desk.home, server.server_port)
        log.info("started", http_port=server.server_port)
        stop.wait()
        finished = service.close()
        server.shutdown()
        broker.close()
        desk.close()
        log.info("stopped", in_time=finished)
    return finished
