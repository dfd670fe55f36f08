"""No peer has us send everything again and again: once at once, and then not for a while."""

from datetime import timedelta

import pytest

from referral_bus.ledger.resending import SHORTEST
from tests.kit.bench import Bench
from tests.kit.forge import an_announcement, signed
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.topics import events

REFERRALS = 5


@pytest.fixture
def silent(trio: Bench) -> Bench:
    """What was sent has no receipts yet."""
    for _ in range(REFERRALS):
        trio[SENDER].refer(RECIPIENT)
    send(trio)
    assert sent(trio) == REFERRALS
    return trio


def send(made: Bench) -> None:
    while made[SENDER].send():
        pass


def sent(made: Bench) -> int:
    return len(events(made, RECIPIENT))


def announce(made: Bench, number: int, **changes: object) -> None:
    """Another register each time, unless other changes are named."""
    said = changes or {"register_version": 50 + number}
    made[SENDER].take(signed(made, an_announcement(made, RECIPIENT, 100 + number, **said)))
    made.clock.move(timedelta(seconds=1))
    send(made)


def test_a_peer_that_announces_something_new_again_and_again_is_sent_everything_once_in_a_while(silent: Bench) -> None:
    for number in range(18):
        announce(silent, number)
    assert sent(silent) == 2 * REFERRALS, "once at once"

    silent.clock.move(2 * SHORTEST)
    send(silent)
    assert sent(silent) == 3 * REFERRALS, "and once for all that came meanwhile"


def test_a_peer_whose_incarnation_rises_again_and_again_is_sent_everything_once_in_a_while(silent: Bench) -> None:
    for number in range(18):
        announce(silent, number, incarnation=5 + number)
    assert sent(silent) == 2 * REFERRALS

    silent.clock.move(2 * SHORTEST)
    send(silent)
    assert sent(silent) == 3 * REFERRALS


def test_one_peer_takes_no_turn_of_another(silent: Bench) -> None:
    silent[SENDER].take(signed(silent, an_announcement(silent, THIRD, 100, register_version=50)))
    announce(silent, 1)
    assert sent(silent) == 2 * REFERRALS


def test_a_clock_that_was_set_back_delays_nothing_for_long(silent: Bench) -> None:
    silent.clock.move(timedelta(days=1))
    announce(silent, 1)
    announce(silent, 2)
    before = sent(silent)
    silent.clock.move(-timedelta(days=1))
    silent.clock.move(2 * SHORTEST)
    send(silent)
    assert sent(silent) == before + REFERRALS
