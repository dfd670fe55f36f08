"""The flow monitor's service: runs its reader and its lag watcher in supervised threads over one database and one
broker."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from consumers.monitor.collector import monitor_registry
from consumers.monitor.home import CurrentRegister, MonitorHome, accept_register
from consumers.monitor.lag_watcher import LagWatcher
from consumers.monitor.monitor_reader import MonitorReader
from consumers.monitor.queries import created_at
from deploy.app.service.health_http import health_server, serve
from deploy.app.service.service_status import forget_status, write_status
from deploy.app.service.shutdown import end_when_told
from deploy.app.service.supervisor import Supervisor
from deploy.app.service.watchdog import Watchdog
from referral_bus.broker.lag import LagSource
from referral_bus.broker.protocols import Broker
from referral_bus.clock import Clock, system_clock
from referral_bus.errors import BusError, Reason, Refused
from referral_bus.federation.trust import render_signatures
from referral_bus.home import Home, running
from referral_bus.logs import Log
from schemas.events import RegisterVersion

THREADS_END_S = 9.0
REGISTER_EVERY_S = 1.0
STUCK_AFTER_S = 120.0


@dataclass(frozen=True, slots=True)
class Sources:
    """What the monitor reads from."""

    broker: Broker
    lag: LagSource

    def close(self) -> None:
        self.lag.close()
        self.broker.close()


class MonitorService:
    """One running monitor."""

    def __init__(self, home: MonitorHome, sources: Sources, log: Log, clock: Clock = system_clock) -> None:
        self.settings = home.settings()
        self._clock = clock
        self.register = CurrentRegister(home, clock, log)
        self.store = home.open_store(self.settings.federation, clock())
        keep = self.settings.keep
        self._home = home
        self._log = log
        self.reading = MonitorReader(self.store, sources.broker, self.register, clock, keep, log, self._take_register)
        self.watching = LagWatcher(self.store, self.reading, sources.lag, self.register, clock, keep, log)
        self._restarts: Counter[str] = Counter()
        self.registry = monitor_registry(self.store, self.register, clock, self._restarts)
        self.supervisor = Supervisor(log, on_restart=self._restarted)

    def start(self) -> None:
        """Starts the threads of the monitor."""
        every_s = self.settings.look_every_s
        self.supervisor.start("reading", self.reading.run)
        self.supervisor.start("watching", lambda stop, progress: self.watching.run(every_s, stop, progress))
        self.supervisor.start("register", self._follow_register)

    def ready(self) -> dict[str, bool]:
        """For each thing that the service needs, whether it has it; the content of /readyz."""
        parts = {f"thread_{name}": well for name, well in self.supervisor.healthy().items()}
        parts["broker"] = self.reading.kafka_answers
        parts["topics"] = not self.reading.lacking
        parts["register"] = not self.register().expired(self._clock())
        try:
            with self.store.read() as tx:
                created_at(tx)  # fails where the file is missing or damaged
                parts["database"] = True
        except BusError:
            parts["database"] = False
        return parts

    def close(self) -> bool:
        """Lets every thread finish its round; returns whether all did within `THREADS_END_S`."""
        finished = self.supervisor.finish(THREADS_END_S)
        if finished:
            self.store.close()
        return finished

    def _restarted(self, thread: str) -> None:
        self._restarts[thread] += 1

    def _take_register(self, version: RegisterVersion) -> None:
        """Accepts a newer register that came over the bus, if the pinned stewards have signed it; logs any other one as
        an error."""
        if version.version <= self.register().version:
            return
        signatures = render_signatures(version.signatures)
        try:
            accept_register(self._home, version.register_file, signatures, self._clock(), None)
        except BusError as error:
            self._log.error("register_refused", code=error.reason, version=version.version)
            return
        self.register.refresh()

    def _follow_register(self, stop: Event, progress: Callable[[], None]) -> None:
        while not stop.wait(REGISTER_EVERY_S):
            progress()
            self.register.refresh()


@contextmanager
def running_monitor(home: MonitorHome) -> Iterator[None]:
    """Holds the home's lock while the monitor runs. Raises `Refused` while another monitor runs on this home."""
    try:
        with running(Home(home.folder)):
            yield
    except Refused as error:
        if error.reason is not Reason.ALREADY_RUNNING:
            raise
        raise Refused(Reason.ALREADY_RUNNING, "this monitor is running already", "home") from None


def run_monitor(
    home: MonitorHome, connect: Callable[[str], Sources], log: Log, end: Callable[[int], object] = os._exit
) -> bool:
    """Runs the monitor until SIGTERM or Ctrl-C; returns whether everything ended in time. Raises `LedgerUnusable` when
    the database is damaged. `end`: ends the process when a thread hangs."""
    with running_monitor(home):
        forget_status(Home(home.folder))
        sources = connect(home.settings().kafka)
        service = MonitorService(home, sources, log)
        server = health_server(service.settings.http_port, service.ready, service.registry, lambda: None)
        supervisor = service.supervisor
        supervisor.start("watchdog", Watchdog(STUCK_AFTER_S).work(supervisor.rounds, log, end))
        supervisor.start("http", lambda stop, progress: serve(server, stop, progress))
        service.start()
        write_status(Home(home.folder), server.server_port)
        log.info("started", http_port=server.server_port)

        def close() -> bool:
            finished = service.close()
            server.server_close()
            sources.close()
            return finished

        return end_when_told(supervisor, log, end, close)
