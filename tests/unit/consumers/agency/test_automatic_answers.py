"""What the recipient's service answers by itself: a cancellation request, while no person has taken the referral on."""

from uuid import UUID

import pytest

from consumers.agency.take_in import Taken
from schemas.lifecycle import Status
from schemas.personal import StatusBody
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, event_record
from tests.kit.people import RECIPIENT, SENDER


def _stored_referral(trio: Bench) -> UUID:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    return referral_id


def _words_sent(trio: Bench, referral_id: UUID) -> list[str | None]:
    return [step.status for step in trio[RECIPIENT].history(referral_id) if step.way == "sent"]


@pytest.mark.parametrize("verbs", [(), ("see",)])
def test_a_referral_that_nobody_has_taken_on_is_cancelled_by_the_service_at_once(
    trio: Bench, verbs: tuple[str, ...]
) -> None:
    referral_id = _stored_referral(trio)
    for verb in verbs:
        trio[RECIPIENT].say(verb, referral_id)
    trio[SENDER].say("cancel", referral_id)
    trio.settle()
    assert trio[RECIPIENT].status(referral_id) == trio[SENDER].status(referral_id) == Status.CANCELLED
    assert _words_sent(trio, referral_id)[-1] == Status.CANCELLED
    assert trio[RECIPIENT].history(referral_id)[-1].body == StatusBody()


def test_a_referral_that_a_person_has_accepted_is_not_cancelled_by_the_service(trio: Bench) -> None:
    referral_id = _stored_referral(trio)
    trio[RECIPIENT].say("accept", referral_id)
    trio[SENDER].say("cancel", referral_id)
    trio.settle()
    assert trio[RECIPIENT].status(referral_id) == trio[SENDER].status(referral_id) == Status.ACCEPTED
    assert _words_sent(trio, referral_id) == [Status.ACCEPTED]
    trio[RECIPIENT].say("confirm-cancel", referral_id)
    trio.settle()
    assert trio[SENDER].status(referral_id) == Status.CANCELLED


def test_a_word_about_an_ended_referral_is_stored_and_changes_nothing(trio: Bench) -> None:
    referral_id = _stored_referral(trio)
    trio[SENDER].say("cancel", referral_id)
    trio[RECIPIENT].say("reject", referral_id, outcome_reason="no-capacity")
    trio.settle()
    assert _words_sent(trio, referral_id) == [Status.REJECTED]
    assert trio[RECIPIENT].status(referral_id) == trio[SENDER].status(referral_id) == Status.REJECTED
    received = [step for step in trio[RECIPIENT].history(referral_id) if step.way == "received"]
    assert [step.outcome for step in received] == ["STORED", "STORED"]


def test_an_answer_to_a_question_is_not_taken_for_a_cancellation(trio: Bench) -> None:
    referral_id = _stored_referral(trio)
    trio[RECIPIENT].say("ask", referral_id, text="Synthetic question?")
    trio.settle()
    trio[SENDER].say("answer", referral_id, text="Synthetic answer.")
    trio.settle()
    assert trio[RECIPIENT].status(referral_id) == Status.REQUESTED
    assert len(_words_sent(trio, referral_id)) == 1


def test_a_cancellation_that_comes_twice_is_answered_once(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    cancel = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    body = StatusBody(business_status="cancellation-requested")
    trio[RECIPIENT].take(*(event_record(trio, each, more) for each, more in ((event, None), (cancel, body))))
    trio[RECIPIENT].take(event_record(trio, cancel, body))
    assert _words_sent(trio, event.referral_id) == [Status.CANCELLED]


def test_the_senders_own_copy_of_a_cancellation_word_is_no_request_to_itself(trio: Bench) -> None:
    """The recipient may write what it likes into its sealed part: only the sender can ask for cancellation."""
    referral_id = trio[SENDER].refer(RECIPIENT)
    word = a_word(trio, trio[SENDER].key(referral_id), RECIPIENT, SENDER, (1, 1), status="requested")
    body = StatusBody(business_status="cancellation-requested")
    assert trio[SENDER].take(event_record(trio, word, body)) == [Taken("StatusEvent")]
    assert [step.way for step in trio[SENDER].history(referral_id)] == ["sent", "received"]
