"""Every metric of the flow monitor: name, type, labels and meaning. No label ever names a person or an id."""

from referral_bus.metrics import PREFIX, MetricRule

_FLOW = ("source_agency", "target_agency", "event_type")
_TARGET = ("target_agency", "priority")
_STAGE = ("target_agency", "stage")
_LAG = ("group", "topic")

MONITOR_METRICS: tuple[MetricRule, ...] = (
    MetricRule("flow_events_total", "counter", _FLOW, "Authentic events under an agreement, each counted once."),
    MetricRule("unagreed_flow_events_total", "counter", _FLOW, "Authentic events without an agreement behind them."),
    MetricRule("forged_events_total", "counter", _FLOW, "Records that no service believes; source: whose key signed."),
    MetricRule("replayed_events_total", "counter", _FLOW, "Copies of genuine records out of their place."),
    MetricRule("referral_ack_duration_seconds", "histogram", _TARGET, "From a referral to its recipient's first word."),
    MetricRule(
        "referral_completion_duration_seconds", "histogram", _TARGET, "From a referral to its end, of any kind."
    ),
    MetricRule("referral_acks_total", "counter", _TARGET, "Referrals that have had a first word."),
    MetricRule("referral_acks_within_deadline_total", "counter", _TARGET, "Those that had it in time."),
    MetricRule("not_kept_total", "counter", ("agency",), "What it said beyond what is kept of an agency in a day."),
    MetricRule("referrals_open", "gauge", _STAGE, "Referrals that are not ended, by how far they have come."),
    MetricRule("referrals_overdue", "gauge", _STAGE, "Those of them past the deadline of their stage."),
    MetricRule("overdue_unseen", "gauge", ("agency",), "Overdue ones that it announces beyond those counted here."),
    MetricRule("agency_heartbeat_timestamp_seconds", "gauge", ("agency",), "When its newest announcement came."),
    MetricRule("agency_expected", "gauge", ("agency",), "1 if its service should always be there, 0 if it may rest."),
    MetricRule("consumer_lag_records", "gauge", _LAG, "Records that an agency's service has not read yet."),
    MetricRule("consumer_lag_seconds", "gauge", _LAG, "Age of the first of them."),
    MetricRule("consumer_committed_offset_sum", "gauge", _LAG, "How far it has read, over all partitions."),
    MetricRule("dead_letter_notices_total", "counter", ("agency", "reason"), "Notices that something waits there."),
    MetricRule("dead_letters_waiting", "gauge", ("agency", "reason"), "Those of which nothing final was heard since."),
    MetricRule("schema_events_total", "counter", ("source_agency", "schema", "version"), "Authentic records read."),
    MetricRule("monitor_position_timestamp_seconds", "gauge", (), "Everything up to then was read; 0: nothing yet."),
    MetricRule("register_expiry_timestamp_seconds", "gauge", (), "When our register expires."),
    MetricRule("thread_restarts_total", "counter", ("thread",), "How often a failed thread was started again."),
    MetricRule("build_info", "gauge", ("version",), "1, with the version as its label."),
)

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
BUCKETS_S = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, 12 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY)
"""From a minute to two weeks, with every deadline that a priority sets among them."""

OTHER = "other"
"""Stands in a label for a code that is on no list."""

UNKNOWN = "unknown"
"""Stands in a label for what cannot be told without believing."""

__all__ = ["BUCKETS_S", "MONITOR_METRICS", "OTHER", "PREFIX", "UNKNOWN"]
