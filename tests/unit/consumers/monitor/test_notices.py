"""Dead letters: what agencies say waits at theirs."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from consumers.monitor.announcements import MOST_COUNTED
from referral_bus.broker.send_failures import MENDED_AFTER, TOLD_EVERY
from tests.kit.forge import a_receipt, an_announcement, signed
from tests.kit.lookout import a_notice, lookout

SENDER, RECIPIENT, THIRD = "family-women", "public-health", "barqaror-hayot"
UNAGREED = "unagreed_flow_events_total"


def test_a_notice_is_counted_once_and_waits_until_something_final_is_heard(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        event_id = uuid4()
        notice = a_notice(bench, RECIPIENT, event_id=event_id)
        monitor.hear(notice, notice)
        assert monitor.total("dead_letter_notices_total", agency=RECIPIENT, reason="CODE_UNKNOWN") == 1
        assert monitor.total("dead_letters_waiting", agency=RECIPIENT, reason="CODE_UNKNOWN") == 1

        monitor.hear(a_receipt(bench, RECIPIENT, SENDER, bytes(32), event_id=event_id))

        assert monitor.total("dead_letters_waiting") == 0


def test_a_handover_that_was_given_up_waits_until_everything_before_it_was_handed_over(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(a_notice(bench, RECIPIENT, code="HANDOVER_EXHAUSTED", event_id=uuid4()))
        assert [need.what for need in monitor.need("dead letters")] == ["HANDOVER_EXHAUSTED"]

        later_on = bench.clock() + timedelta(minutes=1)
        announced = an_announcement(bench, RECIPIENT, 7, issued_at=later_on, handed_over_before=later_on)
        monitor.hear(signed(bench, announced))

        assert monitor.need("dead letters") == []


def test_a_notice_that_stands_for_several_counts_them(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(a_notice(bench, RECIPIENT, event_id=uuid4(), count=7), a_notice(bench, RECIPIENT, count=2**52))
        waiting = monitor.total("dead_letters_waiting", agency=RECIPIENT, reason="CODE_UNKNOWN")
        assert waiting == 7 + MOST_COUNTED, "however many an agency says"


def test_for_what_was_refused_nobody_waits_whatever_is_heard_first(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        event_id = uuid4()
        monitor.hear(a_receipt(bench, RECIPIENT, SENDER, bytes(32), "REFUSED", event_id=event_id))
        monitor.hear(a_notice(bench, RECIPIENT, code="CONSENT_INVALID", event_id=event_id))
        assert monitor.total("dead_letter_notices_total", agency=RECIPIENT, reason="CONSENT_INVALID") == 1
        assert monitor.total("dead_letters_waiting") == 0


def test_what_an_agency_cannot_send_is_shown_once_and_for_as_long_as_it_is_told(tmp_path: Path) -> None:
    code, minute = "NOT_SENT_TOPIC_MISSING", timedelta(minutes=1)
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        start = bench.clock()
        again = start + TOLD_EVERY
        monitor.hear(a_notice(bench, SENDER, code=code, count=2), a_notice(bench, SENDER, code=code, count=3))
        assert monitor.total("dead_letters_waiting", agency=SENDER, reason=code) == 3, "each stands for all of it"
        monitor.hear(a_notice(bench, SENDER, code=code, count=4, issued_at=again))
        assert monitor.total("dead_letters_waiting", agency=SENDER, reason=code) == 4
        monitor.hear(signed(bench, an_announcement(bench, SENDER, 7, issued_at=again + MENDED_AFTER)))
        assert [need.what for need in monitor.need("dead letters")] == [code]
        monitor.hear(signed(bench, an_announcement(bench, SENDER, 8, issued_at=again + MENDED_AFTER + minute)))
        assert monitor.need("dead letters") == []
