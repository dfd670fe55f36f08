"""The monitor's counters: what one batch adds to them, and which of them a record increases. Pure. They are stored in
the transaction that stores the positions, so that they stay exact. Every label is an agency of the register, a word
from a list of this software, or `other`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import assert_never

from consumers.monitor.flow import Flow
from consumers.monitor.forged_or_replayed import Forged, Replayed
from consumers.monitor.judging import Attributed, Judged, Unread
from consumers.monitor.metrics import BUCKETS_S, MONITOR_METRICS, OTHER, UNKNOWN
from referral_bus.broker.send_failures import NOTICE_CODES
from schemas.events import AnyEvent, RegisterVersion
from schemas.outcomes import Code
from schemas.schema_index import by_fingerprint

Labels = tuple[str, ...]
CounterName = tuple[str, Labels]
Counters = Mapping[CounterName, float]

_RULES = {rule.name: rule for rule in MONITOR_METRICS}
BUCKET, SUM = "_bucket", "_sum"
INFINITE = "+Inf"


class Tally:
    """What a batch adds, by metric and labels. A histogram is stored as one counter for each bucket, not cumulated, and
    one for the sum in seconds."""

    def __init__(self) -> None:
        self.added: dict[CounterName, float] = {}

    def count(self, metric: str, *labels: str) -> None:
        self._add(metric, _checked(metric, labels), 1)

    def observe(self, metric: str, span: timedelta, *labels: str) -> None:
        """Adds one observation to a histogram. A negative `span` counts as zero: clocks differ, so an answer may seem
        to come before its question."""
        seconds = max(0.0, span.total_seconds())
        checked = _checked(metric, labels)
        bucket = next((str(bound) for bound in BUCKETS_S if seconds <= bound), INFINITE)
        self._add(metric + BUCKET, (*checked, bucket), 1)
        self._add(metric + SUM, checked, seconds)

    def _add(self, metric: str, labels: Labels, by: float) -> None:
        name = (metric, labels)
        self.added[name] = self.added.get(name, 0) + by


def _checked(metric: str, labels: Labels) -> Labels:
    """The labels. Raises `KeyError` or `ValueError`, a defect of ours, where `MONITOR_METRICS` has no such metric, or
    another number of labels for it."""
    if len(labels) != len(_RULES[metric].labels):
        raise ValueError(metric)
    return labels


def count_record(tally: Tally, judged: Judged) -> None:
    """Increases the counters that count every record, copies included."""
    match judged:
        case Forged(source, target):
            tally.count("forged_events_total", source, target, UNKNOWN)
        case Replayed(source, target, record):
            tally.count("replayed_events_total", source, target, record)
        case Unread(source):
            tally.count("schema_events_total", source, OTHER, OTHER)
        case Attributed(RegisterVersion()):
            pass  # written by the stewards, not by an agency
        case Attributed(_, fingerprint, source):
            schema = by_fingerprint()[fingerprint]
            tally.count("schema_events_total", source, schema.record, str(schema.version))
        case _:
            assert_never(judged)


def count_event(tally: Tally, event: AnyEvent, agreed: bool) -> None:
    """Increases the counters for an event that was not read before."""
    metric = "flow_events_total" if agreed else "unagreed_flow_events_total"
    tally.count(metric, event.writer, event.addressee, event.record)


def count_change(tally: Tally, before: Flow | None, after: Flow) -> None:
    """Increases the counters for a change of a referral: that it was acknowledged or has ended, and how long that
    took."""
    if not after.agreed or after.started_at is None:
        return
    labels = (after.key.recipient, after.priority or OTHER)
    told = before is not None and before.agreed and before.started_at is not None
    if after.acknowledged_at is not None and not (told and before and before.acknowledged_at):
        tally.count("referral_acks_total", *labels)
        tally.observe("referral_ack_duration_seconds", after.acknowledged_at - after.started_at, *labels)
        if after.acknowledge_by is not None and after.acknowledged_at <= after.acknowledge_by:
            tally.count("referral_acks_within_deadline_total", *labels)
    if after.ended_at is not None and not (told and before and before.ended_at):
        tally.observe("referral_completion_duration_seconds", after.ended_at - after.started_at, *labels)


def reason_label(code: str) -> str:
    """The code of a notice as a label; `other` for one that this software does not know."""
    return code if code in Code.__members__ or code in NOTICE_CODES else OTHER
