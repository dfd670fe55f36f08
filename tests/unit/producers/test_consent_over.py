"""Consent that ends while something waits to leave: nothing of the person goes any more."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pytest

from producers.relay import IDLE_S, IN_FLIGHT_S, TIDY_EVERY
from referral_bus.ledger import queries
from referral_bus.ledger.outbox import OutboxState
from schemas.lifecycle import Status
from schemas.outcomes import Outcome
from schemas.personal import StatusBody
from tests.kit.bench import RESEND_AFTER, Bench
from tests.kit.forge import a_receipt
from tests.kit.people import PLANTED_NAME, RECIPIENT, SENDER, request_document
from tests.kit.topics import events

VALID = timedelta(hours=1)


def _refer(pair: Bench, valid: timedelta = VALID) -> UUID:
    body = request_document(RECIPIENT)["body"]
    body["consent"]["expires_at"] = (pair.clock() + valid).isoformat()
    return pair[SENDER].refer(RECIPIENT, body=body)


def _states(pair: Bench, referral: UUID) -> list[OutboxState | None]:
    with pair[SENDER].ledger.read() as tx:
        return [step.state for step in queries.history(tx, pair[SENDER].key(referral))]


def _hear(pair: Bench) -> None:
    """The other agency says what the time is."""
    pair[RECIPIENT].announce()
    pair[RECIPIENT].send()
    pair[SENDER].read()


@pytest.mark.parametrize("sent", [False, True], ids=["never sent", "sent once"])
def test_a_referral_ends_as_undeliverable_and_goes_no_more(pair: Bench, sent: bool) -> None:
    referral = _refer(pair)
    if sent:
        pair[SENDER].send()
    pair.clock.move(VALID)
    _hear(pair)
    pair[SENDER].send()
    pair[SENDER].send()
    assert _states(pair, referral) == [OutboxState.UNDELIVERABLE]
    assert len(events(pair, RECIPIENT)) == sent


@pytest.mark.parametrize("sent", [False, True], ids=["never sent", "sent once"])
def test_by_our_own_clock_alone_it_rests_and_goes_once_the_clock_is_right(pair: Bench, sent: bool) -> None:
    referral = _refer(pair)
    if sent:
        pair[SENDER].send()
    pair.clock.move(timedelta(days=40))
    pair[SENDER].send()
    assert pair[SENDER].relay.tick() > IN_FLIGHT_S
    assert _states(pair, referral) == [OutboxState.SENT if sent else OutboxState.NEW]
    assert len(events(pair, RECIPIENT)) == sent
    pair.clock.move(TIDY_EVERY - timedelta(days=40))
    pair.settle()
    assert pair[RECIPIENT].status(referral) == Status.REQUESTED


def test_what_rests_wakes_nothing_else_that_rests(pair: Bench) -> None:
    for _ in range(2):
        _refer(pair, RESEND_AFTER / 6)
        pair.clock.move(RESEND_AFTER / 6)
        pair[SENDER].send()
        assert pair[SENDER].relay.tick() == IDLE_S


def test_an_answer_to_what_came_before_makes_nothing_go_that_is_over(pair: Bench) -> None:
    """The receipt of the first event comes after the second was given up."""
    station, referral = pair[SENDER], _refer(pair)
    station.send()
    station.say("answer", referral, text="Synthetic.")
    station.send()
    first, second = (hashlib.sha256(value).digest() for value in events(pair, RECIPIENT))
    station.take(a_receipt(pair, RECIPIENT, SENDER, second, Outcome.MISSING))
    pair.clock.move(VALID)
    _hear(pair)
    station.send()
    station.take(a_receipt(pair, RECIPIENT, SENDER, first, Outcome.STORED))
    assert station.relay.tick() == IDLE_S
    assert _states(pair, referral) == [OutboxState.STORED, OutboxState.UNDELIVERABLE]


def test_the_recipients_word_that_waited_goes_as_a_status_without_a_word_of_content(pair: Bench) -> None:
    referral = _refer(pair)
    pair.settle()
    pair[RECIPIENT].say("accept", referral, text=PLANTED_NAME)
    pair.clock.move(VALID)
    pair.announce()
    pair.clock.move(timedelta(minutes=2))
    pair.settle()
    assert pair[SENDER].status(referral) == Status.ACCEPTED
    assert pair[SENDER].history(referral)[-1].body == StatusBody()


def test_by_our_clock_alone_the_recipients_word_waits_and_loses_nothing(pair: Bench) -> None:
    referral = _refer(pair)
    pair.settle()
    pair[RECIPIENT].say("accept", referral, text=PLANTED_NAME)
    pair.clock.move(VALID)
    pair.settle()
    assert pair[SENDER].status(referral) == Status.REQUESTED
    pair.clock.move(-VALID)
    pair.settle()
    pair.clock.move(timedelta(minutes=2))
    pair.settle()
    assert pair[SENDER].status(referral) == Status.ACCEPTED
    assert pair[SENDER].history(referral)[-1].body == StatusBody(text=PLANTED_NAME)
