"""Taking in, first half: what is believed, what is known already, and the order of a writer's events."""

from collections.abc import Callable

import pytest

from consumers.agency.verdicts import Again, Missing, NotTaken, TakenIn
from referral_bus.ledger import queries, receipts_owed
from referral_bus.wire.avro_codec import MAX_VALUE, encode
from referral_bus.wire.raw import RawRecord
from schemas.events import NOWHERE, Place
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, an_announcement, event_record, signed, signed_bytes
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.registers import with_revoked_key, without_agency, without_key


def _stored(trio: Bench) -> int:
    """How many events the recipient's ledger has judged."""
    with trio[RECIPIENT].ledger.read() as tx:
        return int(tx.connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one())


def _raw(trio: Bench) -> RawRecord:
    return event_record(trio, a_referral(trio, SENDER, RECIPIENT))


def _too_large(trio: Bench) -> RawRecord:
    return signed_bytes(trio, bytes(MAX_VALUE + 1), a_referral(trio, SENDER, RECIPIENT))


def _unsigned(trio: Bench) -> RawRecord:
    raw = _raw(trio)
    return RawRecord(raw.topic, raw.key, raw.value)


def _signed_by_another(trio: Bench) -> RawRecord:
    return signed(trio, a_referral(trio, SENDER, RECIPIENT), signer=THIRD)


def _changed_on_the_way(trio: Bench) -> RawRecord:
    raw = _raw(trio)
    return RawRecord(raw.topic, raw.key, raw.value[:-1] + bytes([raw.value[-1] ^ 1]), raw.headers)


def _key_unknown(trio: Bench) -> RawRecord:
    trio.own_registers[RECIPIENT] = without_key(trio.register, SENDER)
    return _raw(trio)


def _key_revoked(trio: Bench) -> RawRecord:
    trio.own_registers[RECIPIENT] = with_revoked_key(trio.register, SENDER, trio.clock())
    return _raw(trio)


def _for_another(trio: Bench) -> RawRecord:
    """The host moves a record into another inbox: the signature names the topic, so this one is signed for it."""
    return signed(trio, a_referral(trio, SENDER, THIRD), topic=trio.register.inbox(RECIPIENT))


def _on_another_topic(trio: Bench) -> RawRecord:
    return signed(trio, a_referral(trio, SENDER, RECIPIENT), topic=trio.register.announcement(SENDER))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (_too_large, Code.TOO_LARGE),
        (_unsigned, Code.SIGNATURE_INVALID),
        (_signed_by_another, Code.SIGNATURE_INVALID),
        (_changed_on_the_way, Code.SIGNATURE_INVALID),
        (_key_unknown, Code.SENDER_UNKNOWN),
        (_key_revoked, Code.SENDER_REVOKED),
        (_for_another, Code.NOT_ADDRESSED_HERE),
        (_on_another_topic, Code.NOT_ADDRESSED_HERE),
    ],
)
def test_what_is_not_believed_is_neither_kept_nor_answered(
    trio: Bench, make: Callable[[Bench], RawRecord], code: Code
) -> None:
    [verdict] = trio[RECIPIENT].take(make(trio))
    assert isinstance(verdict, NotTaken)
    assert (verdict.code, verdict.owed) == (code, False)
    assert trio[RECIPIENT].owed(SENDER) == []
    assert _stored(trio) == 0


def test_a_malformed_event_is_refused_and_uses_up_no_place(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    broken = signed_bytes(trio, event_record(trio, event).value + b"\x00", event)
    malformed, taken = trio[RECIPIENT].take(broken, event_record(trio, event))
    assert malformed == NotTaken("unknown", Code.MALFORMED, owed=True)
    assert taken == TakenIn("ReferralEvent")
    refused, stored = trio[RECIPIENT].owed(SENDER)
    assert (refused.outcome, refused.code, refused.event_id) == (Outcome.REFUSED, Code.MALFORMED, None)
    assert (stored.outcome, stored.event_id) == (Outcome.STORED, event.event_id)


def test_a_malformed_announcement_is_answered_by_nobody(trio: Bench) -> None:
    announcement = an_announcement(trio, SENDER, counter=9)
    broken = signed_bytes(trio, encode(announcement) + b"\x00", announcement)
    [verdict] = trio[RECIPIENT].take(broken)
    assert isinstance(verdict, NotTaken)
    assert not verdict.owed
    assert trio[RECIPIENT].owed(SENDER) == []


def test_an_unknown_schema_is_held_by_its_digest_and_uses_no_place(trio: Bench) -> None:
    newer = signed_bytes(trio, b"\xc3\x01" + bytes(8) + b"newer", a_referral(trio, SENDER, RECIPIENT))
    verdict = NotTaken("unknown", Code.SCHEMA_UNKNOWN, owed=True)
    assert trio[RECIPIENT].take(newer, newer) == [verdict, verdict]
    told = [(item.event_id, item.outcome, item.held) for item in trio[RECIPIENT].owed(SENDER)]
    assert told == [(None, Outcome.HELD, NOWHERE)]
    while trio[RECIPIENT].send():
        pass
    assert trio[RECIPIENT].owed(SENDER) == []
    trio[RECIPIENT].ingest.judge_held()
    assert len(trio[RECIPIENT].owed(SENDER)) == 1  # it was held, was judged anew, and is held again


def test_of_many_copies_one_answer_is_owed_and_it_is_the_newest(trio: Bench) -> None:
    """Or whoever replays one old record fills our disk."""
    event = a_referral(trio, SENDER, RECIPIENT)
    word = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    for _ in range(3):
        trio[RECIPIENT].take(event_record(trio, word))
    assert [item.outcome for item in trio[RECIPIENT].owed(SENDER)] == [Outcome.MISSING] * 3, "sealed anew: other bytes"
    copies = [event_record(trio, event)] * 50
    copies += [event_record(trio, word)] * 50
    trio[RECIPIENT].take(*copies)
    assert [item.outcome for item in trio[RECIPIENT].owed(SENDER)[-2:]] == [Outcome.STORED] * 2
    assert len(trio[RECIPIENT].owed(SENDER)) == 5


def test_an_answer_that_is_under_way_takes_no_newer_one_with_it(trio: Bench) -> None:
    station = trio[RECIPIENT]
    event = a_referral(trio, SENDER, RECIPIENT)
    word = event_record(trio, a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2)))
    station.take(word)
    with station.ledger.read() as tx:
        [under_way] = receipts_owed.next_batches(tx, (), 400)
    station.take(event_record(trio, event), word)
    with station.ledger.write() as tx:
        receipts_owed.sent(tx, under_way.numbers)
    assert [item.outcome for item in station.owed(SENDER)] == [Outcome.STORED] * 2


def test_an_answer_to_nobody_is_not_owed_for_ever(trio: Bench) -> None:
    station = trio[RECIPIENT]
    station.take(event_record(trio, a_referral(trio, SENDER, RECIPIENT)))
    trio.own_registers[RECIPIENT] = without_agency(trio.register, SENDER)
    station.send()
    assert station.owed(SENDER) == []


def test_a_known_event_is_receipted_again_and_has_no_second_effect(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    first, again = trio[RECIPIENT].take(event_record(trio, event), event_record(trio, event))  # sealed twice
    assert (first, again) == (TakenIn("ReferralEvent"), Again("ReferralEvent"))
    items = trio[RECIPIENT].owed(SENDER)
    assert [(item.outcome, item.held) for item in items] == [(Outcome.STORED, Place(1, 1))] * 2
    assert items[0].value_sha256 != items[1].value_sha256
    assert _stored(trio) == 1


def test_a_known_event_that_was_refused_is_refused_again_with_the_same_code(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    again = a_referral(trio, SENDER, RECIPIENT, referral_id=event.referral_id, sequence=2, follows_sequence=1)
    again = again.model_copy(update={"follows_incarnation": 1})
    trio[RECIPIENT].take(*(event_record(trio, each) for each in (event, again, again)))
    _, refused, known = trio[RECIPIENT].owed(SENDER)
    assert (refused.outcome, refused.code) == (known.outcome, known.code)
    assert refused.code == Code.TRANSITION_REFUSED


def test_another_agencys_event_with_the_same_id_is_not_taken_for_known(trio: Bench) -> None:
    theirs = a_referral(trio, SENDER, RECIPIENT)
    other = a_referral(trio, THIRD, RECIPIENT, event_id=theirs.event_id)
    verdicts = trio[RECIPIENT].take(event_record(trio, theirs), event_record(trio, other))
    assert verdicts == [TakenIn("ReferralEvent")] * 2
    assert trio[RECIPIENT].status(other.referral_id) == "requested"


def test_another_event_at_the_same_place_is_equivocation_and_uses_up_nothing(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    second = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    liar = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    third = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 3))
    verdicts = trio[RECIPIENT].take(*(event_record(trio, each) for each in (event, second, liar, third)))
    assert verdicts[2] == NotTaken("StatusEvent", Code.EQUIVOCATION, owed=True)
    assert verdicts[3] == TakenIn("StatusEvent")
    item = trio[RECIPIENT].owed(SENDER)[2]
    assert (item.outcome, item.code, item.held) == (Outcome.REFUSED, Code.EQUIVOCATION, Place(1, 2))


def test_an_event_of_an_older_incarnation_is_refused_and_uses_up_nothing(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    restored = a_word(trio, event.referral, SENDER, RECIPIENT, (2, 2), follows=(1, 1))
    old = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 3), follows=(1, 1))
    later = a_word(trio, event.referral, SENDER, RECIPIENT, (2, 3))
    verdicts = trio[RECIPIENT].take(*(event_record(trio, each) for each in (event, restored, old, later)))
    assert verdicts[2] == NotTaken("StatusEvent", Code.OLD_INCARNATION, owed=True)
    assert verdicts[3] == TakenIn("StatusEvent")
    item = trio[RECIPIENT].owed(SENDER)[2]
    assert (item.outcome, item.code, item.held) == (Outcome.REFUSED, Code.OLD_INCARNATION, Place(2, 2))


def test_an_event_whose_forerunner_is_missing_is_not_kept_and_told_the_position_held(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    third = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 3))
    verdicts = trio[RECIPIENT].take(event_record(trio, event), event_record(trio, third))
    assert verdicts[1] == Missing("StatusEvent")
    item = trio[RECIPIENT].owed(SENDER)[1]
    assert (item.outcome, item.event_id, item.held) == (Outcome.MISSING, third.event_id, Place(1, 1))
    assert _stored(trio) == 1
    second = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    assert trio[RECIPIENT].take(event_record(trio, second), event_record(trio, third)) == [TakenIn("StatusEvent")] * 2


def test_a_word_that_arrives_before_its_referral_is_missing_it_from_the_start(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    word = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2))
    assert trio[RECIPIENT].take(event_record(trio, word)) == [Missing("StatusEvent")]
    assert trio[RECIPIENT].owed(SENDER)[0].held == Place(0, 0)
    assert _stored(trio) == 0


def test_an_event_may_stand_further_on_as_long_as_what_it_follows_is_held(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    word = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 7), follows=(1, 1))
    assert trio[RECIPIENT].take(event_record(trio, event), event_record(trio, word))[1] == TakenIn("StatusEvent")
    with trio[RECIPIENT].ledger.read() as tx:
        assert queries.history(tx, event.referral)[-1].place == Place(1, 7)


def test_a_refused_event_uses_up_its_place_and_the_next_one_is_taken(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    refused = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 2), status="accepted")
    third = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 3))
    verdicts = trio[RECIPIENT].take(*(event_record(trio, each) for each in (event, refused, third)))
    assert verdicts[1:] == [NotTaken("StatusEvent", Code.VALUE_REFUSED, owed=True), TakenIn("StatusEvent")]
    item = trio[RECIPIENT].owed(SENDER)[1]
    assert (item.outcome, item.held) == (Outcome.REFUSED, Place(1, 2))
