"""The monitor's metrics for Prometheus, read from the database at each scrape."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import product
from types import MappingProxyType

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.monitor import queries
from consumers.monitor.counters import BUCKET, INFINITE, SUM, CounterName, Labels
from consumers.monitor.metrics import BUCKETS_S, MONITOR_METRICS, PREFIX
from consumers.monitor.progress import complete_at, read_counters
from consumers.monitor.stages import STAGES
from consumers.monitor.store import Store
from consumers.monitor.unseen_overdue import overdue_unseen
from referral_bus.clock import Clock
from referral_bus.federation.register import Register
from referral_bus.metrics import MetricRule

Restarts = Mapping[str, int]
Samples = Mapping[Labels, float]
_COUNT = "_total"


class MonitorCollector(Collector):
    """Reads one consistent view of the database for each scrape."""

    def __init__(self, store: Store, register: Callable[[], Register], clock: Clock, restarts: Restarts) -> None:
        self._store = store
        self._register = register
        self._clock = clock
        self._restarts = restarts

    def collect(self) -> Iterable[Metric]:
        register, now = self._register(), self._clock()
        with self._store.read() as tx:
            counters = {name: counted.value for name, counted in read_counters(tx).items()}
            gauges = _referrals(queries.open_counts(tx, now), register)
            gauges["overdue_unseen"] = {(code,): number for code, number in overdue_unseen(tx, now).items()}
            gauges |= _agencies(queries.announced(tx), register) | _lags(queries.lag_rows(tx))
            gauges["dead_letters_waiting"] = queries.dead_letters(tx)
            complete = complete_at(tx)
        gauges["monitor_position_timestamp_seconds"] = {(): complete.timestamp() if complete else 0}
        gauges["register_expiry_timestamp_seconds"] = {(): register.content.expires_at.timestamp()}
        gauges["build_info"] = {(version("referral-bus"),): 1}
        counters |= {("thread_restarts_total", (thread,)): number for thread, number in self._restarts.items()}
        for rule in MONITOR_METRICS:
            yield _family(rule, counters, gauges)


def monitor_registry(
    store: Store, register: Callable[[], Register], clock: Clock, restarts: Restarts = MappingProxyType({})
) -> CollectorRegistry:
    """A registry of the monitor's metrics. `restarts`: how often each thread was started again; read at each scrape."""
    registry = CollectorRegistry()
    registry.register(MonitorCollector(store, register, clock, restarts))
    return registry


def _family(rule: MetricRule, counters: Mapping[CounterName, float], gauges: Mapping[str, Samples]) -> Metric:
    name = PREFIX + rule.name
    if rule.kind == "gauge":
        gauge = GaugeMetricFamily(name, rule.meaning, labels=rule.labels)
        for labels, value in gauges[rule.name].items():
            gauge.add_metric(labels, value)
        return gauge
    if rule.kind == "counter":
        counter = CounterMetricFamily(name.removesuffix(_COUNT), rule.meaning, labels=rule.labels)
        for (metric, labels), value in counters.items():
            if metric == rule.name:
                counter.add_metric(labels, value)
        return counter
    histogram = HistogramMetricFamily(name, rule.meaning, labels=rule.labels)
    for (metric, labels), value in counters.items():
        if metric == rule.name + SUM:
            histogram.add_metric(labels, list(_cumulated(rule.name, labels, counters)), value)
    return histogram


def _cumulated(metric: str, labels: Labels, counters: Mapping[CounterName, float]) -> Iterator[tuple[str, float]]:
    so_far = 0.0
    for bound in (*map(str, BUCKETS_S), INFINITE):
        so_far += counters.get((metric + BUCKET, (*labels, bound)), 0.0)
        yield (bound if bound == INFINITE else str(float(bound))), so_far


def _referrals(found: Iterable[queries.OpenCount], register: Register) -> dict[str, Samples]:
    """Open and overdue referrals by agency and stage. Zero where nothing is open, so that an alert can tell that from a
    series that has vanished. An agency that has left the register stays as long as it has open referrals."""
    here = [agency.code for agency in register.content.agencies if register.has_inbox(agency.code)]
    number: dict[Labels, float] = {(code, stage.value): 0 for code, stage in product(here, STAGES)}
    late = dict(number)
    for count in found:
        number[count.recipient, count.stage.value] = count.number
        late[count.recipient, count.stage.value] = count.overdue
    return {"referrals_open": number, "referrals_overdue": late}


def _agencies(found: Mapping[str, queries.Announced], register: Register) -> dict[str, Samples]:
    here = [agency for agency in register.content.agencies if register.has_inbox(agency.code)]
    return {
        "agency_expected": {(agency.code,): float(agency.connection == "always") for agency in here},
        "agency_heartbeat_timestamp_seconds": {
            (agency.code,): found[agency.code].heard_at.timestamp() for agency in here if agency.code in found
        },
    }


def _lags(found: Iterable[queries.LagRow]) -> dict[str, Samples]:
    rows = list(found)
    return {
        "consumer_lag_records": {(row.group, row.topic): row.records for row in rows},
        "consumer_lag_seconds": {(row.group, row.topic): row.seconds for row in rows if row.seconds is not None},
        "consumer_committed_offset_sum": {(row.group, row.topic): row.committed for row in rows},
    }
