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
    MetricRule("referral_acks_within_deadline_total", "counter", _TARGET, "Those of them within the deadline."),
    MetricRule("not_kept_total", "counter", ("agency",), "Records not kept: beyond the agency's quota of a day."),
    MetricRule("referrals_open", "gauge", _STAGE, "Referrals that are not ended, by how far they have come."),
    MetricRule("referrals_overdue", "gauge", _STAGE, "Those of them past the deadline of their stage."),
    MetricRule("overdue_unseen", "gauge", ("agency",), "Overdue referrals that it announces beyond our count."),
    MetricRule("agency_heartbeat_timestamp_seconds", "gauge", ("agency",), "When its newest announcement came."),
    MetricRule("agency_expected", "gauge", ("agency",), "1 if its service should run always, 0 if it may be off."),
    MetricRule("consumer_lag_records", "gauge", _LAG, "Records that an agency's service has not read yet."),
    MetricRule("consumer_lag_seconds", "gauge", _LAG, "Age of the first such record."),
    MetricRule("consumer_committed_offset_sum", "gauge", _LAG, "Its committed offsets, summed over all partitions."),
    MetricRule("dead_letter_notices_total", "counter", ("agency", "reason"), "Notices of dead letters that it sent."),
    MetricRule("dead_letters_waiting", "gauge", ("agency", "reason"), "Dead letters that it told of, not settled yet."),
    MetricRule("schema_events_total", "counter", ("source_agency", "schema", "version"), "Authentic records read."),
    MetricRule("monitor_position_timestamp_seconds", "gauge", (), "Up to when everything was read; 0: nothing yet."),
    MetricRule("register_expiry_timestamp_seconds", "gauge", (), "When our register expires."),
    MetricRule("thread_restarts_total", "counter", ("thread",), "How often a failed thread was started again."),
    MetricRule("build_info", "gauge", ("version",), "1, with the version as its label."),
)

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
BUCKETS_S = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 4 * _HOUR, 12 * _HOUR, _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY)
"""Bounds of the histograms' buckets, in seconds: a minute to two weeks, and among them the deadlines of all
priorities."""

OTHER = "other"
"""The label for a code that is on no list of this software."""

UNKNOWN = "unknown"
"""The label for an agency or a kind of record that only an unbelieved record names."""

__all__ = ["BUCKETS_S", "MONITOR_METRICS", "OTHER", "PREFIX", "UNKNOWN"]
