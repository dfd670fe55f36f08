"""Taking in, second half: what is in order is judged by its content. Each event here is wrong in one thing only."""

from datetime import timedelta

import pytest

from consumers.agency.verdicts import Again, Missing, NotTaken, Reseal, TakenIn
from schemas.events import NOWHERE, Place, ReferralEvent, ReferralKey, StatusEvent
from schemas.lifecycle import Status
from schemas.outcomes import Code, Outcome
from schemas.personal import StatusBody
from tests.kit.bench import Bench, Station
from tests.kit.forge import Body, a_referral, a_word, body_for, event_record, sealed, signed
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.registers import changed, without_agreement


def _refused(
    station: Station, bench: Bench, event: ReferralEvent | StatusEvent, code: Code, body: Body | bytes | None = None
) -> str | None:
    """Takes it, checks that it is refused for good with this code at its place; returns the path told."""
    assert station.take(event_record(bench, event, body)) == [NotTaken(event.record, code, owed=True)]
    item = station.owed(event.writer)[-1]
    assert (item.outcome, item.code, item.held) == (Outcome.REFUSED, code, event.place)
    return item.path


def _held(station: Station, bench: Bench, event: ReferralEvent | StatusEvent, code: Code, body: Body | None) -> None:
    """Takes it, checks that it is kept undecided, its place not used up, and that a copy of it changes nothing."""
    raw, held = event_record(bench, event, body), event.follows
    assert station.take(raw) == [NotTaken(event.record, code, owed=True)]
    assert station.take(raw) == [Again(event.record)]
    item = station.owed(event.writer)[-1]
    assert (item.outcome, item.code, item.held) == (Outcome.HELD, code, held)


def _referred(bench: Bench) -> ReferralKey:
    """A referral from SENDER that RECIPIENT has stored."""
    event = a_referral(bench, SENDER, RECIPIENT)
    assert bench[RECIPIENT].take(event_record(bench, event)) == [TakenIn("ReferralEvent")]
    return event.referral


def _sent(bench: Bench) -> ReferralKey:
    """A referral that SENDER has published to RECIPIENT."""
    return bench[SENDER].key(bench[SENDER].refer(RECIPIENT))


def test_an_event_that_cites_a_newer_register_is_held_until_that_register_is_here(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT, register_version=2)
    _held(trio[RECIPIENT], trio, event, Code.REGISTER_NEWER, None)
    word = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    assert trio[RECIPIENT].take(event_record(trio, word)) == [Missing("StatusEvent")]
    trio.own_registers[RECIPIENT] = changed(trio.register, version=2)
    trio[RECIPIENT].ingest.judge_held()
    assert trio[RECIPIENT].owed(SENDER)[-1].outcome == Outcome.STORED
    assert trio[RECIPIENT].status(event.referral_id) == Status.REQUESTED
    trio[RECIPIENT].ingest.judge_held()  # held no more: judged once
    assert trio[RECIPIENT].take(event_record(trio, word)) == [TakenIn("StatusEvent")]


def test_a_register_that_has_expired_stops_new_referrals_and_nothing_else(trio: Bench) -> None:
    key = _referred(trio)
    trio.own_registers[RECIPIENT] = changed(trio.register, expires_at=trio.clock())
    _held(trio[RECIPIENT], trio, a_referral(trio, SENDER, RECIPIENT), Code.REGISTER_NEWER, None)
    word = a_word(trio, key, SENDER, RECIPIENT, (1, 2))
    assert trio[RECIPIENT].take(event_record(trio, word)) == [TakenIn("StatusEvent")]


def test_a_referral_in_another_agencys_name_is_not_a_partys(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT, referral_sender=THIRD)
    _refused(trio[RECIPIENT], trio, event, Code.NOT_A_PARTY)


def test_to_a_third_agency_a_referral_is_unknown(trio: Bench) -> None:
    word = a_word(trio, _referred(trio), THIRD, RECIPIENT, (1, 1))
    _refused(trio[RECIPIENT], trio, word, Code.REFERRAL_UNKNOWN)


def test_an_accepting_third_agency_does_not_move_a_referral(trio: Bench) -> None:
    key = _sent(trio)
    word = a_word(trio, key, THIRD, SENDER, (1, 1), status="accepted")
    _refused(trio[SENDER], trio, word, Code.REFERRAL_UNKNOWN)
    assert trio[SENDER].status(key.referral_id) == Status.REQUESTED


def test_a_word_about_a_referral_that_was_refused_is_referral_unknown(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    _refused(trio[RECIPIENT], trio, event, Code.CONSENT_INVALID, body_for(THIRD))
    word = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    _refused(trio[RECIPIENT], trio, word, Code.REFERRAL_UNKNOWN)


def test_a_referral_without_an_agreement_in_force_is_refused(trio: Bench) -> None:
    trio.own_registers[RECIPIENT] = without_agreement(trio.register, SENDER, RECIPIENT)
    _refused(trio[RECIPIENT], trio, a_referral(trio, SENDER, RECIPIENT), Code.NOT_AGREED)


def test_an_agreement_that_ends_stops_no_word_about_an_older_referral(trio: Bench) -> None:
    key = _referred(trio)
    trio.own_registers[RECIPIENT] = without_agreement(trio.register, SENDER, RECIPIENT)
    word = a_word(trio, key, SENDER, RECIPIENT, (1, 2))
    assert trio[RECIPIENT].take(event_record(trio, word)) == [TakenIn("StatusEvent")]


def test_a_second_beginning_of_the_same_referral_is_refused(trio: Bench) -> None:
    key = _referred(trio)
    again = a_referral(trio, SENDER, RECIPIENT, referral_id=key.referral_id, sequence=2)
    again = again.model_copy(update={"follows_incarnation": 1, "follows_sequence": 1})
    _refused(trio[RECIPIENT], trio, again, Code.TRANSITION_REFUSED)


def test_a_sealed_part_moved_to_another_event_does_not_open(trio: Bench) -> None:
    """The body is bound to every clear field: here only the priority was changed after sealing."""
    whole = sealed(trio, a_referral(trio, SENDER, RECIPIENT)).model_copy(update={"priority": "routine"})
    assert isinstance(whole, ReferralEvent)
    [verdict] = trio[RECIPIENT].take(signed(trio, whole))
    assert verdict == NotTaken("ReferralEvent", Code.OPEN_FAILED, owed=True)
    item = trio[RECIPIENT].owed(SENDER)[0]
    assert (item.outcome, item.code, item.held) == (Outcome.REFUSED, Code.OPEN_FAILED, Place(1, 1))


def test_a_body_sealed_to_a_key_that_is_gone_is_to_be_sealed_anew(trio: Bench) -> None:
    whole = sealed(trio, a_referral(trio, SENDER, RECIPIENT)).model_copy(update={"sealing_key_id": "f" * 32})
    assert isinstance(whole, ReferralEvent)
    assert trio[RECIPIENT].take(signed(trio, whole)) == [Reseal("ReferralEvent")]
    assert [(item.outcome, item.held) for item in trio[RECIPIENT].owed(SENDER)] == [(Outcome.RESEAL, NOWHERE)]
    assert trio[RECIPIENT].take(event_record(trio, whole)) == [
        TakenIn("ReferralEvent")
    ]  # the same event, place and all


def test_a_body_that_is_not_padded_does_not_open(trio: Bench) -> None:
    _refused(trio[RECIPIENT], trio, a_referral(trio, SENDER, RECIPIENT), Code.OPEN_FAILED, b"not framed")


def test_a_body_of_the_other_kind_is_a_value_refused(trio: Bench) -> None:
    _refused(trio[RECIPIENT], trio, a_referral(trio, SENDER, RECIPIENT), Code.VALUE_REFUSED, StatusBody())


def test_a_referral_with_a_code_newer_than_our_lists_is_held(trio: Bench) -> None:
    body = body_for(RECIPIENT)
    request = body.request.model_copy(update={"service_types": ("from-next-year",)})
    event = a_referral(trio, SENDER, RECIPIENT)
    _held(trio[RECIPIENT], trio, event, Code.CODE_UNKNOWN, body.model_copy(update={"request": request}))


def test_a_referral_with_a_priority_newer_than_our_lists_is_held(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT, priority="yesterday")
    _held(trio[RECIPIENT], trio, event, Code.CODE_UNKNOWN, None)


def test_a_word_with_a_status_newer_than_our_lists_is_held(trio: Bench) -> None:
    key = _sent(trio)
    _held(trio[SENDER], trio, a_word(trio, key, RECIPIENT, SENDER, (1, 1), "paused"), Code.CODE_UNKNOWN, None)


def test_an_answer_due_before_the_first_word_is_a_value_refused(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT, respond_by=trio.clock())
    assert _refused(trio[RECIPIENT], trio, event, Code.VALUE_REFUSED) == "respond_by"


def test_consent_for_another_recipient_is_refused(trio: Bench) -> None:
    _refused(trio[RECIPIENT], trio, a_referral(trio, SENDER, RECIPIENT), Code.CONSENT_INVALID, body_for(THIRD))
    assert trio[RECIPIENT].owed(SENDER)[0].path is None  # a path of the sealed part would say something


def test_consent_that_has_expired_is_refused(trio: Bench) -> None:
    body = body_for(RECIPIENT)
    consent = body.consent.model_copy(update={"expires_at": trio.clock()})
    event = a_referral(trio, SENDER, RECIPIENT)
    _refused(trio[RECIPIENT], trio, event, Code.CONSENT_INVALID, body.model_copy(update={"consent": consent}))


def test_consent_that_ends_later_than_now_is_taken(trio: Bench) -> None:
    body = body_for(RECIPIENT)
    consent = body.consent.model_copy(update={"expires_at": trio.clock() + timedelta(milliseconds=1)})
    raw = event_record(trio, a_referral(trio, SENDER, RECIPIENT), body.model_copy(update={"consent": consent}))
    assert trio[RECIPIENT].take(raw) == [TakenIn("ReferralEvent")]


def test_a_status_from_the_sender_is_a_value_refused(trio: Bench) -> None:
    word = a_word(trio, _referred(trio), SENDER, RECIPIENT, (1, 2), status="requested")
    assert _refused(trio[RECIPIENT], trio, word, Code.VALUE_REFUSED) == "status"


def test_a_word_of_the_recipient_without_a_status_is_a_value_refused(trio: Bench) -> None:
    word = a_word(trio, _sent(trio), RECIPIENT, SENDER, (1, 1), status=None)
    assert _refused(trio[SENDER], trio, word, Code.VALUE_REFUSED) == "status"


def test_a_step_that_the_life_cycle_does_not_have_is_refused(trio: Bench) -> None:
    key = _sent(trio)
    word = a_word(trio, key, RECIPIENT, SENDER, (1, 1), status="in-progress")
    assert _refused(trio[SENDER], trio, word, Code.TRANSITION_REFUSED) == "status"
    assert trio[SENDER].status(key.referral_id) == Status.REQUESTED


@pytest.mark.parametrize(("status", "counts"), [(Status.ACCEPTED, Status.ACCEPTED), (Status.ON_HOLD, Status.REQUESTED)])
def test_a_recipients_status_counts_although_its_body_is_refused_if_it_is_legal(
    trio: Bench, status: Status, counts: Status
) -> None:
    key = _sent(trio)
    word = a_word(trio, key, RECIPIENT, SENDER, (1, 1), status=status)
    _refused(trio[SENDER], trio, word, Code.OPEN_FAILED, b"does not open")
    assert trio[SENDER].status(key.referral_id) == counts


def test_a_word_of_the_sender_whose_body_is_refused_changes_nothing(trio: Bench) -> None:
    key = _referred(trio)
    word = a_word(trio, key, SENDER, RECIPIENT, (1, 2), status="cancelled")
    _refused(trio[RECIPIENT], trio, word, Code.OPEN_FAILED, b"does not open")
    assert trio[RECIPIENT].status(key.referral_id) == Status.REQUESTED


def test_the_first_event_of_a_higher_incarnation_sets_the_status_unchecked_and_only_the_first(trio: Bench) -> None:
    key = _sent(trio)
    ended = a_word(trio, key, RECIPIENT, SENDER, (1, 1), status="rejected")
    restored = a_word(trio, key, RECIPIENT, SENDER, (2, 2), status="in-progress", follows=(1, 1))
    illegal = a_word(trio, key, RECIPIENT, SENDER, (2, 3), status="received")
    verdicts = trio[SENDER].take(*(event_record(trio, each) for each in (ended, restored)))
    assert verdicts == [TakenIn("StatusEvent")] * 2
    assert trio[SENDER].status(key.referral_id) == Status.IN_PROGRESS
    _refused(trio[SENDER], trio, illegal, Code.TRANSITION_REFUSED)


def test_a_first_event_is_checked_whatever_its_incarnation(trio: Bench) -> None:
    key = _sent(trio)
    word = a_word(trio, key, RECIPIENT, SENDER, (2, 1), status="completed", follows=NOWHERE)
    _refused(trio[SENDER], trio, word, Code.TRANSITION_REFUSED)
