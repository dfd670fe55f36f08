"""No agency fills the monitor's disk: of one day it keeps so many bytes of each."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from consumers.monitor import kept
from consumers.monitor.kept import EARLY_RECEIPT, EVENT, FLOW
from consumers.monitor.retention import forget
from referral_bus.wire.raw import RawRecord
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, a_referral, event_record
from tests.kit.lookout import Lookout, later, lookout

SENDER, RECIPIENT = "family-women", "public-health"


@pytest.fixture(autouse=True)
def room_for_three_referrals_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_A_DAY", 3 * (EVENT + FLOW))


def referrals(made: Bench, number: int, sender: str = SENDER, recipient: str = RECIPIENT) -> list[RawRecord]:
    return [event_record(made, a_referral(made, sender, recipient)) for _ in range(number)]


def not_kept(monitor: Lookout) -> float:
    return monitor.total("not_kept_total", agency=SENDER)


def test_what_is_beyond_the_days_share_of_an_agency_is_counted_and_enters_no_flow(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(*referrals(bench, 5))
        monitor.hear(*referrals(bench, 2, RECIPIENT, SENDER))

        assert monitor.open(RECIPIENT) == {"not-stored": 3}
        assert monitor.open(SENDER) == {"not-stored": 2}, "another agency has a share of its own"
        assert not_kept(monitor) == 2
        assert monitor.total("schema_events_total", source_agency=SENDER, schema="ReferralEvent") == 5


def test_the_next_day_an_agency_has_its_share_anew_and_old_days_are_forgotten(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(*referrals(bench, 5))
        later(bench, monitor, timedelta(days=1))
        monitor.hear(*referrals(bench, 5))

        assert monitor.open(RECIPIENT) == {"not-stored": 6}
        assert days(monitor) == 2
        with monitor.store.write() as tx:
            forget(tx, bench.clock())
        assert days(monitor) == 1


def test_copies_that_the_host_replays_take_nothing_of_their_writers_share(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        first, *more = referrals(bench, 3)
        receipt = a_receipt(bench, SENDER, RECIPIENT, bytes(32), event_id=uuid4())
        for _ in range(9):
            monitor.hear(first)
        assert taken(monitor) == EVENT + FLOW
        for _ in range(9):
            monitor.hear(receipt)
        assert taken(monitor) == EVENT + FLOW + EARLY_RECEIPT
        monitor.hear(*more)

        assert not_kept(monitor) == 1, "the receipt has taken a part of the third one's room"


def test_receipts_for_what_was_never_read_are_bounded(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(*(a_receipt(bench, SENDER, RECIPIENT, bytes(32), event_id=uuid4()) for _ in range(20)))

        assert taken(monitor) <= kept.MOST_A_DAY
        assert not_kept(monitor) == 20 - kept.MOST_A_DAY // EARLY_RECEIPT


def days(monitor: Lookout) -> int:
    with monitor.store.read() as tx:
        return len(tx.exec_driver_sql("SELECT DISTINCT day FROM kept").all())


def taken(monitor: Lookout) -> int:
    with monitor.store.read() as tx:
        return int(tx.exec_driver_sql("SELECT sum(bytes) FROM kept WHERE agency = ?", (SENDER,)).scalar_one())
