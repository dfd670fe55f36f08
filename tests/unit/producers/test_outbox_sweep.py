"""What was written or sent while our clock was ahead does not wait until that hour comes."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pytest

from producers.relay import TIDY_EVERY
from tests.kit.bench import RESEND_AFTER, Bench, Station
from tests.kit.forge import a_receipt
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.topics import events

AHEAD = pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(hours=1), timedelta(days=1), timedelta(20)])


@AHEAD
def test_what_was_never_sent_goes_within_a_minute_after_the_clock_is_right(pair: Bench, ahead: timedelta) -> None:
    pair.clock.move(ahead)
    referral = pair[SENDER].refer(RECIPIENT)
    pair.clock.move(TIDY_EVERY - ahead)

    pair.settle()

    assert pair[RECIPIENT].status(referral) == "requested"


@AHEAD
def test_what_was_sent_goes_again_after_no_more_than_twice_its_own_pause(pair: Bench, ahead: timedelta) -> None:
    station = pair[SENDER]
    pair.clock.move(ahead)
    station.refer(RECIPIENT)
    station.send()
    station.send()
    pair.clock.move(2 * RESEND_AFTER + TIDY_EVERY - ahead)

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


def _times(station: Station) -> list[str | None]:
    with station.ledger.read() as tx:
        return list(tx.connection.exec_driver_sql("SELECT next_send_at FROM outbox ORDER BY number").scalars())


def _three_words_in_vain(pair: Bench) -> tuple[UUID, list[bytes]]:
    """A referral with two answers, sent to somebody who is away, and the digests of what was sent."""
    station = pair[SENDER]
    referral = station.refer(RECIPIENT)
    for _ in range(2):
        station.say("answer", referral, text="Synthetic.")
    station.send()
    pair.clock.move(TIDY_EVERY + RESEND_AFTER)
    station.send()
    return referral, [hashlib.sha256(value).digest() for value in events(pair, RECIPIENT)[:3]]


def test_what_waits_behind_another_event_has_no_time_of_its_own(pair: Bench) -> None:
    """Or every look at what is due would pass over all of it."""
    _three_words_in_vain(pair)
    assert [moment is not None for moment in _times(pair[SENDER])] == [True, False, False]


def test_it_goes_as_soon_as_that_one_is_final(pair: Bench) -> None:
    _, [first, *_] = _three_words_in_vain(pair)
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, first))
    assert [moment is not None for moment in _times(pair[SENDER])] == [False, True, False]
    before = len(events(pair, RECIPIENT))
    pair[SENDER].send()
    assert len(events(pair, RECIPIENT)) == before + 1


def test_it_goes_within_a_minute_when_the_one_before_was_final_already(pair: Bench) -> None:
    _, [first, second, _] = _three_words_in_vain(pair)
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, second))
    pair.clock.move(TIDY_EVERY)
    pair[SENDER].send()
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, first))
    assert _times(pair[SENDER]) == [None, None, None]
    before = len(events(pair, RECIPIENT))
    pair.clock.move(TIDY_EVERY)
    pair[SENDER].send()
    pair[SENDER].send()
    assert len(events(pair, RECIPIENT)) == before + 1
