"""What one batch adds to the counters. They are kept in the database beside the position, so that they stay exact."""

from collections.abc import Mapping
from datetime import timedelta

from consumers.monitor.metrics import BUCKETS_S, MONITOR_METRICS

Labels = tuple[str, ...]
CounterName = tuple[str, Labels]

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


Counters = Mapping[CounterName, float]
