"""Dead letters that somebody lets be tried again, or decides against; and what the other side then sees."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from consumers.agency.dead_letters import Discarded, DueAgain
from consumers.agency.handover import Failed, HandedOver
from consumers.agency.verdicts import Missing, NotTaken
from consumers.agency.verdicts import TakenIn as Stored
from referral_bus.errors import Refused
from referral_bus.ledger import dead_letter_lists, handovers, tables
from referral_bus.ledger.dead_letter_lists import Choice
from schemas.events import ErasureEvent
from schemas.outcomes import Code
from schemas.personal import StatusBody
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, event_record, signed
from tests.kit.handing import ATTEMPTS
from tests.kit.people import PLANTED_NEED, RECIPIENT, SENDER, THIRD
from tests.kit.registers import changed
from tests.kit.settling import (
    REASON,
    a_held_one,
    an_exhausted_one,
    audited,
    discard,
    hand_over,
    letters,
    newer_register,
    retry,
)


def test_a_held_event_that_is_retried_is_judged_from_the_start(trio: Bench) -> None:
    event = a_held_one(trio)
    newer_register(trio)
    [done] = retry(trio)
    assert done.result == Stored("ReferralEvent")
    assert trio[RECIPIENT].status(event.referral_id) == "requested"
    with trio[RECIPIENT].ledger.read() as tx:
        assert tx.connection.execute(sa.select(tables.dead_letters)).all() == [], "nothing of it is left"
    assert audited(trio) == [("retried", "test", "REGISTER_NEWER", event.event_id)]


def test_a_held_event_that_is_retried_too_early_stays_held(trio: Bench) -> None:
    a_held_one(trio)
    before = letters(trio)
    [done] = retry(trio)
    assert done.result == NotTaken("ReferralEvent", Code.REGISTER_NEWER, owed=True)
    assert letters(trio) == before


def test_a_hand_over_that_was_given_up_and_is_retried_is_due_at_once_with_all_its_attempts(trio: Bench) -> None:
    an_exhausted_one(trio)
    assert hand_over(trio, Failed("status 500")) == []
    [done] = retry(trio)
    assert done.result == DueAgain()
    assert len(hand_over(trio, Failed("status 500"))) == ATTEMPTS
    assert [letter.code for letter in letters(trio)] == [Code.HANDOVER_EXHAUSTED]
    retry(trio)
    assert len(hand_over(trio, HandedOver())) == 1
    assert letters(trio) == []


def test_the_writer_of_a_held_referral_that_is_discarded_sees_it_refused_with_that_code(trio: Bench) -> None:
    trio.own_registers[SENDER] = changed(trio.register, version=2)
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    [step] = trio[SENDER].history(referral_id)
    assert (step.state, step.code) == ("held", "REGISTER_NEWER")

    assert [done.result for done in discard(trio)] == [Discarded(answered=False)]
    trio.settle()

    [step] = trio[SENDER].history(referral_id)
    assert (step.state, step.code) == ("refused", "DISCARDED")
    assert trio[RECIPIENT].status(referral_id) is None
    with pytest.raises(Refused):  # the referral is undelivered: nothing more can be said about it
        trio[SENDER].say("cancel", referral_id)


def test_a_discarded_event_uses_up_its_place_and_what_follows_is_taken(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    second = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    third = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 3))
    odd = StatusBody.model_construct(**StatusBody().model_dump() | {"business_status": "from-next-year"})
    records = [event_record(trio, event), event_record(trio, second, odd), event_record(trio, third)]
    assert trio[RECIPIENT].take(*records)[1:] == [
        NotTaken("StatusEvent", Code.CODE_UNKNOWN, owed=True),
        Missing("StatusEvent"),
    ]
    discard(trio)
    assert trio[RECIPIENT].take(records[1], records[2])[1] == Stored("StatusEvent")
    told = [(item.outcome, item.code) for item in trio[RECIPIENT].owed(SENDER)]
    assert told == [("STORED", None), ("REFUSED", "DISCARDED"), ("STORED", None)]


def test_a_recipients_status_counts_although_its_word_is_discarded(trio: Bench) -> None:
    """Else the two sides would end in different states."""
    key = trio[SENDER].key(trio[SENDER].refer(RECIPIENT))
    word = a_word(trio, key, RECIPIENT, SENDER, (1, 1), status="accepted", register_version=2)
    trio[SENDER].take(event_record(trio, word))
    discard(trio, Choice(writer=RECIPIENT), SENDER)
    assert trio[SENDER].status(key.referral_id) == "accepted"


def test_discarding_a_word_after_the_recipients_last_one_moves_nothing_back(trio: Bench) -> None:
    """Its retention has ended its words; what it said before, held here since, is nothing any more."""
    key = trio[SENDER].key(trio[SENDER].refer(RECIPIENT))
    held = a_word(trio, key, RECIPIENT, SENDER, (2, 1), status="accepted", register_version=2)
    trio[SENDER].take(event_record(trio, held))
    common = held.model_dump(include=set(ErasureEvent.model_fields)) | {"event_id": trio.new_id(), "sequence": 2}
    last = ErasureEvent(**common | {"status": "completed", "kind": "requested", "reason": "retention"})
    trio[SENDER].take(signed(trio, last))
    assert trio[SENDER].status(key.referral_id) == "completed"
    assert [done.result for done in discard(trio, Choice(writer=RECIPIENT), SENDER)] == [None]
    assert trio[SENDER].status(key.referral_id) == "completed"


def test_a_held_event_whose_place_another_has_taken_meanwhile_moves_nothing_back(trio: Bench) -> None:
    event = a_held_one(trio)
    again = a_referral(trio, SENDER, RECIPIENT, referral_id=event.referral_id)
    word = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    trio[RECIPIENT].take(event_record(trio, again), event_record(trio, word))
    assert [done.result for done in discard(trio)] == [None]
    assert trio[RECIPIENT].owed(SENDER)[-1].code == Code.EQUIVOCATION
    third = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 3))
    assert trio[RECIPIENT].take(event_record(trio, third)) == [Stored("StatusEvent")]


def test_discarding_a_new_referral_that_nobody_has_seen_answers_it_as_rejected(trio: Bench) -> None:
    referral_id = an_exhausted_one(trio, words=1)
    assert [done.result for done in discard(trio)] == [Discarded(answered=True)]
    trio.settle()
    assert trio[SENDER].status(referral_id) == trio[RECIPIENT].status(referral_id) == "rejected"
    answer = trio[SENDER].history(referral_id)[-1].body
    assert isinstance(answer, StatusBody)
    assert (answer.outcome_reason, answer.text) == ("other", None)
    assert [received.record for received in hand_over(trio, HandedOver())] == ["StatusEvent"], (
        "what was behind it goes on"
    )


def test_after_consent_has_expired_the_rejection_says_nothing_more(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    trio[RECIPIENT].take(event_record(trio, event))
    hand_over(trio, Failed("status 500"))
    trio.clock.move(timedelta(days=40_000))
    discard(trio)
    assert trio[RECIPIENT].history(event.referral_id)[-1].body == StatusBody()
    assert trio[RECIPIENT].status(event.referral_id) == "rejected"


def test_discarding_what_staff_have_seen_answers_nothing(trio: Bench) -> None:
    referral_id = an_exhausted_one(trio)
    trio[RECIPIENT].say("see", referral_id)
    assert [done.result for done in discard(trio)] == [Discarded(answered=False)]
    assert trio[RECIPIENT].status(referral_id) == "received"


def test_what_was_given_up_and_is_discarded_counts_as_handed_over(trio: Bench) -> None:
    an_exhausted_one(trio)
    discard(trio)
    with trio[RECIPIENT].ledger.read() as tx:
        assert (handovers.oldest_waiting(tx), handovers.blocked(tx)) == (None, 0)
    assert letters(trio) == []
    assert hand_over(trio, HandedOver()) == []


def test_the_reason_is_kept_encrypted_where_the_referral_has_a_key_and_nowhere_else(trio: Bench) -> None:
    an_exhausted_one(trio)
    a_held_one(trio)
    discard(trio)
    ledger = trio[RECIPIENT].ledger
    exhausted, held = letters(trio, choice=Choice(code=Code.DISCARDED))
    with ledger.read() as tx:
        assert dead_letter_lists.reason(tx, exhausted) == REASON
        assert dead_letter_lists.reason(tx, held) is None
        assert dead_letter_lists.value(tx, held) is None, "its bytes have gone"
    trio.settle()
    for path in ledger.path.parent.glob("*.sqlite*"):
        assert REASON.encode() not in path.read_bytes()
    assert REASON not in trio.log_lines.text
    assert PLANTED_NEED not in trio.log_lines.text


def test_a_discard_is_audited_with_who_asked_and_what_was_the_matter(trio: Bench) -> None:
    referral_id = an_exhausted_one(trio)
    event = a_held_one(trio)
    discard(trio)
    [new_referral] = [step for step in trio[RECIPIENT].history(referral_id) if step.record == "ReferralEvent"]
    assert audited(trio) == [
        ("discarded", "test", "HANDOVER_EXHAUSTED", new_referral.event_id),
        ("discarded", "test", "REGISTER_NEWER", event.event_id),
    ]


@pytest.mark.parametrize("held_by", [SENDER, RECIPIENT])
def test_a_discarded_word_of_an_agency_that_is_no_party_moves_nothing(trio: Bench, held_by: str) -> None:
    key = trio[SENDER].key(trio[SENDER].refer(RECIPIENT))
    trio.settle()
    word = a_word(trio, key, THIRD, held_by, (1, 1), status="rejected", register_version=2)
    trio[held_by].take(event_record(trio, word))
    assert [done.result for done in discard(trio, Choice(writer=THIRD), held_by)] == [Discarded(answered=False)]
    assert trio[held_by].status(key.referral_id) == "requested"
