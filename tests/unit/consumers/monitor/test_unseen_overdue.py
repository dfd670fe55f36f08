"""An agency that announces more overdue referrals than the monitor sees."""

from datetime import timedelta
from pathlib import Path

from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, an_announcement, event_record, signed
from tests.kit.lookout import Lookout, later, lookout

SENDER, RECIPIENT = "family-women", "public-health"
UNSEEN, NEED = "overdue_unseen", "more overdue than seen"


def announces(bench: Bench, monitor: Lookout, counter: int, overdue: int) -> None:
    monitor.hear(signed(bench, an_announcement(bench, RECIPIENT, counter, overdue_referrals=overdue)))


def test_what_the_monitor_does_not_see_is_told_with_whom_to_call(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        announces(bench, monitor, 5, overdue=2)

        assert monitor.total(UNSEEN, agency=RECIPIENT) == 2
        (need,) = monitor.need(NEED)
        assert (need.agency, need.number, need.contact and need.contact.mailbox) == (
            RECIPIENT,
            2,
            f"referrals@{RECIPIENT}.example",
        )


def test_what_both_see_is_no_difference_even_by_a_clock_that_is_a_little_ahead(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))
        later(bench, monitor, timedelta(hours=24) - timedelta(minutes=4))

        announces(bench, monitor, 5, overdue=1)

        assert monitor.total("referrals_overdue", target_agency=RECIPIENT) == 0
        assert monitor.total(UNSEEN) == 0


def test_what_changed_after_the_announcement_explains_a_difference(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        monitor.hear(event_record(bench, referral))
        later(bench, monitor, timedelta(hours=25))
        announces(bench, monitor, 5, overdue=1)

        monitor.hear(event_record(bench, a_word(bench, referral.referral, RECIPIENT, SENDER, (1, 1), "accepted")))
        assert monitor.total(UNSEEN) == 0

        later(bench, monitor, timedelta(minutes=6))
        announces(bench, monitor, 6, overdue=1)
        assert monitor.total(UNSEEN) == 1


def test_an_agency_that_sees_less_than_the_monitor_is_no_alarm(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))
        later(bench, monitor, timedelta(hours=25))
        announces(bench, monitor, 5, overdue=0)

        assert (monitor.total(UNSEEN), monitor.need(NEED)) == (0, [])
