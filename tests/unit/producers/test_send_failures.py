"""What Kafka itself does not take: told as that, of each referral and of each agency, until it does."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest

from producers.receipts import BROKER_RETRY
from producers.send_failure_notices import LOOK_EVERY
from referral_bus.broker.protocols import SendFailure
from referral_bus.broker.send_failures import SEND_FAILURES, TOLD_EVERY, known_failure
from referral_bus.ledger import failing_sends
from referral_bus.ledger.failing_sends import Failing
from referral_bus.ledger.peers import all_peers
from referral_bus.stage_queries import stage_of
from referral_bus.stages import Actor, Stage, Standing
from schemas.deadlines import DEFAULT_LIMITS
from schemas.events import DeadLetterNotice
from tests.kit.bench import Bench, Station, bench
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.topics import decoded


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as made:
        yield made


def _stands(station: Station, referral_id: UUID) -> Standing:
    with station.ledger.read() as tx:
        return stage_of(tx, station.referral(referral_id), all_peers(tx), DEFAULT_LIMITS, (SENDER, RECIPIENT, THIRD))


def _everything(station: Station) -> list[Failing]:
    with station.ledger.read() as tx:
        return failing_sends.everything(tx)


def _lose_inbox(trio: Bench, code: str) -> None:
    plans = trio.broker.live_topics()
    trio.broker.wipe(keep_topics=False)
    for name, plan in plans.items():
        if name != trio.register.inbox(code):
            trio.broker.create_topic(plan)


def test_every_failure_of_a_broker_has_its_sentence() -> None:
    assert set(SEND_FAILURES) == set(get_args(SendFailure))
    assert known_failure("of newer software") is None


@pytest.mark.parametrize("failure", sorted(SEND_FAILURES))
def test_what_kafka_does_not_take_is_the_operators_turn_until_it_does(trio: Bench, failure: SendFailure) -> None:
    sender = trio[SENDER]
    trio.broker.fail_sends(failure)
    referral_id = sender.refer(RECIPIENT)
    for _ in range(2):
        sender.send()
    found = _stands(sender, referral_id)
    assert (found.stage, found.actor, found.send_failure) == (Stage.NOT_STORED, Actor.OPERATORS, failure)
    assert _everything(sender) == [Failing(RECIPIENT, failure, events=1)]
    trio.broker.fail_sends(None)
    trio.clock.move(BROKER_RETRY)
    sender.send()
    assert _stands(sender, referral_id).send_failure == failure, "until Kafka has said that it has it"
    sender.send()
    found = _stands(sender, referral_id)
    assert (found.actor, found.send_failure) == (Actor.RECIPIENT_SERVICE, None)
    assert _everything(sender) == []


def test_what_waits_behind_a_failure_and_was_not_tried_itself_is_told_the_same(trio: Bench) -> None:
    sender = trio[SENDER]
    trio.broker.fail_sends("topic_missing")
    sender.refer(RECIPIENT)
    for _ in range(2):
        sender.send()
    behind, elsewhere = sender.refer(RECIPIENT), sender.refer(THIRD)
    assert _stands(sender, behind).send_failure == "topic_missing"
    assert _stands(sender, elsewhere).send_failure is None


def test_a_failure_says_nothing_any_more_once_the_receipt_is_there(trio: Bench) -> None:
    sender = trio[SENDER]
    referral_id = sender.refer(RECIPIENT)
    trio.settle()
    with sender.ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE outbox SET send_failure = 'timed_out'")
    assert _everything(sender) == []
    assert _stands(sender, referral_id).send_failure is None


def test_a_later_word_that_does_not_get_through_is_told_too(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    trio.broker.fail_sends("refused")
    trio[RECIPIENT].say("accept", referral_id)
    for _ in range(2):
        trio[RECIPIENT].send()
    found = _stands(trio[RECIPIENT], referral_id)
    assert (found.stage, found.actor, found.send_failure) == (Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, "refused")


def test_receipts_that_do_not_get_through_are_told_where_they_are_owed(trio: Bench) -> None:
    trio[SENDER].refer(RECIPIENT)
    for _ in range(2):
        trio[SENDER].send()
    trio[RECIPIENT].read()
    trio.broker.fail_sends("policy")
    for _ in range(2):
        trio[RECIPIENT].send()
    assert _everything(trio[RECIPIENT]) == [Failing(SENDER, "policy", receipts=1)]
    trio.broker.fail_sends(None)
    trio.clock.move(BROKER_RETRY)
    trio.settle()
    assert _everything(trio[RECIPIENT]) == []


def test_the_operators_get_a_notice_of_it_and_another_while_it_lasts(trio: Bench) -> None:
    _lose_inbox(trio, RECIPIENT)
    for _ in range(2):
        trio[SENDER].refer(RECIPIENT)
    trio.settle()
    trio.clock.move(LOOK_EVERY)
    trio[SENDER].send()
    [notice] = _notices(trio)
    assert (notice.agency, notice.code, notice.count) == (SENDER, "NOT_SENT_TOPIC_MISSING", 2)
    assert notice.topic == trio.register.inbox(RECIPIENT)
    trio.clock.move(LOOK_EVERY)
    trio[SENDER].send()
    assert len(_notices(trio)) == 1, "not each minute"
    trio.clock.move(TOLD_EVERY)
    trio[SENDER].send()
    assert len(_notices(trio)) == 2


def test_no_notice_is_tried_of_a_kafka_that_does_not_answer(trio: Bench) -> None:
    trio.broker.fail_sends("timed_out")
    trio[SENDER].refer(RECIPIENT)
    for _ in range(2):
        trio[SENDER].send()
    trio.broker.fail_sends(None)
    trio.clock.move(LOOK_EVERY)
    with trio[SENDER].ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE outbox SET next_send_at = NULL")
    trio[SENDER].send()
    assert _notices(trio) == []


def _notices(trio: Bench) -> list[DeadLetterNotice]:
    return [each for each in decoded(trio, trio.register.notices) if isinstance(each, DeadLetterNotice)]
