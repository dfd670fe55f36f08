"""Notices of dead letters: what the operators are told, how often, and nothing of what was in them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from producers.notices import AT_ONCE, SEND_EVERY
from referral_bus.ledger import dead_letters, handovers
from referral_bus.wire.raw import RawRecord
from schemas.events import DeadLetterNotice
from tests.kit.bench import Bench, bench
from tests.kit.forge import a_referral, body_for, event_record, signed_bytes
from tests.kit.people import PLANTED_NEED, RECIPIENT, SENDER, THIRD
from tests.kit.topics import decoded, records


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as made:
        yield made


def _told(trio: Bench) -> list[DeadLetterNotice]:
    found = decoded(trio, trio.register.notices)
    return [each for each in found if isinstance(each, DeadLetterNotice)]


def _take(trio: Bench, *raws: RawRecord) -> None:
    """As they come over the broker, and then a minute later."""
    for raw in raws:
        trio.broker.sender().send(raw)
    trio.settle()
    trio.clock.move(SEND_EVERY)
    trio.settle()


def _held(trio: Bench, sender: str = SENDER, schema: bytes = b"schema-9") -> RawRecord:
    return signed_bytes(trio, b"\xc3\x01" + schema + b"newer", a_referral(trio, sender, RECIPIENT))


def test_the_operators_are_told_of_a_dead_letter_where_it_stands_and_why(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT, respond_by=trio.clock())
    raw = event_record(trio, event)
    _take(trio, event_record(trio, a_referral(trio, SENDER, RECIPIENT)), raw)
    [notice] = _told(trio)
    assert (notice.agency, notice.code, notice.path) == (RECIPIENT, "VALUE_REFUSED", "respond_by")
    assert (notice.event_id, notice.count) == (event.event_id, 1)
    assert notice.schema_fingerprint == raw.value[2:10]
    assert notice.topic == trio.register.inbox(RECIPIENT)
    assert records(trio, notice.topic)[notice.offset] == raw
    assert notice.issued_at == trio.clock()


def test_a_notice_says_nothing_of_a_person_and_its_key_is_a_random_id(trio: Bench) -> None:
    raw = event_record(trio, a_referral(trio, SENDER, RECIPIENT), body_for(THIRD))
    _take(trio, raw)
    [record] = records(trio, trio.register.notices)
    [notice] = _told(trio)
    assert record.key == str(notice.notice_id).encode()
    assert notice.notice_id != notice.event_id
    assert notice.path is None
    assert PLANTED_NEED.encode() not in record.value
    assert raw.value[-64:] not in record.value


def test_dead_letters_with_one_reason_writer_and_schema_are_one_notice_with_their_number(trio: Bench) -> None:
    first, second = _held(trio), _held(trio)
    others = [_held(trio, THIRD), _held(trio, schema=b"schema-8")]
    refused = [event_record(trio, a_referral(trio, SENDER, RECIPIENT), body_for(THIRD)) for _ in range(3)]
    _take(trio, first, second, *others, *refused)
    assert sorted((notice.code, notice.count) for notice in _told(trio)) == [
        ("CONSENT_INVALID", 3),
        ("SCHEMA_UNKNOWN", 1),
        ("SCHEMA_UNKNOWN", 1),
        ("SCHEMA_UNKNOWN", 1),
    ]


def test_the_operators_are_told_of_a_dead_letter_once(trio: Bench) -> None:
    _take(trio, _held(trio))
    _take(trio, _held(trio))
    for _ in range(3):
        trio.clock.move(SEND_EVERY)
        trio[RECIPIENT].ingest.judge_held()
        trio.settle()
    trio[RECIPIENT].reopen()
    trio.clock.move(SEND_EVERY)
    trio.settle()
    assert len(_told(trio)) == 1, "the same bytes of the same writer are one dead letter"


def test_notices_go_at_most_once_a_minute_and_so_many_at_once(trio: Bench) -> None:
    _take(trio, *(_held(trio, schema=b"sch-%04d" % number) for number in range(AT_ONCE + 5)))
    assert len(_told(trio)) == AT_ONCE
    trio.clock.move(SEND_EVERY - timedelta(milliseconds=1))
    trio.settle()
    assert len(_told(trio)) == AT_ONCE
    trio.clock.move(timedelta(milliseconds=1))
    trio.settle()
    assert len(_told(trio)) == AT_ONCE + 5


def test_an_agency_with_many_kinds_of_dead_letters_puts_off_no_other_agencys(trio: Bench) -> None:
    many = [_held(trio, schema=b"sch-%04d" % number) for number in range(AT_ONCE + 5)]
    _take(trio, *many, _held(trio, THIRD, b"schema-7"), _held(trio, THIRD, b"schema-8"))
    assert [notice.schema_fingerprint for notice in _told(trio)][-2:] == [b"schema-7", b"schema-8"]
    assert len(_told(trio)) == AT_ONCE


def test_what_the_broker_did_not_take_is_told_later(trio: Bench) -> None:
    trio[RECIPIENT].take(_held(trio))
    plan = trio.broker.live_topics()[trio.register.notices]
    plans = dict(trio.broker.live_topics())
    trio.broker.wipe(keep_topics=False)
    for name, each in plans.items():
        if name != plan.name:
            trio.broker.create_topic(each)
    trio.clock.move(SEND_EVERY)
    trio.settle()
    trio.broker.create_topic(plan)
    assert _told(trio) == []
    trio.clock.move(SEND_EVERY)
    trio.settle()
    assert len(_told(trio)) == 1


def test_a_clock_that_is_set_back_a_day_does_not_silence_notices(trio: Bench) -> None:
    _take(trio, _held(trio))
    trio.clock.move(-timedelta(days=1))
    trio[RECIPIENT].take(_held(trio, THIRD))
    trio.settle()
    assert len(_told(trio)) == 2


def test_the_operators_are_told_of_a_hand_over_that_was_given_up(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    with trio[RECIPIENT].ledger.write() as tx:
        dead_letters.exhausted(tx, handovers.newest(tx), trio.clock())
    trio.clock.move(SEND_EVERY)
    trio.settle()
    [notice] = _told(trio)
    [step] = trio[SENDER].history(referral_id)
    assert (notice.code, notice.event_id, notice.schema_fingerprint) == ("HANDOVER_EXHAUSTED", step.event_id, None)
    assert notice.topic == trio.register.inbox(RECIPIENT)
