"""The monitor's counters: what one batch adds to them, and which of them a record moves. Pure. They are kept in the
database beside the position, so that they stay exact. Every label is an agency of the register, a word of ours, or
`other`."""

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
    """Counts by metric and labels. A histogram is a counter for each bucket, not cumulated, and one for the sum."""

    def __init__(self) -> None:
        self.added: dict[CounterName, float] = {}

    def count(self, metric: str, *labels: str) -> None:
        self._add(metric, _checked(metric, labels), 1)

    def observe(self, metric: str, span: timedelta, *labels: str) -> None:
        """Clocks differ: an answer that seems to come before its question took no time."""
        seconds = max(0.0, span.total_seconds())
        checked = _checked(metric, labels)
        bucket = next((str(bound) for bound in BUCKETS_S if seconds <= bound), INFINITE)
        self._add(metric + BUCKET, (*checked, bucket), 1)
        self._add(metric + SUM, checked, seconds)

    def _add(self, metric: str, labels: Labels, by: float) -> None:
        name = (metric, labels)
        self.added[name] = self.added.get(name, 0) + by


def _checked(metric: str, labels: Labels) -> Labels:
    """KeyError or ValueError for what the table of metrics does not have: a defect of ours."""
    if len(labels) != len(_RULES[metric].labels):
        raise ValueError(metric)
    return labels


def count_record(tally: Tally, judged: Judged) -> None:
    """What every record counts for, a copy too."""
    match judged:
        case Forged(source, target):
            tally.count("forged_events_total", source, target, UNKNOWN)
        case Replayed(source, target, record):
            tally.count("replayed_events_total", source, target, record)
        case Unread(source):
            tally.count("schema_events_total", source, OTHER, OTHER)
        case Attributed(RegisterVersion()):
            pass  # the stewards' word, and no agency's
        case Attributed(_, fingerprint, source):
            schema = by_fingerprint()[fingerprint]
            tally.count("schema_events_total", source, schema.record, str(schema.version))
        case _:
            assert_never(judged)


def count_event(tally: Tally, event: AnyEvent, agreed: bool) -> None:
    """What an event counts for that was not read before."""
    metric = "flow_events_total" if agreed else "unagreed_flow_events_total"
    tally.count(metric, event.writer, event.addressee, event.record)


def count_change(tally: Tally, before: Flow | None, after: Flow) -> None:
    """What is known of a referral since it changed: that it was answered, that it ended, and how long that took."""
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
    """The code of a notice, if it is one of ours."""
    return code if code in Code.__members__ or code in NOTICE_CODES else OTHER
