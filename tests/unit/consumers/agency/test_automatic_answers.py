"""What the recipient's service answers by itself: a cancellation request, while no person has taken the referral on."""

from uuid import UUID

import pytest

from consumers.agency.verdicts import TakenIn
from schemas.lifecycle import Status
from schemas.personal import StatusBody
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, event_record
from tests.kit.people import RECIPIENT, SENDER


def _stored_referral(pair: Bench) -> UUID:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    return referral_id


def _words_sent(pair: Bench, referral_id: UUID) -> list[str | None]:
    return [step.status for step in pair[RECIPIENT].history(referral_id) if step.way == "sent"]


@pytest.mark.parametrize("verbs", [(), ("see",)])
def test_a_referral_that_nobody_has_taken_on_is_cancelled_by_the_service_at_once(
    pair: Bench, verbs: tuple[str, ...]
) -> None:
    referral_id = _stored_referral(pair)
    for verb in verbs:
        pair[RECIPIENT].say(verb, referral_id)
    pair[SENDER].say("cancel", referral_id)
    pair.settle()
    assert pair[RECIPIENT].status(referral_id) == pair[SENDER].status(referral_id) == Status.CANCELLED
    assert _words_sent(pair, referral_id)[-1] == Status.CANCELLED
    assert pair[RECIPIENT].history(referral_id)[-1].body == StatusBody()


def test_a_referral_that_a_person_has_accepted_is_not_cancelled_by_the_service(pair: Bench) -> None:
    referral_id = _stored_referral(pair)
    pair[RECIPIENT].say("accept", referral_id)
    pair[SENDER].say("cancel", referral_id)
    pair.settle()
    assert pair[RECIPIENT].status(referral_id) == pair[SENDER].status(referral_id) == Status.ACCEPTED
    assert _words_sent(pair, referral_id) == [Status.ACCEPTED]
    pair[RECIPIENT].say("confirm-cancel", referral_id)
    pair.settle()
    assert pair[SENDER].status(referral_id) == Status.CANCELLED


def test_a_word_about_an_ended_referral_is_stored_and_changes_nothing(pair: Bench) -> None:
    referral_id = _stored_referral(pair)
    pair[SENDER].say("cancel", referral_id)
    pair[RECIPIENT].say("reject", referral_id, outcome_reason="no-capacity")
    pair.settle()
    assert _words_sent(pair, referral_id) == [Status.REJECTED]
    assert pair[RECIPIENT].status(referral_id) == pair[SENDER].status(referral_id) == Status.REJECTED
    received = [step for step in pair[RECIPIENT].history(referral_id) if step.way == "received"]
    assert [step.outcome for step in received] == ["STORED", "STORED"]


def test_an_answer_to_a_question_is_not_taken_for_a_cancellation(pair: Bench) -> None:
    referral_id = _stored_referral(pair)
    pair[RECIPIENT].say("ask", referral_id, text="Synthetic question?")
    pair.settle()
    pair[SENDER].say("answer", referral_id, text="Synthetic answer.")
    pair.settle()
    assert pair[RECIPIENT].status(referral_id) == Status.REQUESTED
    assert len(_words_sent(pair, referral_id)) == 1


def test_a_cancellation_that_comes_twice_is_answered_once(pair: Bench) -> None:
    event = a_referral(pair, SENDER, RECIPIENT)
    cancel = a_word(pair, event.referral, SENDER, RECIPIENT, (1, 2))
    body = StatusBody(business_status="cancellation-requested")
    pair[RECIPIENT].take(*(event_record(pair, each, more) for each, more in ((event, None), (cancel, body))))
    pair[RECIPIENT].take(event_record(pair, cancel, body))
    assert _words_sent(pair, event.referral_id) == [Status.CANCELLED]


def test_the_senders_own_copy_of_a_cancellation_word_is_no_request_to_itself(pair: Bench) -> None:
    """The recipient may write what it likes into its sealed part: only the sender can ask for cancellation."""
    referral_id = pair[SENDER].refer(RECIPIENT)
    word = a_word(pair, pair[SENDER].key(referral_id), RECIPIENT, SENDER, (1, 1), status="requested")
    body = StatusBody(business_status="cancellation-requested")
    assert pair[SENDER].take(event_record(pair, word, body)) == [TakenIn("StatusEvent")]
    assert [step.way for step in pair[SENDER].history(referral_id)] == ["sent", "received"]
