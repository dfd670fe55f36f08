"""When an event without a receipt is sent again, and to which key."""

import hashlib
from datetime import timedelta

from producers.relay import IN_FLIGHT_S, LONGEST_IN_FLIGHT_S
from referral_bus.ledger.outbox import LONGEST_PAUSE, OutboxState
from schemas.outcomes import Outcome
from tests.kit.bench import RESEND_AFTER, Bench
from tests.kit.forge import a_receipt
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.topics import events


def test_the_pauses_double_up_to_a_day_and_no_further(pair: Bench) -> None:
    station = pair[SENDER]
    station.refer(RECIPIENT)
    station.send()
    expected, sent = RESEND_AFTER, 1
    for _ in range(16):
        station.send()
        pair.clock.move(expected - timedelta(milliseconds=1))
        station.send()
        assert len(events(pair, RECIPIENT)) == sent, expected
        pair.clock.move(timedelta(milliseconds=1))
        station.send()
        sent += 1
        assert len(events(pair, RECIPIENT)) == sent, expected
        expected = min(2 * expected, LONGEST_PAUSE)
    assert expected == LONGEST_PAUSE


def test_what_was_sealed_to_a_key_that_is_gone_is_not_sealed_to_it_again(pair: Bench) -> None:
    station = pair[SENDER]
    referral = station.refer(RECIPIENT)
    station.send()
    [value] = events(pair, RECIPIENT)
    station.take(a_receipt(pair, RECIPIENT, SENDER, hashlib.sha256(value).digest(), Outcome.RESEAL))
    station.send()
    station.send()
    assert events(pair, RECIPIENT) == [value], "the one key that is announced is the one that is gone"
    assert [step.state for step in station.history(referral)] == [OutboxState.WAITING_FOR_KEY]


def test_while_nothing_lands_the_relay_looks_ever_more_seldom_and_then_quickly_again(pair: Bench) -> None:
    relay = pair[SENDER].relay
    for _ in range(2):
        pair.broker.go_down()
        pair[SENDER].refer(RECIPIENT)
        pauses = [relay.tick() for _ in range(20)]
        assert pauses[0] < 2 * IN_FLIGHT_S
        assert pauses == sorted(pauses)
        assert pauses[-1] == LONGEST_IN_FLIGHT_S
        pair.broker.come_up()
        relay.tick()
