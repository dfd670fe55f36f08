"""Which counters a record moves. Pure. Every label is an agency of the register, a word of ours, or `other`."""

from typing import assert_never

from consumers.monitor.flow import Flow
from consumers.monitor.judging import Judged, Said, Unread
from consumers.monitor.metrics import OTHER, UNKNOWN
from consumers.monitor.tally import Tally
from consumers.monitor.unbelieved import Forged, Replayed
from referral_bus.broker.send_failures import NOTICE_CODES
from schemas.events import AnyEvent, RegisterVersion
from schemas.outcomes import Code
from schemas.schema_index import by_fingerprint


def count_record(tally: Tally, judged: Judged) -> None:
    """What every record counts for, a copy too."""
    match judged:
        case Forged(source, target):
            tally.count("forged_events_total", source, target, UNKNOWN)
        case Replayed(source, target, record):
            tally.count("replayed_events_total", source, target, record)
        case Unread(source):
            tally.count("schema_events_total", source, OTHER, OTHER)
        case Said(RegisterVersion()):
            pass  # the stewards' word, and no agency's
        case Said(_, fingerprint, source):
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
