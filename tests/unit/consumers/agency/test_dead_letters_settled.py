"""Dead letters that somebody lets be tried again, or decides against; and what the other side then sees."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from consumers.agency import dead_letters
from consumers.agency.dead_letters import Discarded, Done, DueAgain
from consumers.agency.handover import Answer, Failed, Taken
from consumers.agency.verdicts import Missing, NotTaken, Surroundings
from consumers.agency.verdicts import Taken as Stored
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import dead_letter_lists, handing_over, tables
from referral_bus.ledger.dead_letter_lists import Choice, DeadLetter
from referral_bus.ledger.dead_letters import State
from referral_bus.ledger.handing_over import LONGEST_PAUSE, Received
from schemas.events import ErasureEvent, ReferralEvent
from schemas.outcomes import Code
from schemas.personal import StatusBody
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, event_record, signed, signed_bytes
from tests.kit.handing import ATTEMPTS, handover_to, until_quiet
from tests.kit.people import PLANTED_NEED, RECIPIENT, SENDER, THIRD
from tests.kit.registers import changed

REASON = "PLANTED-REASON-7731 the synthetic family has moved"
EVERYTHING = Choice(writer=SENDER)


def _around(trio: Bench, code: str = RECIPIENT) -> Surroundings:
    station = trio[code]
    return Surroundings(code, station.register, station.keyring.find_sealing, uuid4, trio.clock())


def _retry(trio: Bench, choice: Choice = EVERYTHING) -> list[Done]:
    ledger = trio[RECIPIENT].ledger
    return dead_letters.retry(ledger, dead_letters.waiting(ledger, choice), _around(trio), "test")


def _discard(trio: Bench, choice: Choice = EVERYTHING, code: str = RECIPIENT) -> list[Done]:
    ledger = trio[code].ledger
    return dead_letters.discard(ledger, dead_letters.waiting(ledger, choice), REASON, _around(trio, code), "test")


def _letters(trio: Bench, code: str = RECIPIENT, choice: Choice | None = None) -> list[DeadLetter]:
    with trio[code].ledger.read() as tx:
        return dead_letter_lists.chosen(tx, choice or Choice(), 100)


def _audited(trio: Bench, code: str = RECIPIENT) -> list[tuple[str, str, str, object]]:
    columns = tables.audit.c
    query = sa.select(columns.action, columns.by, columns.code, columns.event_id).order_by(columns.number)
    with trio[code].ledger.read() as tx:
        rows = tx.connection.execute(query.where(columns.action.in_(("retried", "discarded")))).all()
    return [tuple(row) for row in rows]


def _held(trio: Bench) -> ReferralEvent:
    """A referral that cites the register's next version, on its way over the broker."""
    event = a_referral(trio, SENDER, RECIPIENT, register_version=2)
    trio[RECIPIENT].take(event_record(trio, event))
    return event


def _newer_register(trio: Bench) -> None:
    trio.own_registers[RECIPIENT] = changed(trio.register, version=2)


def test_a_held_event_that_is_retried_is_judged_from_the_start(trio: Bench) -> None:
    event = _held(trio)
    _newer_register(trio)
    [done] = _retry(trio)
    assert done.result == Stored("ReferralEvent")
    assert trio[RECIPIENT].status(event.referral_id) == "requested"
    assert _letters(trio) == []
    assert _audited(trio) == [("retried", "test", "REGISTER_NEWER", event.event_id)]


def test_a_held_event_that_is_retried_too_early_stays_held(trio: Bench) -> None:
    _held(trio)
    before = _letters(trio)
    [done] = _retry(trio)
    assert done.result == NotTaken("ReferralEvent", Code.REGISTER_NEWER, owed=True)
    assert _letters(trio) == before


def _exhausted(trio: Bench, words: int = 0) -> UUID:
    """A referral that RECIPIENT's system did not take, however often it was asked, and words behind it."""
    referral_id = trio[SENDER].refer(RECIPIENT)
    for number in range(words):
        trio[SENDER].say("answer", referral_id, text=f"Synthetic word {number}.")
    trio.settle()
    _hand_over(trio, Failed("status 500"))
    return referral_id


def _hand_over(trio: Bench, answer: Answer) -> list[Received]:
    """As often as an event is tried."""
    asked: list[Received] = []

    def endpoint(received: Received) -> Answer:
        asked.append(received)
        return answer

    with handover_to(trio, endpoint) as made:
        for _ in range(ATTEMPTS):
            until_quiet(made)
            trio.clock.move(LONGEST_PAUSE)
    return asked


def test_a_hand_over_that_was_given_up_and_is_retried_is_due_at_once_with_all_its_attempts(trio: Bench) -> None:
    _exhausted(trio)
    assert _hand_over(trio, Failed("status 500")) == []
    [done] = _retry(trio)
    assert done.result == DueAgain()
    assert len(_hand_over(trio, Failed("status 500"))) == ATTEMPTS
    assert [letter.code for letter in _letters(trio)] == [Code.HANDOVER_EXHAUSTED]
    _retry(trio)
    assert len(_hand_over(trio, Taken())) == 1
    assert _letters(trio) == []


def test_the_writer_of_a_held_referral_that_is_discarded_sees_it_refused_with_that_code(trio: Bench) -> None:
    trio.own_registers[SENDER] = changed(trio.register, version=2)
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    [step] = trio[SENDER].history(referral_id)
    assert (step.state, step.code) == ("held", "REGISTER_NEWER")

    assert [done.result for done in _discard(trio)] == [Discarded(answered=False)]
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
    _discard(trio)
    assert trio[RECIPIENT].take(records[1], records[2])[1] == Stored("StatusEvent")
    told = [(item.outcome, item.code) for item in trio[RECIPIENT].owed(SENDER)]
    assert told[-3:] == [("REFUSED", "DISCARDED"), ("REFUSED", "DISCARDED"), ("STORED", None)]


def test_a_recipients_status_counts_although_its_word_is_discarded(trio: Bench) -> None:
    """Else the two sides would end in different states."""
    key = trio[SENDER].key(trio[SENDER].refer(RECIPIENT))
    word = a_word(trio, key, RECIPIENT, SENDER, (1, 1), status="accepted", register_version=2)
    trio[SENDER].take(event_record(trio, word))
    _discard(trio, Choice(writer=RECIPIENT), SENDER)
    assert trio[SENDER].status(key.referral_id) == "accepted"


def test_a_held_event_whose_place_another_has_taken_meanwhile_moves_nothing_back(trio: Bench) -> None:
    event = _held(trio)
    again = a_referral(trio, SENDER, RECIPIENT, referral_id=event.referral_id)
    word = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    trio[RECIPIENT].take(event_record(trio, again), event_record(trio, word))
    assert [done.result for done in _discard(trio)] == [None]
    assert trio[RECIPIENT].owed(SENDER)[-1].code == Code.EQUIVOCATION
    third = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 3))
    assert trio[RECIPIENT].take(event_record(trio, third)) == [Stored("StatusEvent")]


def test_discarding_a_new_referral_that_nobody_has_seen_answers_it_as_rejected(trio: Bench) -> None:
    referral_id = _exhausted(trio, words=1)
    assert [done.result for done in _discard(trio)] == [Discarded(answered=True)]
    trio.settle()
    assert trio[SENDER].status(referral_id) == trio[RECIPIENT].status(referral_id) == "rejected"
    answer = trio[SENDER].history(referral_id)[-1].body
    assert isinstance(answer, StatusBody)
    assert (answer.outcome_reason, answer.text) == ("other", None)
    assert [received.record for received in _hand_over(trio, Taken())] == ["StatusEvent"], "what was behind it goes on"


def test_after_consent_has_expired_the_rejection_says_nothing_more(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    trio[RECIPIENT].take(event_record(trio, event))
    _hand_over(trio, Failed("status 500"))
    trio.clock.move(timedelta(days=40_000))
    _discard(trio)
    assert trio[RECIPIENT].history(event.referral_id)[-1].body == StatusBody()
    assert trio[RECIPIENT].status(event.referral_id) == "rejected"


def test_discarding_what_staff_have_seen_answers_nothing(trio: Bench) -> None:
    referral_id = _exhausted(trio)
    trio[RECIPIENT].say("see", referral_id)
    assert [done.result for done in _discard(trio)] == [Discarded(answered=False)]
    assert trio[RECIPIENT].status(referral_id) == "received"


def test_what_was_given_up_and_is_discarded_counts_as_handed_over(trio: Bench) -> None:
    _exhausted(trio)
    _discard(trio)
    with trio[RECIPIENT].ledger.read() as tx:
        assert (handing_over.oldest_waiting(tx), handing_over.blocked(tx)) == (None, 0)
    assert _letters(trio) == []
    assert _hand_over(trio, Taken()) == []


def test_the_reason_is_kept_encrypted_where_the_referral_has_a_key_and_nowhere_else(trio: Bench) -> None:
    _exhausted(trio)
    _held(trio)
    _discard(trio)
    ledger = trio[RECIPIENT].ledger
    exhausted, held = _letters(trio, choice=Choice(code=Code.DISCARDED))
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
    referral_id = _exhausted(trio)
    event = _held(trio)
    _discard(trio)
    [new_referral] = [step for step in trio[RECIPIENT].history(referral_id) if step.record == "ReferralEvent"]
    assert _audited(trio) == [
        ("discarded", "test", "HANDOVER_EXHAUSTED", new_referral.event_id),
        ("discarded", "test", "REGISTER_NEWER", event.event_id),
    ]


def _reason_of(trio: Bench, choice: Choice) -> Reason:
    with pytest.raises(Refused) as refused:
        _discard(trio, choice)
    return refused.value.reason


def test_what_does_not_wait_cannot_be_settled_and_then_nothing_is(trio: Bench) -> None:
    _held(trio)
    trio[RECIPIENT].take(event_record(trio, a_referral(trio, SENDER, RECIPIENT, respond_by=trio.clock())))
    held, refused = _letters(trio)
    assert _reason_of(trio, Choice((held.number, refused.number))) is Reason.DEAD_LETTER_FINAL
    assert _reason_of(trio, Choice((held.number, 99))) is Reason.DEAD_LETTER_UNKNOWN
    assert _reason_of(trio, Choice(writer=THIRD)) is Reason.DEAD_LETTER_UNKNOWN
    assert _reason_of(trio, Choice()) is Reason.FIELD_MISSING
    assert _letters(trio) == [held, refused]
    _discard(trio, EVERYTHING)  # by a filter only what waits is meant
    assert _reason_of(trio, Choice((held.number,))) is Reason.DEAD_LETTER_FINAL


def test_what_cannot_be_read_yet_cannot_be_discarded_since_its_place_is_not_known(trio: Bench) -> None:
    trio[RECIPIENT].take(signed_bytes(trio, b"\xc3\x01schema-9newer", a_referral(trio, SENDER, RECIPIENT)))
    before = _letters(trio)
    assert _reason_of(trio, EVERYTHING) is Reason.DEAD_LETTER_KEPT
    assert _letters(trio) == before


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
    _hand_over(trio, Failed("status 500"))
    [given_up] = _letters(trio, choice=Choice(code=Code.HANDOVER_EXHAUSTED))
    assert _reason_of(trio, Choice((given_up.number,))) is Reason.DEAD_LETTER_KEPT


def test_an_erasure_passes_a_hand_over_that_was_given_up_and_leaves_no_dead_letter(trio: Bench) -> None:
    referral_id = _exhausted(trio, words=1)
    trio[SENDER].withdraw(referral_id)
    trio.settle()
    assert _letters(trio) == []
    assert [received.record for received in _hand_over(trio, Taken())] == ["ErasureEvent"]


@pytest.mark.parametrize("state", [State.HELD, State.EXHAUSTED])
def test_what_somebody_else_has_settled_meanwhile_is_left_alone(trio: Bench, state: State) -> None:
    _held(trio) if state is State.HELD else _exhausted(trio)
    ledger = trio[RECIPIENT].ledger
    seen = dead_letters.waiting(ledger, EVERYTHING)
    _discard(trio)
    audited = _audited(trio)
    assert [done.result for done in dead_letters.retry(ledger, seen, _around(trio), "test")] == [None]
    assert [done.result for done in dead_letters.discard(ledger, seen, REASON, _around(trio), "test")] == [None]
    assert _audited(trio) == audited
