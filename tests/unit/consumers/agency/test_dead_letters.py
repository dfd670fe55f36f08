"""Dead letters: what is kept of what was not taken in, how much of it, and when it goes."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from consumers.agency.ingest import Ingest
from consumers.agency.verdicts import NotTaken
from referral_bus.ledger import dead_letter_lists, dead_letters, tables
from referral_bus.ledger.dead_letter_lists import Choice, DeadLetter
from referral_bus.ledger.dead_letters import DeadLetterState
from referral_bus.logs import make_log
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.raw import RawRecord
from schemas.events import ErasureEvent, ReferralEvent, ReferralKey
from schemas.outcomes import Code
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, body_for, event_record, signed, signed_bytes
from tests.kit.people import PLANTED_NEED, RECIPIENT, SENDER, THIRD
from tests.kit.registers import changed, without_key
from tests.kit.topics import records

NEWER_SCHEMA = b"\xc3\x01" + b"schema-9" + b"newer"


def _letters(trio: Bench, **choice: object) -> list[DeadLetter]:
    with trio[RECIPIENT].ledger.read() as tx:
        return dead_letter_lists.chosen(tx, replace(Choice(), **choice), 1000)  # type: ignore[arg-type]


def _value(trio: Bench, letter: DeadLetter) -> bytes | None:
    with trio[RECIPIENT].ledger.read() as tx:
        return dead_letter_lists.value(tx, letter)


def _refused(trio: Bench, sender: str = SENDER) -> tuple[ReferralEvent, RawRecord]:
    """A referral whose consent names another agency."""
    event = a_referral(trio, sender, RECIPIENT)
    return event, event_record(trio, event, body_for(THIRD))


def _newer(trio: Bench, key: ReferralKey | None = None) -> RawRecord:
    like = a_referral(trio, SENDER, RECIPIENT) if key is None else a_word(trio, key, SENDER, RECIPIENT, (1, 2))
    return signed_bytes(trio, NEWER_SCHEMA, like)


def test_a_refused_event_is_kept_as_it_came_with_all_that_is_known_of_it(trio: Bench) -> None:
    event, raw = _refused(trio)
    trio[RECIPIENT].take(raw)
    [letter] = _letters(trio)
    assert (letter.state, letter.code, letter.path) == (DeadLetterState.REFUSED, Code.CONSENT_INVALID, None)
    assert (letter.writer, letter.record, letter.event_id) == (SENDER, "ReferralEvent", event.event_id)
    assert letter.referral == event.referral
    assert (letter.fingerprint, letter.count) == (raw.value[2:10], 1)
    assert letter.first_at == letter.last_at == trio.clock()
    assert _value(trio, letter) == raw.value


def test_a_refusal_of_a_clear_field_is_kept_with_its_path(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT, respond_by=trio.clock())
    trio[RECIPIENT].take(event_record(trio, event))
    assert [letter.path for letter in _letters(trio)] == ["respond_by"]


def test_the_same_bytes_are_one_dead_letter_however_often_they_come(trio: Bench) -> None:
    raw, began = _newer(trio), trio.clock()
    trio[RECIPIENT].take(raw)
    trio.clock.move(timedelta(hours=1))
    trio[RECIPIENT].take(raw, raw)
    [letter] = _letters(trio)
    assert (letter.state, letter.count) == (DeadLetterState.HELD, 3)
    assert (letter.first_at, letter.last_at) == (began, trio.clock())


def test_the_same_bytes_of_another_agency_are_another_dead_letter(trio: Bench) -> None:
    """Else one agency could put its own record in the place of another's."""
    theirs = signed_bytes(trio, NEWER_SCHEMA, a_referral(trio, THIRD, RECIPIENT))
    trio[RECIPIENT].take(_newer(trio), theirs)
    assert [letter.writer for letter in _letters(trio)] == [SENDER, THIRD]


def test_nothing_is_kept_of_what_is_not_believed(trio: Bench) -> None:
    trio.own_registers[RECIPIENT] = without_key(trio.register, SENDER)
    [verdict] = trio[RECIPIENT].take(_refused(trio)[1])
    assert verdict == NotTaken("unknown", Code.SENDER_UNKNOWN, owed=False)
    assert _letters(trio) == []


def test_a_body_that_was_sent_unsealed_is_not_kept(trio: Bench) -> None:
    in_clear = signed_bytes(trio, encode(body_for(RECIPIENT)), a_referral(trio, SENDER, RECIPIENT))
    trio[RECIPIENT].take(in_clear)
    [letter] = _letters(trio)
    assert (letter.code, _value(trio, letter)) == (Code.MALFORMED, None)
    with trio[RECIPIENT].ledger.read() as tx:
        whole = tx.connection.execute(sa.select(tables.dead_letters)).one()
    assert PLANTED_NEED.encode() not in b"".join(value for value in whole if isinstance(value, bytes))


def test_where_a_record_stands_in_its_topic_is_kept(trio: Bench) -> None:
    _, raw = _refused(trio)
    for each in (event_record(trio, a_referral(trio, SENDER, RECIPIENT)), raw):
        trio.broker.sender().send(each)
    trio.settle()
    inbox = trio.register.inbox(RECIPIENT)
    [letter] = _letters(trio)
    assert (letter.topic, letter.partition) == (inbox, 0)
    assert records(trio, inbox)[letter.offset or 0] == raw


def test_whoever_has_most_refused_makes_room_and_pushes_out_no_other_agency(trio: Bench) -> None:
    honest, _ = _refused(trio, THIRD)
    trio[RECIPIENT].take(event_record(trio, honest, body_for(SENDER)), *(_refused(trio)[1] for _ in range(9)))
    with trio[RECIPIENT].ledger.write() as tx:
        assert dead_letters.drop_beyond(tx, 3) == 7
    assert [(letter.writer, letter.number) for letter in _letters(trio)] == [(THIRD, 1), (SENDER, 9), (SENDER, 10)]


def test_of_refused_events_only_so_many_are_kept_and_the_oldest_go(trio: Bench) -> None:
    station, held = trio[RECIPIENT], _newer(trio)
    small = Ingest(
        station.ledger, trio.broker, lambda: trio.register, station.keyring.find_sealing, trio.clock,
        uuid4, station.metrics, make_log(trio.log_lines), dead_letters_kept=3,
    )  # fmt: skip
    reader = small.reader()
    small.assign(reader)
    refused = [_refused(trio) for _ in range(5)]
    for raw in (held, *(raw for _, raw in refused)):
        trio.broker.sender().send(raw)
        small.take(reader.poll(0, 1))
    reader.close()
    assert [letter.event_id for letter in _letters(trio)] == [None, *(event.event_id for event, _ in refused[2:])]
    assert station.metrics.registry.get_sample_value("referralbus_dead_letters_dropped_total") == 2


def test_dead_letters_are_counted_by_reason_and_one_that_is_still_held_is_no_new_one(trio: Bench) -> None:
    for raw in (_refused(trio)[1], _refused(trio)[1], _newer(trio)):
        trio.broker.sender().send(raw)
    trio.settle()
    for _ in range(3):
        trio[RECIPIENT].ingest.judge_held()
    registry = trio[RECIPIENT].metrics.registry
    counted = {
        reason: registry.get_sample_value("referralbus_dead_letters_total", {"reason": reason})
        for reason in ("CONSENT_INVALID", "SCHEMA_UNKNOWN")
    }
    assert counted == {"CONSENT_INVALID": 2, "SCHEMA_UNKNOWN": 1}


def test_a_held_event_that_is_judged_anew_in_vain_stays_the_same_dead_letter(trio: Bench) -> None:
    trio[RECIPIENT].take(event_record(trio, a_referral(trio, SENDER, RECIPIENT, register_version=2)))
    [before] = _letters(trio)
    trio.clock.move(timedelta(hours=1))
    trio[RECIPIENT].ingest.judge_held()
    assert _letters(trio) == [before], "so that retention reaches it, however often it is judged"


def test_many_held_events_are_judged_in_steps_and_each_once(trio: Bench) -> None:
    events = [a_referral(trio, SENDER, RECIPIENT, register_version=2) for _ in range(450)]
    trio[RECIPIENT].take(*(event_record(trio, event) for event in events))
    assert len(_letters(trio)) == 450
    trio.own_registers[RECIPIENT] = changed(trio.register, version=2)
    trio[RECIPIENT].ingest.judge_held()
    assert _letters(trio) == []
    assert {trio[RECIPIENT].status(event.referral_id) for event in events} == {"requested"}


def test_what_was_held_and_is_refused_in_the_end_is_one_dead_letter_with_the_last_code(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT, register_version=2)
    trio[RECIPIENT].take(event_record(trio, event, body_for(THIRD)))
    [held] = _letters(trio)
    trio.own_registers[RECIPIENT] = changed(trio.register, version=2)
    trio[RECIPIENT].ingest.judge_held()
    [letter] = _letters(trio)
    assert (held.code, letter.code) == (Code.REGISTER_NEWER, Code.CONSENT_INVALID)
    assert (letter.number, letter.state, letter.count) == (held.number, DeadLetterState.REFUSED, 1)


def _forget(trio: Bench, key: ReferralKey) -> None:
    with trio[RECIPIENT].ledger.write() as tx:
        dead_letters.forget(tx, key)


def test_everything_about_a_referral_is_forgotten_and_nothing_of_others(trio: Bench) -> None:
    event, raw = _refused(trio)
    other, other_raw = _refused(trio)
    trio[RECIPIENT].take(raw, other_raw)
    _forget(trio, event.referral)
    assert [letter.event_id for letter in _letters(trio)] == [other.event_id]


def test_what_could_not_be_decoded_is_forgotten_with_the_referral_that_its_key_names(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    trio[RECIPIENT].take(_newer(trio, event.referral))
    assert [letter.referral for letter in _letters(trio)] == [None]
    _forget(trio, event.referral)
    assert _letters(trio) == []


def test_the_same_referral_id_of_another_sender_is_not_forgotten(trio: Bench) -> None:
    event, raw = _refused(trio)
    trio[RECIPIENT].take(raw)
    _forget(trio, ReferralKey(THIRD, event.referral_id))
    assert len(_letters(trio)) == 1


def test_retention_forgets_the_old_in_steps_and_leaves_what_blocks_a_referral(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    with trio[RECIPIENT].ledger.write() as tx:
        number = tx.connection.execute(sa.select(tables.events.c.number)).scalar_one()
        dead_letters.exhausted(tx, number, trio.clock())
    trio[RECIPIENT].take(*(_refused(trio)[1] for _ in range(3)))
    trio.clock.move(timedelta(days=1))
    trio[RECIPIENT].take(_refused(trio)[1])
    with trio[RECIPIENT].ledger.write() as tx:
        forgotten = [dead_letters.forget_older(tx, trio.clock(), 2) for _ in range(3)]
    assert forgotten == [2, 1, 0]
    left = _letters(trio)
    assert [letter.state for letter in left] == [DeadLetterState.EXHAUSTED, DeadLetterState.REFUSED]
    assert left[0].referral == (SENDER, referral_id)


def test_a_held_event_that_retention_has_forgotten_is_held_again_when_it_is_sent_again(trio: Bench) -> None:
    raw = event_record(trio, a_referral(trio, SENDER, RECIPIENT, register_version=2))
    trio[RECIPIENT].take(raw)
    with trio[RECIPIENT].ledger.write() as tx:
        dead_letters.forget_older(tx, trio.clock() + timedelta(days=90), 10)
    trio[RECIPIENT].take(raw)
    assert [item.outcome for item in trio[RECIPIENT].owed(SENDER)] == ["HELD"]
    assert [letter.state for letter in _letters(trio)] == [DeadLetterState.HELD]


@pytest.mark.parametrize("garbage", [b"", b"\xc3", b"\xc3\x01short", b"no marker at all"])
def test_bytes_that_are_nothing_of_ours_are_kept_as_well(trio: Bench, garbage: bytes) -> None:
    trio[RECIPIENT].take(signed_bytes(trio, garbage, a_referral(trio, SENDER, RECIPIENT)))
    [letter] = _letters(trio)
    assert (letter.fingerprint, _value(trio, letter)) == (None, garbage)
    assert hashlib.sha256(garbage).digest() == trio[RECIPIENT].owed(SENDER)[0].value_sha256


def test_an_erasure_with_a_code_newer_than_our_lists_is_held(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    common = event.model_dump(include=set(ErasureEvent.model_fields))
    erasure = ErasureEvent(**common, status=None, kind="requested", reason="from-next-year")
    trio[RECIPIENT].take(signed(trio, erasure))
    [letter] = _letters(trio)
    assert (letter.state, letter.code, letter.record) == (DeadLetterState.HELD, Code.CODE_UNKNOWN, "ErasureEvent")
