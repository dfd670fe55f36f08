"""Consent that ends while something waits to leave: nothing of the person goes any more."""

from datetime import timedelta
from uuid import UUID

import pytest

from referral_bus.ledger import looking
from referral_bus.ledger.sending import State
from schemas.lifecycle import Status
from schemas.personal import StatusBody
from tests.kit.bench import Bench
from tests.kit.people import PLANTED_NAME, RECIPIENT, SENDER, request_document
from tests.kit.topics import events

VALID = timedelta(hours=1)


def _refer(pair: Bench) -> UUID:
    body = request_document(RECIPIENT)["body"]
    body["consent"]["expires_at"] = (pair.clock() + VALID).isoformat()
    return pair[SENDER].refer(RECIPIENT, body=body)


def _states(pair: Bench, referral: UUID) -> list[State | None]:
    with pair[SENDER].ledger.read() as tx:
        return [step.state for step in looking.history(tx, pair[SENDER].key(referral))]


@pytest.mark.parametrize("sent", [False, True], ids=["never sent", "sent once"])
def test_a_referral_ends_as_undeliverable_and_goes_no_more(pair: Bench, sent: bool) -> None:
    referral = _refer(pair)
    if sent:
        pair[SENDER].send()
    pair.clock.move(VALID)
    pair[SENDER].send()
    pair[SENDER].send()
    assert _states(pair, referral) == [State.UNDELIVERABLE]
    assert len(events(pair, RECIPIENT)) == sent


def test_the_recipients_word_that_waited_goes_as_a_status_without_a_word_of_content(pair: Bench) -> None:
    referral = _refer(pair)
    pair.settle()
    pair[RECIPIENT].say("accept", referral, text=PLANTED_NAME)
    pair.clock.move(VALID)
    pair.settle()
    assert pair[SENDER].status(referral) == Status.ACCEPTED
    assert pair[SENDER].history(referral)[-1].body == StatusBody()
