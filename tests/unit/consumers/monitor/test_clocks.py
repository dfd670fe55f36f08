"""Clocks that are an hour off: an agency's, the broker's, the monitor's own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.agency.announcer import EXPIRES_AFTER
from consumers.monitor.judging import heard
from tests.kit.forge import a_referral, a_word, an_announcement, event_record, signed
from tests.kit.lookout import Lookout, later, lookout
from tests.kit.registers import with_revoked_key

SENDER, RECIPIENT = "family-women", "public-health"
HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_while_we_keep_up_our_own_clock_tells_when_a_record_came() -> None:
    a_moment_ago = NOON - timedelta(seconds=5)

    assert heard(NOON - HOUR, a_moment_ago, NOON) == a_moment_ago
    assert heard(NOON + HOUR, a_moment_ago, NOON) == NOON


def test_of_what_came_while_we_were_away_the_broker_tells() -> None:
    assert heard(NOON - HOUR, NOON - 2 * HOUR, NOON) == NOON - HOUR
    assert heard(NOON - HOUR, None, NOON) == NOON - HOUR


@pytest.mark.parametrize("off", [-HOUR, HOUR], ids=["behind", "ahead"])
def test_an_agency_whose_clock_is_off_is_there_and_named(off: timedelta, tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        there = bench.clock() + off
        times = {"issued_at": there, "handed_over_before": there, "expires_at": there + EXPIRES_AFTER}
        announced = an_announcement(bench, RECIPIENT, 5, **times)

        monitor.hear(signed(bench, announced))

        assert monitor.needs() == [("clock off", RECIPIENT, "+60 minutes" if off > timedelta() else "-60 minutes")]


@pytest.mark.parametrize("off", [-HOUR, HOUR], ids=["behind", "ahead"])
def test_an_answer_seems_to_take_no_less_than_no_time(off: timedelta, tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT, occurred_at=bench.clock() + off)
        word = a_word(bench, referral.referral, RECIPIENT, SENDER, (1, 1), "accepted", occurred_at=bench.clock() - off)

        monitor.hear(event_record(bench, word))
        later(bench, monitor, timedelta(minutes=10))
        monitor.hear(event_record(bench, referral))

        assert monitor.total("referral_ack_duration_seconds_sum") == 0
        assert monitor.total("referral_ack_duration_seconds_count") == 1


@pytest.mark.parametrize("off", [-HOUR, HOUR], ids=["behind", "ahead"])
def test_a_broker_whose_clock_is_off_moves_no_figure(off: timedelta, tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        bench.broker._clock = lambda: bench.clock() + off
        referral = bench[SENDER].refer(RECIPIENT)
        bench.settle()
        monitor.read()
        later(bench, monitor, timedelta(minutes=20))
        monitor.read()
        bench[RECIPIENT].say("see", referral)
        bench.announce()
        monitor.read()

        assert monitor.total("referral_ack_duration_seconds_sum") == 20 * 60
        assert monitor.need("silent") == []
        assert all(lag.seconds is None or lag.seconds >= 0 for lag in monitor.overview().lags)


def test_the_host_cannot_make_a_revoked_key_good_again_by_an_old_date(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        later(bench, monitor, timedelta(days=1))
        monitor.own_register = with_revoked_key(bench.register, SENDER, bench.clock() - HOUR)
        monitor.read()
        bench.broker._clock = lambda: bench.clock() - timedelta(hours=20)

        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))

        assert monitor.total("forged_events_total", source_agency=SENDER) == 1


def test_what_came_before_a_key_was_revoked_is_believed_by_whoever_reads_it_later(tmp_path: Path) -> None:
    """Its recipient has taken it: a monitor that was away must not cry forgery."""
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        record = event_record(bench, a_referral(bench, SENDER, RECIPIENT))
        bench.broker.sender().send(record)
        later(bench, monitor, timedelta(days=1))
        monitor.own_register = with_revoked_key(bench.register, SENDER, bench.clock() - HOUR)

        monitor.start()
        monitor.read()

        assert monitor.total("forged_events_total") == 0
        assert monitor.open(RECIPIENT) == {"not-stored": 1}


def test_a_monitor_whose_own_clock_is_behind_shows_no_negative_age(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.clock.move(-HOUR)
        bench[SENDER].refer(RECIPIENT)
        bench.settle()
        monitor.read()

        assert min(monitor.samples().values()) >= 0
        assert monitor.open(RECIPIENT) == {"not-handed-over": 1}


def position(monitor: Lookout) -> float:
    return monitor.total("monitor_position_timestamp_seconds")


def test_how_far_we_are_is_told_by_our_own_clock(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        assert position(monitor) == monitor.clock().timestamp()

        later(bench, monitor, HOUR)
        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))
        assert position(monitor) == monitor.clock().timestamp()

        later(bench, monitor, HOUR)
        bench.broker.sender().send(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))
        monitor.watching.look()
        assert position(monitor) == (monitor.clock() - HOUR).timestamp()
