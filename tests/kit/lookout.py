"""A flow monitor beside the agencies on the bench: the real reading, watching and database over the memory broker."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from consumers.monitor.collector import monitor_registry
from consumers.monitor.lag_watcher import LagWatcher
from consumers.monitor.monitor_reader import MonitorReader
from consumers.monitor.needs import Need
from consumers.monitor.overview import Overview, overview
from consumers.monitor.queries import FlowRow, flow_table
from consumers.monitor.store import Store, open_store
from referral_bus.broker.lag import MemoryLag
from referral_bus.broker.protocols import ReaderBroken
from referral_bus.federation.register import Register
from referral_bus.logs import make_log
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import write
from schemas.events import DeadLetterNotice
from tests.kit.bench import Bench, LogLines, SetClock, bench

KEEP = timedelta(days=90)
HEARTBEAT = timedelta(minutes=1)


class Lookout:
    """The monitor. Its clock is its own: a test may put it wrong."""

    def __init__(self, made: Bench, path: Path) -> None:
        self.bench = made
        self.path = path
        self.clock = SetClock(made.clock())
        self.own_register: Register | None = None
        self.log_lines = LogLines()
        self.store = self._opened()
        self.start()

    def register(self) -> Register:
        return self.own_register or self.bench.register

    def start(self) -> None:
        """As after a restart: nothing is left but the database."""
        log = make_log(self.log_lines)
        broker = self.bench.broker
        self.reading = MonitorReader(self.store, broker, self.register, self.clock, KEEP, log)
        self.reader = self.reading.reader()
        self.reading.assign(self.reader)
        self.watching = LagWatcher(self.store, self.reading, MemoryLag(broker), self.register, self.clock, KEEP, log)

    def lose_database(self) -> None:
        self.store.close()
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink()
        self.store = self._opened()
        self.start()

    def read(self) -> None:
        """Everything that is there to read, and then how far others are."""
        try:
            while batch := self.reader.poll(0, 7):  # an odd number, so that batches end anywhere
                self.reader.commit(self.reading.take(batch))
        except ReaderBroken:
            self.reader = self.reading.reader()
            self.reading.assign(self.reader)
            self.read()
        self.watching.look()

    def hear(self, *records: RawRecord) -> None:
        """These come over the broker."""
        sender = self.bench.broker.sender()
        for record in records:
            sender.send(record)
        self.read()

    def samples(self) -> dict[str, float]:
        """What /metrics shows, as `name{label="value"}`, names without their common beginning, zeros left out."""
        registry = monitor_registry(self.store, self.register, self.clock)
        found = {}
        for family in text_string_to_metric_families(generate_latest(registry).decode()):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                name = sample.name.removeprefix("referralbus_")
                found[f"{name}{{{labels}}}" if labels else name] = sample.value
        return {name: value for name, value in found.items() if value}

    def total(self, metric: str, **labels: str) -> float:
        """The sum over all series of a metric that have these labels."""
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        return sum(
            value
            for name, value in self.samples().items()
            if name.split("{")[0] == metric and all(label in name for label in wanted)
        )

    def open(self, recipient: str) -> dict[str, int]:
        """Open referrals by stage."""
        stages = {}
        for name, value in self.samples().items():
            if name.startswith('referrals_open{stage="') and f'target_agency="{recipient}"' in name:
                stages[name.split('"')[1]] = int(value)
        return stages

    def overdue(self, recipient: str) -> dict[str, int]:
        return {
            name.split('"')[1]: int(value)
            for name, value in self.samples().items()
            if name.startswith("referrals_overdue{") and f'target_agency="{recipient}"' in name
        }

    def overview(self) -> Overview:
        with self.store.read() as tx:
            return overview(tx, self.register(), self.clock(), HEARTBEAT)

    def needs(self) -> list[tuple[str, str | None, str]]:
        return [(str(need.kind), need.agency, need.what) for need in self.overview().needs]

    def need(self, kind: str) -> list[Need]:
        return [need for need in self.overview().needs if need.kind == kind]

    def flows(self) -> list[FlowRow]:
        with self.store.read() as tx:
            return flow_table(tx, self.clock())

    def close(self) -> None:
        self.store.close()

    def _opened(self) -> Store:
        return open_store(self.path, "test-federation", self.clock())


@contextmanager
def lookout(folder: Path, *codes: str) -> Iterator[tuple[Bench, Lookout]]:
    """Agencies that know each other's keys, and a monitor that has read everything so far."""
    with bench(folder, *codes) as made:
        watcher = Lookout(made, folder / "monitor.sqlite")
        try:
            watcher.read()
            yield made, watcher
        finally:
            watcher.close()


def read_on(made: Bench, watcher: Lookout, span: timedelta) -> None:
    """Time passes in which the monitor reads all the while."""
    step = timedelta(minutes=1)
    later(made, watcher, span - span % step)
    watcher.read()
    for _ in range(5):
        later(made, watcher, step)
        watcher.read()


def later(made: Bench, watcher: Lookout, span: timedelta) -> None:
    """Time passes for everybody."""
    made.clock.move(span)
    watcher.clock.move(span)


def a_notice(bench: Bench, agency: str, **changes: object) -> RawRecord:
    notice = DeadLetterNotice(
        notice_id=uuid4(),
        agency=agency,
        issued_at=bench.clock(),
        code="CODE_UNKNOWN",
        path=None,
        event_id=None,
        topic="referral.inbox.public-health.v1",
        partition=0,
        offset=1,
        schema_fingerprint=None,
        count=1,
    ).model_copy(update=changes)
    key = bench.generated.agency_keys[agency]
    return write(notice, bench.register.notices, bench.register.federation, key)
