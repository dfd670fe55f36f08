"""What was written or sent while our clock was ahead does not wait until that hour comes."""

from datetime import timedelta

import pytest

from producers.relay import GIVE_UP_EVERY
from tests.kit.bench import RESEND_AFTER, Bench
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.topics import events

AHEAD = pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(hours=1), timedelta(days=1), timedelta(20)])


@AHEAD
def test_what_was_never_sent_goes_within_a_minute_after_the_clock_is_right(pair: Bench, ahead: timedelta) -> None:
    pair.clock.move(ahead)
    referral = pair[SENDER].refer(RECIPIENT)
    pair.clock.move(GIVE_UP_EVERY - ahead)

    pair.settle()

    assert pair[RECIPIENT].status(referral) == "requested"


@AHEAD
def test_what_was_sent_goes_again_after_no_more_than_twice_its_own_pause(pair: Bench, ahead: timedelta) -> None:
    station = pair[SENDER]
    pair.clock.move(ahead)
    station.refer(RECIPIENT)
    station.send()
    station.send()
    pair.clock.move(2 * RESEND_AFTER + GIVE_UP_EVERY - ahead)

    station.send()

    assert len(events(pair, RECIPIENT)) == 2


def test_a_pause_that_is_no_longer_than_it_should_be_is_kept(pair: Bench) -> None:
    station = pair[SENDER]
    station.refer(RECIPIENT)
    for sent in range(1, 6):
        station.send()
        station.send()
        assert len(events(pair, RECIPIENT)) == sent
        pair.clock.move(RESEND_AFTER * 2 ** (sent - 1) - timedelta(seconds=1))
        station.send()
        assert len(events(pair, RECIPIENT)) == sent
        pair.clock.move(timedelta(seconds=1))
