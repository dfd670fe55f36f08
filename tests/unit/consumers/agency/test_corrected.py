"""What a stolen key has said of referrals that are there is corrected by the agency's own words, once it is revoked."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.queries import Step
from schemas.events import HIGHEST_INCARNATION, Place, ReferralKey, StatusEvent
from tests.kit.bench import Bench
from tests.kit.forge import a_word, event_record
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.stolen import revoke_stolen_key

HIGHEST_SEQUENCE = 2**53 - 1


def _accepted(trio: Bench) -> UUID:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    trio[RECIPIENT].say("accept", referral_id)
    trio.settle()
    return referral_id


def _thief_says(trio: Bench, referral_id: UUID, place: tuple[int, int], status: str, **changes: object) -> StatusEvent:
    """To the sender, under the recipient's key; by default behind whatever the sender has."""
    follows = changes.pop("follows", (1, 1))
    assert isinstance(follows, tuple)
    key = ReferralKey(SENDER, referral_id)
    word = a_word(trio, key, RECIPIENT, SENDER, place, status, follows=follows, **changes)
    trio[SENDER].take(event_record(trio, word))
    return word


def _settle(trio: Bench) -> None:
    for _ in range(3):
        trio.announce()
        trio.clock.move(timedelta(minutes=2))
        trio.settle(30)


def _own_words(trio: Bench, code: str, referral_id: UUID) -> list[Step]:
    return [step for step in trio[code].history(referral_id) if step.state is not None]


@pytest.mark.parametrize(
    ("places", "restored"),
    [
        ([(2, 5)], True),
        ([(2, 3), (HIGHEST_INCARNATION, 1)], True),
        ([(1, 2)], False),
        ([(1, 2)], True),
        ([(1, HIGHEST_SEQUENCE)], False),
        ([(HIGHEST_INCARNATION, HIGHEST_SEQUENCE)], False),
    ],
)
def test_no_true_word_is_lost_wherever_the_thief_has_spoken(
    trio: Bench, places: list[tuple[int, int]], restored: bool
) -> None:
    referral_id = _accepted(trio)
    before = (1, 1)
    for place in places:
        _thief_says(trio, referral_id, place, "completed" if place == places[-1] else "accepted", follows=before)
        before = place
    assert trio[SENDER].status(referral_id) == "completed"
    revoke_stolen_key(trio, RECIPIENT)
    if restored:
        trio[RECIPIENT].go_on()
        _settle(trio)
        assert trio[SENDER].status(referral_id) == "accepted"
    trio[RECIPIENT].say("ask", referral_id, text="Where is she now?")
    _settle(trio)
    assert trio[SENDER].status(referral_id) == "accepted"
    assert trio[SENDER].referral(referral_id).question_asked_at is not None
    trio[RECIPIENT].say("complete", referral_id, outcome="provided")
    _settle(trio)
    assert trio[SENDER].status(referral_id) == "completed"
    assert {step.state for step in _own_words(trio, RECIPIENT, referral_id)} == {OutboxState.STORED}


@pytest.mark.parametrize("restored", [False, True])
def test_a_senders_words_arrive_where_the_thief_has_used_its_highest_place(trio: Bench, restored: bool) -> None:
    referral_id = _accepted(trio)
    word = a_word(trio, ReferralKey(SENDER, referral_id), SENDER, RECIPIENT, (1, HIGHEST_SEQUENCE), follows=(1, 1))
    trio[RECIPIENT].take(event_record(trio, word))
    revoke_stolen_key(trio, SENDER)
    if restored:
        trio[SENDER].go_on()
        _settle(trio)
    trio[SENDER].say("cancel", referral_id)
    _settle(trio)
    assert trio[RECIPIENT].referral(referral_id).cancel_requested_at is not None
    assert {step.state for step in _own_words(trio, SENDER, referral_id)} == {OutboxState.STORED}


def test_an_event_id_that_the_thief_has_used_is_free(trio: Bench) -> None:
    referral_id = _accepted(trio)
    word = _thief_says(trio, referral_id, (1, 2), "completed")
    revoke_stolen_key(trio, RECIPIENT)
    _thief_says(trio, referral_id, (1, 3), "in-progress", event_id=word.event_id)
    assert trio[SENDER].status(referral_id) == "in-progress"


def test_what_was_stored_under_the_key_before_is_not_stored_twice(trio: Bench) -> None:
    referral_id = _accepted(trio)
    word = _thief_says(trio, referral_id, (1, 2), "in-progress")
    revoke_stolen_key(trio, RECIPIENT)
    steps = len(trio[SENDER].history(referral_id))
    trio[SENDER].take(event_record(trio, word))
    assert len(trio[SENDER].history(referral_id)) == steps


def test_what_follows_a_place_that_was_never_used_waits_for_it(trio: Bench) -> None:
    """Or it would pass an event that is still on its way. Its writer is told where it is to begin."""
    referral_id = _accepted(trio)
    _thief_says(trio, referral_id, (1, HIGHEST_SEQUENCE), "completed")
    revoke_stolen_key(trio, RECIPIENT)
    trio[SENDER].relay.tick()
    trio[RECIPIENT].read()
    key = ReferralKey(SENDER, referral_id)
    overtaking = a_word(trio, key, RECIPIENT, SENDER, (1, 3), "completed", event_id=uuid4())
    trio[SENDER].take(event_record(trio, overtaking))
    (item,) = [each for each in trio[SENDER].owed(RECIPIENT) if each.event_id == overtaking.event_id]
    assert (item.outcome, Place(item.held_incarnation, item.held_sequence)) == ("MISSING", Place(1, 1))
    for sequence, status in ((2, "in-progress"), (3, "completed")):
        word = a_word(trio, key, RECIPIENT, SENDER, (1, sequence), status)
        trio[SENDER].take(event_record(trio, word))
        assert trio[SENDER].status(referral_id) == status


def test_a_deadline_that_only_the_thief_has_met_is_met_anew(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    _thief_says(trio, referral_id, (1, 1), "accepted", follows=(0, 0))
    assert trio[SENDER].referral(referral_id).answered_at is not None
    revoke_stolen_key(trio, RECIPIENT)
    trio[RECIPIENT].say("see", referral_id)
    _settle(trio)
    assert trio[SENDER].status(referral_id) == "received"
    assert trio[SENDER].referral(referral_id).answered_at is None
