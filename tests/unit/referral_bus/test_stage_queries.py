"""Where a referral stands through its life, as each side's ledger tells it, and all of them counted."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from producers.relay import TIDY_EVERY
from referral_bus.ledger import handovers
from referral_bus.ledger.handovers import Retries
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.referrals import find
from referral_bus.stage_queries import StageCount, count_stages, stage_of
from referral_bus.stages import Actor, Stage, Standing
from schemas.deadlines import DEFAULT_LIMITS
from schemas.lifecycle import Side
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench, Station, bench
from tests.kit.forge import a_receipt
from tests.kit.people import RECIPIENT, SENDER, request_document
from tests.kit.registers import changed, without_agreement
from tests.kit.topics import events


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        yield made


def _stands(station: Station, referral_id: UUID) -> Standing:
    with station.ledger.read() as tx:
        [referral] = find(tx, str(referral_id))
        return stage_of(tx, referral, all_peers(tx), DEFAULT_LIMITS, station.register.believed(station.bench.clock()))


def _is(station: Station, referral_id: UUID) -> tuple[Stage, Actor, Code | None]:
    found = _stands(station, referral_id)
    return found.stage, found.actor, found.code


def _counted(station: Station) -> dict[tuple[Side, Stage], StageCount]:
    now = station.bench.clock()
    with station.ledger.read() as tx:
        counts = count_stages(tx, now, DEFAULT_LIMITS, station.register.believed(now))
    return {at: count for at, count in counts.items() if count.open}


def _hand_over(station: Station, retries: Retries | None = None) -> None:
    """The agency's system takes what is due; with `patience` it fails."""
    with station.ledger.write() as tx:
        for received in handovers.due(tx, station.bench.clock(), (), 10):
            if retries is None:
                handovers.handed_over(tx, [received.cursor], station.writing())
            else:
                handovers.failed(tx, received.cursor, retries, station.bench.clock())


def test_from_the_outbox_to_the_answer_both_sides_tell_the_same_stages(pair: Bench) -> None:
    sender, recipient = pair[SENDER], pair[RECIPIENT]
    referral_id = sender.refer(RECIPIENT)
    assert _is(sender, referral_id) == (Stage.NOT_STORED, Actor.SENDER_SERVICE, None)
    sender.send()
    assert _is(sender, referral_id) == (Stage.NOT_STORED, Actor.SENDER_SERVICE, None), "Kafka has not answered yet"
    sender.send()
    assert _is(sender, referral_id) == (Stage.NOT_STORED, Actor.RECIPIENT_SERVICE, None)
    pair.settle()
    for station in (sender, recipient):
        assert _is(station, referral_id) == (Stage.NOT_HANDED_OVER, Actor.RECIPIENT_SERVICE, None)
    pair.clock.move(timedelta(seconds=1))
    _hand_over(recipient)
    recipient.announce()
    pair.settle()
    for station in (sender, recipient):
        assert _is(station, referral_id) == (Stage.NOT_SEEN, Actor.RECIPIENT_STAFF, None)
        side = Side.SENDER if station is sender else Side.RECIPIENT
        assert _counted(station) == {(side, Stage.NOT_SEEN): StageCount(1, 0)}
    pair.clock.move(timedelta(days=30))
    assert _counted(sender) == {(Side.SENDER, Stage.NOT_SEEN): StageCount(1, 1)}
    recipient.say("see", referral_id)
    recipient.say("accept", referral_id)
    pair.settle()
    for station in (sender, recipient):
        assert _is(station, referral_id) == (Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, None)
    recipient.say("start", referral_id)
    recipient.say("complete", referral_id, outcome="provided")
    assert _is(recipient, referral_id) == (Stage.ENDED, Actor.NONE, None)
    assert _counted(recipient) == {}


def test_without_a_key_it_waits_for_the_recipient(tmp_path: Path) -> None:
    strangers = Bench(tmp_path, (SENDER, RECIPIENT))
    referral_id = strangers[SENDER].refer(RECIPIENT)
    strangers[SENDER].send()
    assert _is(strangers[SENDER], referral_id) == (Stage.WAITING_FOR_KEY, Actor.RECIPIENT_SERVICE, None)
    strangers.close()


def test_what_cites_a_register_that_the_recipient_lacks_is_held_by_itself(pair: Bench) -> None:
    pair.own_registers[SENDER] = changed(pair.register, version=pair.register.version + 1)
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    assert _is(pair[SENDER], referral_id) == (Stage.HELD, Actor.RECIPIENT_SERVICE, Code.REGISTER_NEWER)
    assert _counted(pair[SENDER]) == {(Side.SENDER, Stage.HELD): StageCount(1, 0)}


def test_what_the_recipient_refuses_is_undelivered_with_its_code(pair: Bench) -> None:
    pair.own_registers[RECIPIENT] = without_agreement(pair.register, SENDER, RECIPIENT)
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    assert _is(pair[SENDER], referral_id) == (Stage.UNDELIVERED, Actor.SENDER_STAFF, Code.NOT_AGREED)


def test_a_code_that_only_newer_software_knows_breaks_no_view(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    digest = hashlib.sha256(events(pair, RECIPIENT)[-1]).digest()
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest, Outcome.REFUSED, code="FROM_NEXT_YEAR"))
    assert _is(pair[SENDER], referral_id) == (Stage.UNDELIVERED, Actor.SENDER_STAFF, None)


def test_what_waited_until_consent_was_over_is_undelivered_without_a_code(pair: Bench) -> None:
    pair.own_registers[SENDER] = changed(pair.register, version=pair.register.version + 1)
    body = request_document(RECIPIENT)["body"]
    body["consent"]["expires_at"] = (pair.clock() + TIDY_EVERY).isoformat()
    referral_id = pair[SENDER].refer(RECIPIENT, body=body)
    pair.settle()
    pair.clock.move(TIDY_EVERY)
    pair.announce()
    pair.clock.move(TIDY_EVERY)
    pair.settle()
    assert _is(pair[SENDER], referral_id) == (Stage.UNDELIVERED, Actor.SENDER_STAFF, None)


def test_an_event_that_the_recipients_system_never_takes_blocks_its_referral(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    _hand_over(pair[RECIPIENT], Retries(1, timedelta(seconds=1)))
    expected = (Stage.NOT_HANDED_OVER, Actor.RECIPIENT_STAFF, Code.HANDOVER_EXHAUSTED)
    assert _is(pair[RECIPIENT], referral_id) == expected
    assert _is(pair[SENDER], referral_id) == (Stage.NOT_HANDED_OVER, Actor.RECIPIENT_SERVICE, None)


def test_a_later_event_that_is_blocked_shows_at_whatever_stage(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    _hand_over(pair[RECIPIENT])
    pair[RECIPIENT].say("see", referral_id)
    pair[RECIPIENT].say("accept", referral_id)
    pair.settle()
    pair[SENDER].say("cancel", referral_id)
    pair.settle()
    _hand_over(pair[RECIPIENT], Retries(1, timedelta(seconds=1)))
    assert _is(pair[RECIPIENT], referral_id) == (Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, Code.HANDOVER_EXHAUSTED)


def test_counting_reads_no_ended_referral_and_no_row_of_the_outbox(pair: Bench) -> None:
    """So that it costs the same however many have ended, and however large events are."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    sa.event.listen(
        pair[SENDER].ledger.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, parameters, *_: asked.append((statement, parameters)),
    )
    _counted(pair[SENDER])
    counting = [each for each in asked if "sum(" in each[0]]
    assert len(counting) == 2
    with pair[SENDER].ledger.read() as tx:
        plans = [tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each[0]}", each[1]).all() for each in counting]
    steps = [str(step[3]) for plan in plans for step in plan]
    reads = [step for step in steps if " referrals" in step]
    assert reads == ["SEARCH referrals USING INDEX ix_referrals_open (side=?)"] * 2
    assert [step for step in steps if "outbox" in step and "COVERING INDEX ix_outbox_turns" not in step] == []
