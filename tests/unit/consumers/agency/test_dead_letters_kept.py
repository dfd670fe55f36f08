"""Dead letters that nobody can settle, and those that somebody else was faster with."""

import pytest

from consumers.agency import dead_letters
from consumers.agency.handover import Failed, HandedOver
from referral_bus.errors import Reason, Refused
from referral_bus.ledger.dead_letter_lists import Choice
from referral_bus.ledger.dead_letters import DeadLetterState
from schemas.events import ErasureEvent
from schemas.outcomes import Code
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, event_record, signed, signed_bytes
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.settling import (
    EVERYTHING,
    REASON,
    a_held_one,
    an_exhausted_one,
    audited,
    context,
    discard,
    hand_over,
    letters,
)


def _reason_of(trio: Bench, choice: Choice) -> Reason:
    with pytest.raises(Refused) as refused:
        discard(trio, choice)
    return refused.value.reason


def test_what_does_not_wait_cannot_be_settled_and_then_nothing_is(trio: Bench) -> None:
    a_held_one(trio)
    trio[RECIPIENT].take(event_record(trio, a_referral(trio, SENDER, RECIPIENT, respond_by=trio.clock())))
    held, refused = letters(trio)
    assert _reason_of(trio, Choice((held.number, refused.number))) is Reason.DEAD_LETTER_FINAL
    assert _reason_of(trio, Choice((held.number, 99))) is Reason.DEAD_LETTER_UNKNOWN
    assert _reason_of(trio, Choice(writer=THIRD)) is Reason.DEAD_LETTER_UNKNOWN
    assert _reason_of(trio, Choice()) is Reason.FIELD_MISSING
    assert letters(trio) == [held, refused]
    discard(trio, EVERYTHING)  # by a filter only what waits is meant
    assert _reason_of(trio, Choice((held.number,))) is Reason.DEAD_LETTER_FINAL


def test_what_cannot_be_read_yet_cannot_be_discarded_since_its_place_is_not_known(trio: Bench) -> None:
    a_held_one(trio)
    trio[RECIPIENT].take(signed_bytes(trio, b"\xc3\x01schema-9newer", a_referral(trio, SENDER, RECIPIENT)))
    before = letters(trio)
    assert _reason_of(trio, EVERYTHING) is Reason.DEAD_LETTER_KEPT
    assert letters(trio) == before


def test_an_erasure_is_never_discarded_whether_held_or_given_up(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    common = event.model_dump(include=set(ErasureEvent.model_fields))
    erasure = ErasureEvent(**common, status=None, kind="requested", reason="from-next-year")
    trio[RECIPIENT].take(signed(trio, erasure))
    assert _reason_of(trio, EVERYTHING) is Reason.DEAD_LETTER_KEPT
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    trio[SENDER].withdraw(referral_id)
    trio.settle()
    hand_over(trio, Failed("status 500"))
    [given_up] = letters(trio, choice=Choice(code=Code.HANDOVER_EXHAUSTED))
    assert _reason_of(trio, Choice((given_up.number,))) is Reason.DEAD_LETTER_KEPT


def test_an_erasure_passes_a_hand_over_that_was_given_up_and_leaves_no_dead_letter(trio: Bench) -> None:
    referral_id = an_exhausted_one(trio, words=1)
    trio[SENDER].withdraw(referral_id)
    trio.settle()
    assert letters(trio) == []
    assert [received.record for received in hand_over(trio, HandedOver())] == ["ErasureEvent"]


@pytest.mark.parametrize("state", [DeadLetterState.HELD, DeadLetterState.EXHAUSTED])
def test_what_somebody_else_has_settled_meanwhile_is_left_alone(trio: Bench, state: DeadLetterState) -> None:
    a_held_one(trio) if state is DeadLetterState.HELD else an_exhausted_one(trio)
    ledger = trio[RECIPIENT].ledger
    seen = dead_letters.waiting(ledger, EVERYTHING)
    discard(trio)
    before = audited(trio)
    assert [done.result for done in dead_letters.retry(ledger, seen, context(trio), "test")] == [None]
    assert [done.result for done in dead_letters.discard(ledger, seen, REASON, context(trio), "test")] == [None]
    assert audited(trio) == before
