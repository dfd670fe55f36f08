"""All metrics of an agency's service: name, type, labels and meaning. No label names a person or holds an id."""

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics


@dataclass(frozen=True, slots=True)
class MetricRule:
    """One metric as `/metrics` exposes it after `PREFIX`; the name of a counter ends in `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


AGENCY_METRICS: tuple[MetricRule, ...] = (
    MetricRule("produced_events_total", "counter", ("event_type",), "Records of this kind handed to the broker."),
    MetricRule("produce_failures_total", "counter", ("reason",), "Records that the broker did not take."),
    MetricRule("consumed_events_total", "counter", ("event_type",), "Authentic records read."),
    MetricRule("duplicate_events_total", "counter", ("event_type",), "Events that were known already."),
    MetricRule("process_failures_total", "counter", ("event_type", "reason"), "Records that were not stored, by code."),
    MetricRule("dead_letters_total", "counter", ("reason",), "Records that could not be taken in or handed over."),
    MetricRule("dead_letters_dropped_total", "counter", (), "Refused dead letters evicted for newer ones."),
    MetricRule("send_failures", "gauge", ("reason",), "Events and receipts that Kafka did not take at the last try."),
    MetricRule("outbox_events", "gauge", (), "Events of ours without a final receipt."),
    MetricRule("outbox_oldest_timestamp_seconds", "gauge", (), "When the oldest was written; 0: none."),
    MetricRule("receipts_outstanding", "gauge", (), "Receipts that the service has still to send."),
    MetricRule(
        "handover_oldest_timestamp_seconds", "gauge", (), "When the oldest event not handed over was stored; 0: none."
    ),
    MetricRule("handovers_blocked", "gauge", (), "Referrals that wait because our own system fails on an event."),
    MetricRule("referrals_open", "gauge", ("side", "stage"), "Referrals that are not ended, by this agency's side."),
    MetricRule("referrals_overdue", "gauge", ("side", "stage"), "Referrals that are not ended and past a deadline."),
    MetricRule("erasures_unconfirmed", "gauge", (), "Erasures that an agency's own system has not acknowledged."),
    MetricRule("erasures_other_side_left", "gauge", (), "Erasures that only an agency that has left could confirm."),
    MetricRule("erasures_overdue", "gauge", (), "Unconfirmed erasures that are past their limit."),
    MetricRule("ledger_log_bytes", "gauge", (), "The ledger's write-ahead log; over 8 MiB: a reader holds it up."),
    MetricRule("register_expiry_timestamp_seconds", "gauge", (), "When our register expires."),
    MetricRule("sealing_key_expiry_timestamp_seconds", "gauge", (), "When the last sealing key we announced expires."),
    MetricRule(
        "thread_last_progress_timestamp_seconds", "gauge", ("thread",), "When a thread last ended a round of its work."
    ),
    MetricRule("thread_restarts_total", "counter", ("thread",), "How often a failed thread was started again."),
    MetricRule("build_info", "gauge", ("version", "agency"), "1; labels: the version, and the agency of the service."),
)
PREFIX = "referralbus_"


class ServiceMetrics:
    """The metrics of one agency's service, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types here
        self.registry = CollectorRegistry()
        self._metrics = {rule.name: _make(rule, self.registry) for rule in AGENCY_METRICS}

    def produced(self, event_type: str) -> None:
        self._counter("produced_events_total").labels(event_type).inc()

    def produce_failures(self, reason: str) -> None:
        self._counter("produce_failures_total").labels(reason).inc()

    def consumed(self, event_type: str) -> None:
        self._counter("consumed_events_total").labels(event_type).inc()

    def duplicate(self, event_type: str) -> None:
        self._counter("duplicate_events_total").labels(event_type).inc()

    def process_failures(self, event_type: str, reason: str) -> None:
        self._counter("process_failures_total").labels(event_type, reason).inc()

    def dead_letter(self, reason: str) -> None:
        self._counter("dead_letters_total").labels(reason).inc()

    def dead_letters_dropped(self, count: int) -> None:
        self._counter("dead_letters_dropped_total").inc(count)

    def thread_restarted(self, thread: str) -> None:
        self._counter("thread_restarts_total").labels(thread).inc()

    def set(self, name: str, value: float, *labels: str) -> None:
        """Sets the gauge with this name of `AGENCY_METRICS`; `labels` are its values in the order of its rule. Raises
        `TypeError` for a counter."""
        metric = self._metrics[name]
        if not isinstance(metric, Gauge):
            raise TypeError(f"{name} is no gauge")
        (metric.labels(*labels) if labels else metric).set(value)

    def _counter(self, name: str) -> Counter:
        metric = self._metrics[name]
        if not isinstance(metric, Counter):
            raise TypeError(f"{name} is no counter")
        return metric


def _make(rule: MetricRule, registry: CollectorRegistry) -> Counter | Gauge:
    kind = Counter if rule.kind == "counter" else Gauge
    return kind(PREFIX + rule.name, rule.meaning, rule.labels, registry=registry)
