"""A home that was lost with its keys: it begins anew, and the others believe it and send again what they had."""

from datetime import UTC, datetime, timedelta

from referral_bus.ledger import handovers
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.own_agency import NUMBERS, incarnation_by_clock, own_incarnation
from schemas.lifecycle import Status
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER


def _incarnation(pair: Bench, code: str) -> int:
    with pair[code].ledger.read() as tx:
        return own_incarnation(tx)


def _work(pair: Bench) -> None:
    for _ in range(3):
        pair.announce()
        pair.clock.move(timedelta(minutes=1))
        pair.settle(30)


def test_a_new_ledger_is_believed_and_gets_again_what_the_lost_one_had(pair: Bench) -> None:
    for _ in range(5):
        pair.announce()  # so that its counter is far above that of a new ledger
    old = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[RECIPIENT].begin_anew()
    new = pair[SENDER].refer(RECIPIENT)
    _work(pair)
    for referral in (old, new):
        assert pair[RECIPIENT].status(referral) == pair[SENDER].status(referral) == Status.REQUESTED
        assert pair[SENDER].history(referral)[0].state == OutboxState.STORED
        assert pair[SENDER].referral(referral).acknowledged_at is None, "nobody there has seen it"


def test_it_is_believed_after_restores_too_and_can_be_restored_itself(pair: Bench) -> None:
    for _ in range(2):
        pair[RECIPIENT].restore(pair[RECIPIENT].back_up())
        _work(pair)
    pair[RECIPIENT].begin_anew()
    begun = _incarnation(pair, RECIPIENT)
    _work(pair)
    pair[RECIPIENT].restore(pair[RECIPIENT].back_up())
    assert _incarnation(pair, RECIPIENT) == begun + 1
    referral = pair[SENDER].refer(RECIPIENT)
    _work(pair)
    assert pair[SENDER].history(referral)[0].state == OutboxState.STORED


def test_it_hears_of_every_erasure_that_it_shared(pair: Bench) -> None:
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[SENDER].withdraw(referral)
    pair.settle()
    pair[RECIPIENT].begin_anew()
    _work(pair)
    assert pair[RECIPIENT].tombstone(referral) is not None


def test_cursors_of_the_lost_ledger_stand_before_everything_new(pair: Bench) -> None:
    pair[SENDER].refer(RECIPIENT)
    pair.settle()
    with pair[RECIPIENT].ledger.read() as tx:
        before = handovers.highest_cursor(tx)
    pair[RECIPIENT].begin_anew()
    _work(pair)
    with pair[RECIPIENT].ledger.read() as tx:
        assert min(each.cursor for each in handovers.after_cursor(tx, 0, 10)) > before


def test_numbers_stay_exact_in_json_for_decades() -> None:
    assert incarnation_by_clock(datetime(2085, 1, 1, tzinfo=UTC)) * NUMBERS < 2**53


def test_a_clock_before_the_first_minute_still_begins_above_a_first_ledger() -> None:
    assert incarnation_by_clock(datetime(1970, 1, 1, tzinfo=UTC)) > 1
