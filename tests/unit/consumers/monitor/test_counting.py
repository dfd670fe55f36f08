"""What is counted, each thing once."""

from datetime import timedelta
from pathlib import Path

from referral_bus.broker.protocols import Delivery
from tests.kit.forge import a_referral, a_word, event_record
from tests.kit.lookout import later, lookout

SENDER, RECIPIENT = "family-women", "public-health"
FLOW = {"source_agency": SENDER, "target_agency": RECIPIENT}


def test_every_event_is_counted_once_however_often_it_is_sent(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        record = event_record(bench, a_referral(bench, SENDER, RECIPIENT))

        monitor.hear(record, record)
        monitor.hear(record)

        assert monitor.total("flow_events_total", **FLOW, event_type="ReferralEvent") == 1
        assert monitor.total("schema_events_total", source_agency=SENDER, schema="ReferralEvent", version="1") == 3
        assert monitor.open(RECIPIENT) == {"not-stored": 1}


def test_an_event_sealed_again_is_the_same_event(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        one, other = event_record(bench, referral), event_record(bench, referral)
        assert one.value != other.value

        monitor.hear(one, other)

        assert monitor.total("flow_events_total", **FLOW) == 1


def test_an_id_counts_only_together_with_its_writer(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        word = a_word(bench, referral.referral, RECIPIENT, SENDER, (1, 1), "received", event_id=referral.event_id)

        monitor.hear(event_record(bench, referral), event_record(bench, word))

        assert monitor.open(RECIPIENT) == {"not-answered": 1}


def test_a_word_in_time_and_an_end_are_measured(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = bench[SENDER].refer(RECIPIENT, priority="urgent")
        bench.settle()
        monitor.read()
        later(bench, monitor, timedelta(hours=2))
        bench[RECIPIENT].say("see", referral)
        bench.settle()
        monitor.read()
        later(bench, monitor, timedelta(hours=3))
        for verb, detail in (("accept", {}), ("complete", {"outcome": "provided"})):
            bench[RECIPIENT].say(verb, referral, **detail)
        bench.settle()
        monitor.read()

        labels = {"target_agency": RECIPIENT, "priority": "urgent"}
        assert monitor.total("referral_acks_total", **labels) == 1
        assert monitor.total("referral_acks_within_deadline_total", **labels) == 1
        assert monitor.total("referral_ack_duration_seconds_sum", **labels) == 2 * 3600
        assert monitor.total("referral_completion_duration_seconds_sum", **labels) == 5 * 3600
        assert monitor.total("referral_completion_duration_seconds_bucket", **labels, le="14400.0") == 0
        assert monitor.total("referral_completion_duration_seconds_bucket", **labels, le="43200.0") == 1
        assert monitor.total("referral_completion_duration_seconds_count", **labels) == 1
        assert monitor.open(RECIPIENT) == {}


def test_a_word_after_the_deadline_is_not_in_time(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = bench[SENDER].refer(RECIPIENT, priority="stat")
        bench.settle()
        later(bench, monitor, timedelta(hours=4, seconds=1))
        bench[RECIPIENT].say("see", referral)
        bench.settle()
        monitor.read()

        assert monitor.total("referral_acks_total", target_agency=RECIPIENT, priority="stat") == 1
        assert monitor.total("referral_acks_within_deadline_total") == 0


def test_an_answer_that_is_read_before_its_referral_counts_all_the_same(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = bench[SENDER].refer(RECIPIENT)
        bench.settle()
        bench[RECIPIENT].say("accept", referral)
        bench.settle()
        everything = _all(bench.register.inbox(SENDER), monitor) + _all(bench.register.inbox(RECIPIENT), monitor)

        monitor.reading.take(everything)

        assert monitor.total("referral_acks_total", target_agency=RECIPIENT) == 1
        assert monitor.open(RECIPIENT) == {"in-service": 1}
        assert monitor.flows()[0].stored == 1


def _all(topic: str | None, monitor: object) -> list[Delivery]:
    assert topic is not None
    broker = monitor.bench.broker  # type: ignore[attr-defined]
    log = broker.log(topic, broker.topics([topic])[topic].topic_id, 0) or []
    return [one for one in log if isinstance(one, Delivery)]


def test_the_table_of_flows_counts_pairs(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT, "barqaror-hayot") as (bench, monitor):
        first, second = (bench[SENDER].refer(RECIPIENT) for _ in range(2))
        bench[RECIPIENT].refer("barqaror-hayot")
        bench.settle()
        bench[RECIPIENT].say("accept", first)
        bench[RECIPIENT].say("reject", second, outcome_reason="no-capacity")
        bench.settle()
        later(bench, monitor, timedelta(days=2))
        monitor.read()

        rows = {(row.sender, row.recipient): row for row in monitor.flows()}
        assert set(rows) == {(SENDER, RECIPIENT), (RECIPIENT, "barqaror-hayot")}
        row = rows[SENDER, RECIPIENT]
        assert (row.referrals, row.stored, row.answered, row.closed, row.overdue) == (2, 2, 2, 1, 0)
        assert rows[RECIPIENT, "barqaror-hayot"].overdue == 1
